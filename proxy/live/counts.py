"""How often each size of a figure came, as one long number: added, subtracted, packed and read.

A histogram's counts are an array of 32-bit words. Read as one integer, two arrays are added or
subtracted in a microsecond, and no word borrows from its neighbour as long as only that is subtracted
which was added before. All histograms here have one geometry, so one table says what a word stands for.

Rule 1: two significant digits: a figure that is read is off by less than 1 %.
Rule 2: a percentile is the least figure that enough observations do not exceed (nearest rank), never
something between two of them.
Source: HdrHistogram, through its Python port; its own percentiles and sums take 200 us and more.
"""

import sys
import zlib
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate

from hdrh.histogram import HdrHistogram

from proxy.model.standing import Quantiles

FIGURE_MIN, FIGURE_MAX = 1, 1_000_000
"""What is recorded, both included; whoever records clamps."""
DIGITS, WORD_BYTES = 2, 4
SHARES = (50, 75, 90, 99, 95)
"""Percentiles of `Quantiles`, in its order."""
WINDOW_BITS, MEMORY_LEVEL = -12, 4
"""A small window: starting to compress takes 3 us; with the usual 256 KiB of tables, 40."""


def new_histogram() -> HdrHistogram:
    """An empty one; 7 KiB."""
    return HdrHistogram(FIGURE_MIN, FIGURE_MAX, DIGITS, word_size=WORD_BYTES)


def _table() -> tuple[tuple[int, ...], tuple[int, ...]]:
    histogram = new_histogram()
    lowest = [int(histogram.get_value_from_index(n)) for n in range(histogram.counts_len)]
    highest = [int(histogram.get_highest_equivalent_value(value)) for value in lowest]
    return tuple(lowest), tuple(highest)


LOWEST, HIGHEST = _table()
"""Bounds of what a word counts, by its index."""
COUNTS_BYTES = len(LOWEST) * WORD_BYTES


class MalformedCountsError(ValueError):
    """Packed counts that are none of ours."""


def number_of(counts: memoryview) -> int:
    """The counts of a histogram, as bytes, as a number."""
    return int.from_bytes(counts, sys.byteorder)


def bytes_of(number: int) -> bytes:
    """All words of it."""
    return number.to_bytes(COUNTS_BYTES, sys.byteorder)


def samples_of(number: int) -> int:
    """Sum of its words."""
    return sum(_used(number)[1])


def pack(number: int) -> bytes:
    """Keep it small: about a byte for each word that is not zero."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
    data = number.to_bytes((number.bit_length() + 7) // 8, sys.byteorder)
    return squeeze.compress(data) + squeeze.flush()


def unpack(data: bytes) -> int:
    """What `pack` was given.

    Raises: MalformedCountsError; never takes more memory than counts need.
    """
    stretch = zlib.decompressobj(WINDOW_BITS)
    try:
        found = stretch.decompress(data, COUNTS_BYTES + 1)
    except zlib.error as error:
        raise MalformedCountsError(str(error)) from None
    if not stretch.eof or len(found) > COUNTS_BYTES:
        raise MalformedCountsError("counts are cut off or too long")
    return int.from_bytes(found, sys.byteorder)


def rising(number: int, steps: int) -> Quantiles | None:
    """p90 is what 90 % of the figures do not exceed; None: there are none.

    Args:
        steps: how many steps of a recorded figure are one of the result's.
    """
    return _quantiles(number, HIGHEST, steps, lambda share, total: -(-share * total // 100))


def falling(number: int, steps: int) -> Quantiles | None:
    """p90 is what 90 % of the figures reach; None: there are none."""
    return _quantiles(number, LOWEST, steps, lambda share, total: (100 - share) * total // 100 + 1)


def _quantiles(
    number: int, values: tuple[int, ...], steps: int, rank: Callable[[int, int], int]
) -> Quantiles | None:
    if not number:
        return None
    first, used = _used(number)
    sums = list(accumulate(used))
    ranks = (rank(share, sums[-1]) for share in SHARES)
    return Quantiles(*[values[first + bisect_left(sums, place)] / steps for place in ranks])


def _used(number: int) -> tuple[int, memoryview]:
    """The words from the first to the last that is not zero, and the index of the first.

    Most words at both ends are zero; to leave them out takes a quarter of the time.
    """
    words = bytes_of(number)
    first = (len(words) - len(words.lstrip(b"\0"))) // WORD_BYTES
    last = -(-len(words.rstrip(b"\0")) // WORD_BYTES)
    return first, memoryview(words)[first * WORD_BYTES : last * WORD_BYTES].cast("I")
