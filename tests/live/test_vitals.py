"""What is measured of one endpoint."""

import math
import random
import tracemalloc

import pytest

from proxy.live.vitals import FAULTS, Figures, Vitals, half_hour_of, standing_of
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Fault, Observation
from proxy.model.standing import Standing
from proxy.units import NanoDollarsPerMillion, Seconds

FREE = NanoDollarsPerMillion(0)
ENDPOINT = Endpoint(
    Provider("acme", "Acme", "d", "https://acme.test"), "a/b", "b", Prices(FREE, FREE), 1
)


def seen(at: float = 0.0, fault: Fault = "none", **more: object) -> Observation:
    return Observation(ENDPOINT, Seconds(at), fault, **more)  # type: ignore[arg-type]


def fresh() -> Vitals:
    vitals = Vitals("acme", Seconds(0))
    vitals.begin(Seconds(0))
    return vitals


def test_a_complete_streamed_reply_gives_all_three_figures() -> None:
    vitals = fresh()

    vitals.record(seen(streamed=True, ttft_s=0.5, total_s=4.0, completion_tokens=200))
    found = vitals.standing()

    assert found.ttft is not None
    assert found.throughput is not None
    assert found.total is not None
    assert pytest.approx((0.5, 50.0, 4.0), rel=0.01) == (
        found.ttft.p50,
        found.throughput.p50,
        found.total.p50,
    )
    assert 1 == found.samples


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(ttft_s=0.5, total_s=1.0, completion_tokens=9), (False, True, True)),
        (seen(streamed=True, ttft_s=0.5, completion_tokens=9), (True, False, False)),
        (seen(streamed=True, ttft_s=0.5, total_s=1.0), (True, False, True)),
        (seen(fault="endpoint", streamed=True), (False, False, False)),
        (seen(total_s=0.0, completion_tokens=9), (False, True, True)),
    ],
    ids=["not streamed", "broken off", "without tokens", "failed", "in no time"],
)
def test_only_what_was_measured_counts(
    observation: Observation, expected: tuple[bool, bool, bool]
) -> None:
    vitals = fresh()

    vitals.record(observation)
    found = vitals.standing()

    assert expected == tuple(
        figure is not None for figure in (found.ttft, found.throughput, found.total)
    )


def test_an_attempt_cancelled_while_it_waited_counts_with_what_it_waited() -> None:
    vitals = fresh()
    for _ in range(3):
        vitals.record(seen(streamed=True, ttft_s=0.2))
    vitals.record(seen(fault="client", streamed=True, ttft_s=8.0, censored=True))

    found = vitals.standing()

    assert found.ttft is not None
    assert 4 == found.samples
    assert pytest.approx((0.2, 0.2, 8.0), rel=0.01) == (
        found.ttft.p50,
        found.ttft.p75,
        found.ttft.p90,
    )


def test_of_a_throughput_p90_is_what_ninety_percent_reach() -> None:
    vitals = fresh()
    for tokens in range(10, 110, 10):
        vitals.record(seen(total_s=1.0, completion_tokens=tokens))

    found = vitals.standing().throughput

    assert found is not None
    assert pytest.approx((60, 30, 20, 10), rel=0.01) == (
        found.p50,
        found.p75,
        found.p90,
        found.p99,
    )


def test_prices_are_what_was_paid_per_token_in_thirty_minutes() -> None:
    vitals = fresh()
    vitals.record(
        seen(prompt_tokens=1000, prompt_cost=2_000_000, completion_tokens=10, completion_cost=70)
    )
    vitals.record(seen(prompt_tokens=3000, prompt_cost=2_000_000))

    assert (1e9, 7e6) == (vitals.standing().prompt_price, vitals.standing().completion_price)

    vitals.close(Seconds(30))
    vitals.close(Seconds(1799))
    assert 1e9 == vitals.standing().prompt_price
    vitals.record(seen(at=1799))
    vitals.close(Seconds(1800))
    assert (None, None) == (vitals.standing().prompt_price, vitals.standing().completion_price)


