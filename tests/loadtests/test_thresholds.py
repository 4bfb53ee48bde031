"""Figures and thresholds: the arithmetic that decides whether a run has failed."""

import pytest

from loadtests.figures import Figures, Times
from loadtests.scenarios import OVERHEAD_P99_MS, SCENARIOS
from loadtests.thresholds import Threshold, judge


def measured() -> Figures:
    """Ten seconds after a warm-up of five, a hundred answers of 1 ms to 100 ms."""
    figures = Figures()
    figures.begin(100.0, 5.0)
    for number in range(1, 101):
        figures.answered(106.0, attempts=1)
        figures.add("ttft", number / 1e3, 106.0)
    figures.ended_at = 115.0
    return figures


def test_a_percentile_is_the_least_time_that_so_many_do_not_exceed() -> None:
    figures = measured()

    assert [1.0, 50.0, 99.0, 100.0] == [
        pytest.approx(figures.find(f"ttft.p{p}")) for p in ("1", "50", "99", "100")
    ]
    assert pytest.approx(100.0) == figures.find("ttft.p99.9")


def test_times_are_kept_to_a_tenth_of_a_millisecond() -> None:
    times = Times()
    for seconds in (0.00123, 0.00127, -0.5):
        times.add(seconds)

    assert [0.0, 1.2, 1.3] == [pytest.approx(times.percentile_ms(p)) for p in (33, 66, 100)]


def test_the_warm_up_has_no_times_but_its_failures_count() -> None:
    figures = measured()
    figures.answered(104.0, attempts=1)
    figures.add("ttft", 9.0, 104.0)
    figures.missed(104.0)
    figures.failed("status 502")

    assert pytest.approx(100.0) == figures.find("ttft.p100")
    assert pytest.approx(10.0) == figures.find("rate")
    assert pytest.approx(1 / 102) == figures.find("failures")
    assert pytest.approx(100 / 101) == figures.find("throughput")


def test_what_was_planned_and_not_sent_lowers_the_throughput() -> None:
    figures = measured()
    for _ in range(25):
        figures.missed(107.0)

    assert pytest.approx(0.8) == figures.find("throughput")


def test_a_run_begins_with_nothing() -> None:
    figures = measured()
    figures.failed("no [DONE]")
    figures.begin(200.0, 1.0)

    assert [None, None, 0.0] == [figures.find(f) for f in ("ttft.p99", "failures", "retried")]
    assert figures == Figures(200.0, 201.0)


def test_an_unknown_figure_is_an_error_and_no_threshold() -> None:
    with pytest.raises(KeyError):
        measured().find("speed")


@pytest.mark.parametrize(
    ("threshold", "line"),
    [
        (Threshold("ttft.p99", 99.0), "kept    ttft.p99 99 ms (at most 99 ms)"),
        (Threshold("ttft.p99", 98.9), "BROKEN  ttft.p99 99 ms (at most 98.9 ms)"),
        (Threshold("failures", 0.0), "kept    failures 0 % (at most 0 %)"),
        (Threshold("throughput", 0.98, at_least=True), "kept    throughput 100 % (at least 98 %)"),
        (Threshold("rate", 11, at_least=True), "BROKEN  rate 10 /s (at least 11 /s)"),
        (
            Threshold("retried", 5, at_least=True),
            "BROKEN  retried 0 requests (at least 5 requests)",
        ),
        (Threshold("gap.p99", 60), "BROKEN  gap.p99 not measured (at most 60 ms)"),
        (Threshold("client.cpu", 80), "BROKEN  client.cpu not measured (at most 80 %)"),
    ],
)
def test_each_threshold_is_a_line(threshold: Threshold, line: str) -> None:
    [verdict] = judge([threshold], measured())

    assert line == verdict.line()
    assert line.startswith("kept") == verdict.holds


def test_what_only_stamps_can_tell_may_be_missing_where_the_providers_are_not_ours() -> None:
    threshold = Threshold("overhead.p99", 25, needs_stamps=True)
    [ours], [foreign] = (
        judge([threshold], measured(), stamped=stamped) for stamped in (True, False)
    )

    assert (False, True) == (ours.holds, foreign.holds)
    assert "absent  overhead.p99 not measured (at most 25 ms)" == foreign.line()


def test_every_scenario_bounds_failures_throughput_overhead_and_its_own_client() -> None:
    needed = {"failures", "throughput", "overhead.p99", "client.cpu", "lag.p99"}

    assert [] == [
        s.name for s in SCENARIOS.values() if not needed <= {t.figure for t in s.thresholds}
    ]
    assert all(scenario.file.exists() for scenario in SCENARIOS.values())


def test_overhead_is_bounded_by_25_ms_unless_the_load_goes_beyond_the_rated_one() -> None:
    bounds = {
        s.name: t.limit
        for s in SCENARIOS.values()
        for t in s.thresholds
        if t.figure == "overhead.p99"
    }

    assert 25.0 == OVERHEAD_P99_MS
    assert ["spike", "ramp"] == [name for name, limit in bounds.items() if limit != OVERHEAD_P99_MS]
