"""The report's arithmetic: ratios round by round, budgets, when a figure proves little, and the saved file."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import budgets, report
from bench.budgets import BUDGETS, Budget, Values
from bench.lanes import Bench, Step
from bench.machine import Others, Pinning
from bench.metrics import METRICS, PARTS, Reading
from bench.peers.direct import DIRECT
from bench.peers.hedgerow import HEDGEROW
from bench.peers.nginx import NGINX
from bench.peers.roster import PEERS
from bench.progress import Progress
from bench.servers import Target

PINS = Pinning(0, 1)


def values(*readings: tuple[str, str, float]) -> Values:
    return report.collect(Reading(*reading) for reading in readings)


def bench() -> Bench:
    return Bench(Target("direct", 1, 1, DIRECT, 1), (), 3, PINS, ("saturated",), {})


def printed(found: Values) -> str:
    console = Console(record=True, width=160, quiet=False)
    report.show(found, list(PEERS.values()), console)
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
    (verdict,) = budgets.verdicts(found)

    assert [4.0, 5.0] == budgets.ratios(found["plain.cpu"], "hedgerow")
    assert "4.50 (4.00-5.00)" in printed(found)
    assert "pass plain.cpu" in printed(found)
    assert (4.5, (4.0, 5.0), True) == (verdict.found, verdict.spread, verdict.holds)


def test_a_budget_is_kept_up_to_its_limit() -> None:
    at_most, at_least = Budget("a", 6.0, "nginx"), Budget("a", 0.75, "litellm", at_least=True)

    assert [True, True, False] == [at_most.holds(found) for found in (5.9, 6.0, 6.1)]
    assert [False, True, True] == [at_least.holds(found) for found in (0.7, 0.75, 0.8)]
    assert ["<= 6x nginx", ">= 0.75x litellm", "<= 2000"] == [
        budget.text for budget in (at_most, at_least, Budget("a", 2000.0))
    ]


def test_a_metric_may_have_several_budgets() -> None:
    found = values(
        ("plain.cpu", "nginx", 10.0),
        ("plain.cpu", "tensorzero", 50.0),
        ("plain.cpu", "hedgerow", 40.0),
    )

    assert [("nginx", 4.0, True), ("tensorzero", 0.8, False)] == [
        (seen.against, seen.found, seen.holds) for seen in budgets.verdicts(found)
    ]


def test_a_broken_budget_is_said_and_an_unmeasured_one_is_not() -> None:
    found = values(("coldstart.first", "nginx", 5.0), ("coldstart.first", "hedgerow", 1200.0))

    assert [("coldstart.first", 1200.0, False)] == [
        (seen.metric, seen.found, seen.holds) for seen in budgets.verdicts(found)
    ]
    assert "FAIL coldstart.first" in printed(found)
    assert [] == list(budgets.verdicts(values(("plain.cpu", "hedgerow", 40.0))))


def test_a_rate_that_nginx_did_not_limit_is_in_doubt() -> None:
    rates = (("chunks.rate", "nginx", 100.0), ("chunks.rate", "hedgerow", 99.0))
    (idle,) = budgets.verdicts(values(*rates, ("chunks.busy", "nginx", 0.5)))
    (busy,) = budgets.verdicts(values(*rates, ("chunks.busy", "nginx", 0.99)))

    assert "nginx used 50% of its core" in idle.doubt
    assert not busy.doubt


def test_a_late_client_and_connections_that_were_kept_are_doubts() -> None:
    (late,) = budgets.verdicts(
        values(("half.plain.added_p50", "hedgerow", 90.0), ("half.plain.late", "hedgerow", 100.0))
    )
    (kept,) = budgets.verdicts(
        values(("leaving.p99", "hedgerow", 1.0), ("leaving.kept", "hedgerow", 0.25))
    )

    assert "the client was up to 100 us late" == late.doubt
    assert "25% of the connections were not closed at all" == kept.doubt


def test_noise_is_named() -> None:
    found = values(
        ("plain.cpu", "nginx", 10.0),
        ("plain.cpu", "hedgerow", 40.0),
        ("plain.others", "hedgerow", 0.3),
    )

    assert "others kept 0.30 cores busy" in next(budgets.verdicts(found)).doubt
    assert "noisy: other processes kept up to 0.30 cores busy (plain, hedgerow)" in printed(found)


def test_others_are_counted_in_cores() -> None:
    assert Others().cores() >= 0.0


def test_every_metric_has_its_own_name_and_every_budget_and_part_its_metric() -> None:
    names = {metric.name for metric in METRICS}

    assert len(METRICS) == len(names)
    assert names >= {budget.metric for budget in BUDGETS}
    assert set(PARTS) == {metric.part for metric in METRICS}


def test_a_table_of_all_targets_fits_160_columns() -> None:
    every = [(m.name, name, 123_456.7) for m in METRICS for name in PEERS for _ in range(3)]
    lines = printed(values(*every)).splitlines()

    assert all(len(line) <= 160 for line in lines if line and line[0] in "┃│")
    assert not any("…" in line for line in lines)
    assert all(peer.title in "\n".join(lines) for peer in PEERS.values())


def test_a_saved_run_has_all_that_a_page_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    made = bench()
    made.note(made.mock, "special")
    made.note(made.mock, "special")
    made.ladders["direct"] += [[Step(1, 10.0, 5.0, 9.0)], [Step(1, 20.0, 7.0, 9.0)]]
    found = values(("plain.cpu", "nginx", 10.0), ("plain.cpu", "hedgerow", 70.0))
    run = report.Run(made, 2, 61.4, [DIRECT, NGINX, HEDGEROW], {"nginx": "gone"}, {"hedgerow": "1"})
    saved = json.loads(report.save(run, found).read_text())

    assert {"nginx": [10.0], "hedgerow": [70.0]} == saved["values"]["plain.cpu"]
    assert [(7.0, "nginx", 6.0, [7.0, 7.0], False)] == [
        (b["found"], b["against"], b["limit"], b["spread"], b["holds"]) for b in saved["budgets"]
    ]
    assert [("direct", None), ("nginx", "gone"), ("hedgerow", None)] == [
        (target["name"], target["missing"]) for target in saved["targets"]
    ]
    assert "1" == saved["targets"][2]["version"]
    assert {"direct": ["special"]} == saved["notes"]
    assert [{"connections": 1, "rate": 15.0, "p50_us": 6.0, "p99_us": 9.0}] == saved["curves"][
        "ladder"
    ]["direct"]
    assert ("saturated", "lower", "CPU per request") == tuple(
        saved["metrics"]["plain.cpu"][key] for key in ("part", "better", "title")
    )
    assert {"proxy": 0, "load": 1} == saved["pinned"]
    assert (3, 2, 61) == (saved["seconds"], saved["rounds"], saved["took_s"])


def test_progress_in_a_pipe_is_a_line_per_lane_with_the_time_left() -> None:
    console = Console(record=True, width=80, force_terminal=False)
    progress = Progress(console, planned_s=600.0)
    with progress.shown():
        progress.lane("round 1 of 2: saturated, plain")
        progress.target("nginx")
        progress.done(590.0)
        progress.lane("round 2 of 2: saturated, plain")

    assert [
        "round 1 of 2: saturated, plain, about 10 min left",
        "round 2 of 2: saturated, plain, about 0 s left",
    ] == console.export_text().splitlines()
