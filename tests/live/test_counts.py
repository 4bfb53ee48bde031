"""Counts as long numbers, beside plain lists."""

import math
import zlib

import pytest
from hypothesis import given, strategies as st

from proxy.live.counts import (
    COUNTS_BYTES,
    FIGURE_MAX,
    FIGURE_MIN,
    HIGHEST,
    LOWEST,
    SHARES,
    WINDOW_BITS,
    MalformedCountsError,
    bytes_of,
    falling,
    new_histogram,
    number_of,
    pack,
    rising,
    samples_of,
    unpack,
)

FIGURES = st.integers(FIGURE_MIN, FIGURE_MAX)


def counted(figures: list[int]) -> int:
    histogram = new_histogram()
    for figure in figures:
        assert histogram.record_value(figure)
    return number_of(memoryview(histogram.counts).cast("B"))


@given(st.lists(FIGURES, min_size=1))
def test_a_percentile_is_the_least_figure_that_enough_do_not_exceed(figures: list[int]) -> None:
    found = rising(counted(figures), 1)

    assert found is not None
    for share, shown in zip(
        SHARES, (found.p50, found.p75, found.p90, found.p99, found.p95), strict=True
    ):
        exact = sorted(figures)[math.ceil(share * len(figures) / 100) - 1]
        assert exact <= shown <= exact * 1.01


@given(st.lists(FIGURES, min_size=1))
def test_of_a_throughput_it_is_the_greatest_figure_that_enough_reach(figures: list[int]) -> None:
    found = falling(counted(figures), 1)

    assert found is not None
    for share, shown in zip(
        SHARES, (found.p50, found.p75, found.p90, found.p99, found.p95), strict=True
    ):
        exact = max(
            f for f in figures if sum(g >= f for g in figures) * 100 >= share * len(figures)
        )
        assert exact * 0.99 <= shown <= exact


def test_a_percentile_is_told_in_units_of_so_many_steps() -> None:
    found = rising(counted([100]), 1000)

    assert found is not None
    assert pytest.approx(0.1, rel=0.01) == found.p99


def test_of_nothing_there_are_no_percentiles() -> None:
    assert rising(0, 1) is None
    assert falling(0, 1) is None


def test_the_table_covers_every_figure_without_a_gap() -> None:
    assert LOWEST[0] <= FIGURE_MIN
    assert HIGHEST[-1] >= FIGURE_MAX
    assert [high + 1 for high in HIGHEST[:-1]] == list(LOWEST[1:])


@given(st.lists(FIGURES), st.lists(FIGURES))
def test_what_was_added_is_subtracted_again_without_borrowing(a: list[int], b: list[int]) -> None:
    assert counted(a) == counted(a + b) - counted(b)


@given(st.lists(FIGURES))
def test_packed_counts_come_back_and_know_their_number(figures: list[int]) -> None:
    number = counted(figures)

    assert number == unpack(pack(number))
    assert len(figures) == samples_of(number)
    assert COUNTS_BYTES == len(bytes_of(number))
    assert number == number_of(memoryview(bytes_of(number)))


def squeezed(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, WINDOW_BITS)
    return squeeze.compress(data) + squeeze.flush()


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xff", pack(counted([5, 500]))[:-1], squeezed(bytes(COUNTS_BYTES + 1)),
     squeezed(bytes(10_000_000))],
)  # fmt: skip
def test_what_is_no_packed_counts_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedCountsError):
        unpack(data)


def test_a_slice_with_little_traffic_takes_a_hundred_bytes() -> None:
    packed = pack(counted([300 + 40 * n for n in range(30)]))

    assert len(packed) < 150
