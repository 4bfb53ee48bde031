"""One figure's sliding window, beside a list of everything."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st

from proxy.live import counts
from proxy.live.counts import MalformedCountsError, pack, rising, samples_of
from proxy.live.window import SLICE_S, Slice, Window, clamped, merge
from proxy.units import Seconds


@dataclass
class Watch:
    """A window that is closed on time, and a list of everything with the beginning of its slice."""

    window: Window = field(default_factory=Window)
    now: float = 0.0
    opened_at: float = 0.0
    closed_at: float = 0.0
    seen: list[tuple[float, int]] = field(default_factory=list)

    def record(self, figure: int) -> None:
        self.window.record(figure)
        self.seen.append((self.opened_at, figure))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.opened_at + SLICE_S <= end:
            self.close(self.opened_at + SLICE_S)
        self.now = end

    def close(self, now: float) -> None:
        self.now = self.closed_at = now
        self.window.close(Seconds(self.opened_at), Seconds(now))
        self.opened_at = now

    def expected(self, span_s: float) -> list[int]:
        return sorted(f for began_at, f in self.seen if began_at > self.closed_at - span_s)


def check(watch: Watch) -> None:
    recent, number = watch.expected(300), watch.window.recent()
    assert len(recent) == watch.window.samples == samples_of(number)
    found = rising(number, 1)
    if found is None:
        assert not recent
        return
    for share, shown in ((50, found.p50), (75, found.p75), (90, found.p90), (99, found.p99)):
        exact = recent[math.ceil(share * len(recent) / 100) - 1]
        assert exact <= shown <= exact * 1.01


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 600_000)),
        st.tuples(st.just("advance"), st.integers(1, 400)),
    ),
    max_size=120,
)


@given(ACTIONS)
@settings(deadline=None)
def test_five_minutes_are_those_of_a_list(actions: list[tuple[str, int]]) -> None:
    watch = Watch()
    for action, value in actions:
        watch.record(value) if action == "record" else watch.advance(value)
        check(watch)


@given(ACTIONS)
@settings(deadline=None)
def test_thirty_minutes_hold_all_of_twenty_five_and_nothing_older(
    actions: list[tuple[str, int]],
) -> None:
    watch = Watch()
    for action, value in actions:
        watch.record(value) if action == "record" else watch.advance(value)
        found = samples_of(watch.window.half_hour())
        assert len(watch.expected(1500)) <= found <= len(watch.expected(1800))


def test_after_five_minutes_nothing_is_left_of_them_and_after_thirty_of_those() -> None:
    watch = Watch()
    watch.record(100)

    left = []
    for seconds in (299, 1, 1499, 1):
        watch.advance(seconds)
        left.append((watch.window.samples, samples_of(watch.window.half_hour())))

    assert [(1, 1), (0, 1), (0, 1), (0, 0)] == left


def test_close_says_whether_observations_have_left() -> None:
    window = Window()
    window.record(5)

    assert [False, False, True, False] == [
        window.close(Seconds(began), Seconds(now))
        for began, now in ((0, 30), (30, 299), (299, 300), (300, 330))
    ]


def test_a_slice_that_ends_late_counts_from_its_beginning() -> None:
    watch = Watch()
    watch.record(7)
    watch.close(1000)

    assert 0 == watch.window.samples
    assert 1 == samples_of(watch.window.half_hour())


def test_steady_traffic_keeps_a_bounded_number_of_parts() -> None:
    watch = Watch()
    for _ in range(300):
        watch.record(100)
        watch.record(200)
        watch.advance(30)

    assert len(watch.window.kept(Seconds(watch.opened_at))) <= 10 + 10 + 6
    assert 118 >= samples_of(watch.window.half_hour()) >= 100


def test_a_merged_slice_is_as_old_as_its_first() -> None:
    watch = Watch()
    watch.record(100)
    watch.advance(30)
    watch.record(200)

    both = merge(watch.window.kept(Seconds(30)))

    assert (0, 2) == (both.began_at, both.samples)


@pytest.mark.parametrize(
    ("pause", "recent", "half_hour"),
    [(0, 3, 4), (100, 3, 4), (250, 1, 4), (300, 0, 4), (1500, 0, 3), (1800, 0, 0)],
)
def test_a_window_comes_back_as_old_as_it_has_become(
    pause: float, recent: int, half_hour: int
) -> None:
    watch = Watch()
    watch.record(50)
    watch.advance(400)
    watch.record(100)
    watch.record(200)
    watch.advance(100)
    watch.record(300)
    kept, later = watch.window.kept(Seconds(watch.opened_at)), Seconds(-500.0)

    again = Watch(now=pause, opened_at=pause)
    again.window.restore(kept, later, Seconds(pause))

    assert (recent, half_hour) == (
        again.window.samples,
        samples_of(again.window.half_hour()),
    )
    if not pause:
        assert watch.window.recent() == again.window.recent()
        again.advance(300)
        assert 0 == again.window.samples == again.window.recent()


def test_keeping_changes_nothing() -> None:
    watch = Watch()
    watch.record(50)
    first = watch.window.kept(Seconds(0))

    assert first == watch.window.kept(Seconds(0))
    watch.advance(30)
    assert first == watch.window.kept(Seconds(30))


@pytest.mark.parametrize(
    "damaged",
    [Slice(Seconds(0), 1, b"?"), Slice(Seconds(0), 2, pack(1)), Slice(Seconds(0), 0, pack(1))],
)
def test_a_damaged_slice_is_refused(damaged: Slice) -> None:
    with pytest.raises(MalformedCountsError):
        Window().restore([damaged], Seconds(0), Seconds(0))


@pytest.mark.parametrize(
    ("figure", "expected"),
    [(-1.0, 1), (0.0, 1), (1.4, 1), (1.6, 2), (999_999.9, 1_000_000), (1e12, 1_000_000),
     (math.inf, 1_000_000)],
)  # fmt: skip
def test_a_figure_is_clamped_to_what_is_recorded(figure: float, expected: int) -> None:
    assert expected == clamped(figure)


@given(st.lists(st.integers(counts.FIGURE_MIN, counts.FIGURE_MAX), max_size=50))
def test_figures_are_counted_where_the_histogram_would_count_them(figures: list[int]) -> None:
    window, histogram = Window(), counts.new_histogram()
    for figure in figures:
        window.record(figure)
        histogram.record_value(figure)

    assert bytes(histogram.counts) == counts.bytes_of(window.recent())
    assert len(figures) == window.samples
