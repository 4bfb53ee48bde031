"""Minutes that were up."""

import pytest
from hypothesis import given, strategies as st

from proxy.live.uptime import MINUTES, Uptime
from proxy.units import Seconds


def minute(uptime: Uptime, number: int, good: int, bad: int) -> None:
    now = Seconds(number * 60.0 + 1)
    if now >= uptime.ends_at:
        uptime.turn(now)
    uptime.good += good
    uptime.bad += bad


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [(8, 2, 100), (7, 3, 0), (9, 0, None), (0, 9, None), (0, 10, 0), (10, 0, 100), (79, 21, 0),
     (80, 20, 100), (0, 0, None)],
)  # fmt: skip
def test_a_minute_counts_from_ten_attempts_and_is_up_from_eighty_percent(
    good: int, bad: int, expected: float | None
) -> None:
    uptime = Uptime(Seconds(0))
    minute(uptime, 0, good, bad)

    assert expected == uptime.percent(5, Seconds(30))
    assert expected == uptime.percent(5, Seconds(90))


def test_a_span_is_the_current_minute_and_those_before_it() -> None:
    uptime = Uptime(Seconds(0))
    minute(uptime, 0, 0, 20)
    for number in range(1, 5):
        minute(uptime, number, 20, 0)

    assert [100, 80, 80] == [uptime.percent(n, Seconds(270)) for n in (4, 5, 1440)]
    assert [100, 100, 80] == [uptime.percent(n, Seconds(330)) for n in (4, 5, 6)]
    assert [None, 80] == [uptime.percent(n, Seconds(600)) for n in (5, 30)]


@given(
    st.lists(st.tuples(st.integers(1, 700), st.booleans(), st.integers(9, 10)), max_size=30),
    st.integers(1, MINUTES),
)
def test_it_is_what_a_list_of_minutes_says(steps: list[tuple[int, bool, int]], span: int) -> None:
    uptime, number, verdicts = Uptime(Seconds(0)), 0, dict[int, bool]()
    for passed, good, attempts in steps:
        number += passed
        minute(uptime, number, attempts if good else 0, 0 if good else attempts)
        if attempts == 10:
            verdicts[number] = good
    counted = [good for at, good in verdicts.items() if at > number - span]

    expected = 100 * sum(counted) / len(counted) if counted else None
    assert expected == uptime.percent(span, Seconds(number * 60 + 59))
    assert MINUTES == len(uptime.kept())


def test_a_clock_that_stands_still_turns_nothing() -> None:
    uptime = Uptime(Seconds(90))
    uptime.good = 10

    uptime.turn(Seconds(90))
    uptime.turn(Seconds(10))

    assert (10, 120) == (uptime.good, uptime.ends_at)


@pytest.mark.parametrize(("hours", "expected"), [(0, 50.0), (12, 50.0), (25, None)])
def test_a_day_comes_back_as_old_as_it_has_become(hours: int, expected: float | None) -> None:
    uptime = Uptime(Seconds(0))
    minute(uptime, 0, 10, 0)
    minute(uptime, 1, 0, 10)

    again = Uptime(Seconds(1000 - hours * 3600), uptime.kept())

    assert expected == again.percent(MINUTES, Seconds(1000))
