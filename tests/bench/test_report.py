"""The report's arithmetic: ratios round by round, budgets, and when a figure proves little."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import report
from bench.machine import Others, Pinning
from bench.metrics import METRICS, Budget, Reading
from bench.rounds import Bench
from bench.servers import Target


def values(*readings: tuple[str, str, float]) -> report.Values:
    return report.collect(Reading(*reading) for reading in readings)


def printed(found: report.Values) -> str:
    console = Console(record=True, width=120, quiet=False)
    report.show(found, 2, console)
    report.warn(found, console)
    report.show_budgets(found, console)
    return console.export_text()


def test_a_ratio_is_taken_round_by_round() -> None:
    found = values(
        ("plain.cpu", "nginx", 10.0),
        ("plain.cpu", "hedgerow", 40.0),
        ("plain.cpu", "nginx", 20.0),
        ("plain.cpu", "hedgerow", 100.0),
    )

    assert [4.0, 5.0] == report.ratios(found["plain.cpu"], "hedgerow")
    assert "4.50 (4.00-5.00)" in printed(found)
    assert "pass plain.cpu" in printed(found)


def test_a_budget_is_kept_up_to_its_limit() -> None:
    at_most, at_least = Budget(6.0, "ratio"), Budget(0.75, "ratio", at_least=True)

    assert [True, True, False] == [at_most.holds(found) for found in (5.9, 6.0, 6.1)]
    assert [False, True, True] == [at_least.holds(found) for found in (0.7, 0.75, 0.8)]
    assert ["<= 6x", ">= 0.75x", "<= 2000"] == [
        budget.text for budget in (at_most, at_least, Budget(2000.0, "value"))
    ]


def test_a_broken_budget_is_said_and_an_unmeasured_one_is_not() -> None:
    found = values(("coldstart.first", "nginx", 5.0), ("coldstart.first", "hedgerow", 1200.0))

    assert [("coldstart.first", 1200.0, False)] == [
        (seen.metric, seen.found, seen.holds) for seen in report.verdicts(found)
    ]
    assert "FAIL coldstart.first" in printed(found)
    assert [] == report.verdicts(values(("plain.cpu", "hedgerow", 40.0)))


def test_a_rate_that_nginx_did_not_limit_is_in_doubt() -> None:
    rates = (("chunks.rate", "nginx", 100.0), ("chunks.rate", "hedgerow", 99.0))
    (idle,) = report.verdicts(values(*rates, ("chunks.busy", "nginx", 0.5)))
    (busy,) = report.verdicts(values(*rates, ("chunks.busy", "nginx", 0.99)))

    assert "nginx used 50% of its core" in idle.doubt
    assert not busy.doubt


def test_noise_is_named() -> None:
    found = values(
        ("plain.cpu", "nginx", 10.0),
        ("plain.cpu", "hedgerow", 40.0),
        ("plain.others", "hedgerow", 0.3),
    )

    assert "others kept 0.30 cores busy" in report.verdicts(found)[0].doubt
    assert "noisy: other processes kept up to 0.30 cores busy (plain, hedgerow)" in printed(found)


def test_others_are_counted_in_cores() -> None:
    assert Others().cores() >= 0.0


def test_every_metric_has_its_own_name() -> None:
    assert len(METRICS) == len({metric.name for metric in METRICS})


def test_a_saved_run_has_ratios_and_budgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "facts", lambda: {"cpu": "a kind of"})
    bench = Bench(Target("direct", 1, 1), (), 3, Pinning(0, 1), ("nonstream",))
    found = values(("plain.cpu", "nginx", 10.0), ("plain.cpu", "hedgerow", 70.0))
    saved = json.loads(report.save(bench, found).read_text())

    assert {"hedgerow": 7.0} == saved["ratio_to_nginx"]["plain.cpu"]
    assert [(7.0, "<= 6x", False)] == [
        (seen["found"], seen["budget"], seen["holds"]) for seen in saved["budgets"]
    ]