def test_ends_count_by_fault_since_the_start_and_of_five_minutes() -> None:
    vitals = fresh()
    for fault in FAULTS:
        vitals.record(seen(fault=fault))
    vitals.close(Seconds(30))
    vitals.close(Seconds(300))
    vitals.record(seen(at=300, fault="endpoint"))

    found = vitals.report(Seconds(301))

    assert dict.fromkeys(FAULTS, 1) | {"endpoint": 2} == found.ends
    assert dict.fromkeys(FAULTS, 0) | {"endpoint": 1} == found.recent_ends
    assert 300 == found.last_at


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("endpoint", 0), ("credential", 0), ("rate_limit", 100), ("request", 100), ("client", 100),
     ("gateway", 100)],
)  # fmt: skip
def test_only_faults_of_endpoint_and_credential_are_downtime(fault: Fault, expected: int) -> None:
    vitals = fresh()
    for _ in range(10):
        vitals.record(seen())
    for _ in range(10):
        vitals.record(seen(fault=fault))

    found = vitals.report(Seconds(59))

    assert (expected,) * 3 == (found.uptime_5m, found.uptime_30m, found.uptime_1d)


def test_an_attempt_belongs_to_the_minute_in_which_it_ended() -> None:
    vitals = fresh()
    for at in (*[59.0] * 10, *[61.0] * 10):
        vitals.record(seen(at=at, fault="none" if at < 60 else "endpoint"))

    assert 50 == vitals.report(Seconds(62)).uptime_5m


def test_a_report_counts_what_came_since_the_last_slice() -> None:
    vitals = fresh()
    vitals.record(seen(streamed=True, ttft_s=0.1))

    found = vitals.report(Seconds(1))

    assert (1, 1) == (found.recent.samples, found.half_hour.samples)
    assert found.recent.ttft == found.half_hour.ttft


def test_a_report_lets_go_of_what_is_too_old_even_without_a_refresh() -> None:
    vitals = fresh()
    vitals.record(seen(streamed=True, ttft_s=0.1))

    found = [vitals.report(Seconds(at)) for at in (29, 310, 1790)]

    assert [(1, 1), (0, 1), (0, 1)] == [(f.recent.samples, f.half_hour.samples) for f in found]


def test_after_half_an_hour_without_traffic_only_counts_and_minutes_stay() -> None:
    vitals = fresh()
    for _ in range(10):
        vitals.record(seen(streamed=True, ttft_s=0.1))

    vitals.close(Seconds(1799))
    assert vitals.figures is not None
    vitals.changed = False
    found = vitals.report(Seconds(1830))

    assert vitals.figures is None
    assert vitals.changed
    assert math.inf == vitals.due_at
    assert (Standing(), Standing()) == (found.recent, found.half_hour)
    assert (10, 100) == (found.ends["none"], found.uptime_1d)


@pytest.mark.parametrize(("closed_at", "expected"), [(30.0, 60.0), (33.0, 60.0), (75.0, 105.0)])
def test_slices_keep_their_rhythm_unless_one_was_missed(closed_at: float, expected: float) -> None:
    vitals = fresh()

    vitals.close(Seconds(closed_at))

    assert expected == vitals.due_at


def test_figures_taken_together_are_those_of_all_observations() -> None:
    parts = [Figures(Seconds(0)) for _ in range(2)]
    for figures, ttft_s in zip(parts, (0.1, 0.3), strict=True):
        for _ in range(2):
            figures.record(
                seen(streamed=True, ttft_s=ttft_s, prompt_tokens=1, prompt_cost=int(ttft_s * 10))
            )

    found = standing_of(parts)

    assert found.ttft is not None
    assert pytest.approx((0.1, 0.3), rel=0.01) == (found.ttft.p50, found.ttft.p75)
    assert (4, 2_000_000) == (found.samples, found.prompt_price)
    assert Standing() == standing_of([])
    assert found.ttft != half_hour_of(parts[0]).ttft


def test_an_endpoint_with_much_traffic_for_half_an_hour_takes_less_than_a_hundred_kib() -> None:
    draw = random.Random(5)
    said = [
        seen(
            streamed=True,
            ttft_s=draw.lognormvariate(-0.7, 0.6),
            total_s=draw.lognormvariate(1.0, 0.6),
            prompt_tokens=100,
            completion_tokens=draw.randrange(1, 1000),
        )
        for _ in range(200)
    ]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    vitals = fresh()
    for slices in range(1, 70):
        for one in said:
            vitals.record(one)
        vitals.last_at = Seconds(slices * 30.0)
        vitals.close(Seconds(slices * 30.0))
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert 20_000 < used < 100 * 1024
