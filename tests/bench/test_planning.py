"""The bench of planning runs, and what it finds is within reason of its goals."""

import pytest

from bench.planning import GOALS_US, KINDS, Cost, main, measure, table

REASON = 4.0
"""Times the goal: other work on the machine makes everything dearer, never cheaper."""


def test_a_plan_costs_no_more_than_its_goal_allows() -> None:
    found = measure(rounds=3, requests=50)

    assert [(kind, count) for count in GOALS_US for kind in KINDS] == [
        (one.kind, one.endpoints) for one in found
    ]
    assert all(0 < one.microseconds < REASON * one.goal_us for one in found)


def test_a_breach_is_called_one() -> None:
    shown = table([Cost("plain", 5, 9.9), Cost("plain", 30, 25.1)])

    assert ["pass", "FAIL"] == list(shown.columns[-1].cells)


def test_the_command_prints_a_row_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    printed = capsys.readouterr().out

    assert all(kind in printed for kind in KINDS)
    assert len(KINDS) * len(GOALS_US) == printed.count("pass") + printed.count("FAIL")
