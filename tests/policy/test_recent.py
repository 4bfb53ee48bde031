"""Counts of the last seconds: what is older than the span is forgotten, whatever the clock does."""

from hypothesis import given, strategies as st

from proxy.policy.recent import Recent
from proxy.units import Seconds


def counted(*at: float, span_s: int = 10) -> Recent:
    recent = Recent(span_s)
    for now in at:
        recent.add(Seconds(now))
    return recent


def test_what_happened_within_the_span_is_counted() -> None:
    recent = counted(100.0, 100.9, 105.0, 109.9)

    assert 4 == recent.total(Seconds(109.9), 10)
    assert 2 == recent.total(Seconds(110.0), 10)
    assert 1 == recent.total(Seconds(118.0), 10)
    assert 0 == recent.total(Seconds(120.0), 10)


def test_a_shorter_span_is_the_current_second_and_those_before_it() -> None:
    recent = counted(100.0, 105.0, 107.5, 108.2)

    assert 1 == recent.total(Seconds(108.9), 1)
    assert 2 == recent.total(Seconds(108.9), 2)
    assert 3 == recent.total(Seconds(108.9), 4)
    assert 4 == recent.total(Seconds(108.9), 99)


def test_a_long_silence_forgets_everything() -> None:
    recent = counted(1.0, 2.0, 1e9)

    assert 1 == recent.total(Seconds(1e9), 10)


def test_a_clock_that_runs_back_counts_for_the_newest_second() -> None:
    recent = counted(100.0, 97.0)

    assert 2 == recent.total(Seconds(97.0), 1)
    assert 2 == recent.total(Seconds(100.0), 1)


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 12), st.integers(1, 12))
def test_it_counts_as_a_list_of_all_times_would(
    times: list[float], span_s: int, last_s: int
) -> None:
    times = sorted(times)
    recent = counted(*times, span_s=span_s)
    now = times[-1] if times else 0.0
    first = int(now) - min(last_s, span_s) + 1

    assert sum(first <= int(at) for at in times) == recent.total(Seconds(now), last_s)
