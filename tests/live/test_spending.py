"""Money of the last 24 hours."""

from hypothesis import given, strategies as st

from proxy.live.spending import HOUR_S, Spending
from proxy.units import NanoDollars, Seconds


def hour(number: float) -> Seconds:
    return Seconds(number * HOUR_S)


def spent(*parts: tuple[int, float]) -> Spending:
    spending = Spending()
    for amount, at in parts:
        spending.add(NanoDollars(amount), hour(at))
    return spending


def test_money_counts_for_24_hours() -> None:
    spending = spent((5, 0.9), (7, 1.0))

    assert 12 == spending.total(hour(23.9))
    assert 7 == spending.total(hour(24.0))
    assert 0 == spending.total(hour(25.0))


def test_a_bucket_is_empty_when_its_turn_comes_again() -> None:
    spending = spent((5, 3.0), (7, 27.5))

    assert 7 == spending.total(hour(27.5))
    assert 1 == spent((5, 3.0), (1, 1_000.0)).total(hour(1_000.0))


def test_a_clock_that_runs_back_forgets_nothing() -> None:
    assert 6 == spent((5, 9.0), (1, 2.0)).total(hour(1.0))


def test_what_was_estimated_too_high_is_taken_back_but_never_below_zero() -> None:
    assert 2 == spent((5, 0.0), (-3, 1.0)).total(hour(1.0))
    assert 0 == spent((5, 0.0), (-3, 1.0)).total(hour(24.0))


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 40)), max_size=50))
def test_every_amount_counts_within_24_hours_and_for_23_at_least(
    parts: list[tuple[int, float]],
) -> None:
    spending, added, at = Spending(), list[tuple[int, float]](), 0.0
    for amount, later in parts:
        at += later
        spending.add(NanoDollars(amount), hour(at))
        added.append((amount, at))
    total = spending.total(hour(at))

    assert sum(a for a, t in added if t > at - 23) <= total
    assert total <= sum(a for a, t in added if t > at - 24)
