"""Sums of the last minutes."""

import pytest
from hypothesis import given, strategies as st

from proxy.live.tally import Tally
from proxy.units import Seconds

SPAN = Seconds(90.0)


def at(seconds: float) -> Seconds:
    return Seconds(seconds)


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(1, 100)), max_size=40))
def test_recent_is_the_sum_of_rows_that_began_within_the_span(
    steps: list[tuple[int, int]],
) -> None:
    tally, rows, now = Tally(1, SPAN), list[tuple[int, int]](), 0
    for amount, seconds in steps:
        tally.totals[0] += amount
        rows.append((now, amount))
        tally.close(at(now), at(now + seconds))
        now += seconds
        assert [sum(a for began, a in rows if began > now - SPAN)] == tally.recent()
        assert tally.recent()[0] >= 0
    assert [sum(a for _, a in rows)] == tally.totals


def test_the_open_row_counts_at_once() -> None:
    tally = Tally(2, SPAN)
    tally.totals[1] += 5

    assert [0, 5] == tally.recent()


def test_close_says_whether_a_row_was_dropped() -> None:
    tally = Tally(1, SPAN)
    tally.totals[0] += 1

    assert [False, False, True, False] == [
        tally.close(at(began), at(now)) for began, now in ((0, 30), (30, 89), (89, 90), (90, 120))
    ]


@pytest.mark.parametrize(("pause", "expected"), [(0, 12), (30, 11), (60, 8), (90, 0)])
def test_rows_come_back_as_old_as_they_have_become(pause: float, expected: int) -> None:
    tally = Tally(1, SPAN)
    for began, amount in ((0, 1), (30, 3), (60, 8)):
        tally.close(at(began - 30), at(began))
        tally.totals[0] += amount
    kept = tally.kept(at(60))

    again, now = Tally(1, SPAN), 500.0
    again.restore(kept, at(now - pause - 60), at(now))  # it was written at 60

    assert [[0, 1], [30_000, 3], [60_000, 8]] == kept == tally.kept(at(60))
    assert [expected] == again.recent()
    assert [0] == again.totals
    again.totals[0] += 100
    assert [expected + 100] == again.recent()
    again.close(at(now), at(now + 90))
    assert [0] == again.recent()


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Tally(2, SPAN).restore([[0, 1]], at(0), at(0))
