"""One figure's last five minutes, always at hand, and its last thirty, put together when asked for.

The five minutes are ONE histogram. Every half minute what came is cut off as a slice and kept packed;
a slice that is five minutes old is subtracted again. What has left is gathered into blocks of five
minutes, from which, with the histogram, the thirty minutes are added up.

Rule 1: what is older than its span, counted from the beginning of its slice or block, is gone: five
minutes are 4.5 to 5, thirty are 25 to 30.
Rule 2: a slice is subtracted once, and only after it was added: no count goes below zero.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from proxy.live.counts import (
    FIGURE_MAX,
    FIGURE_MIN,
    MalformedCountsError,
    bytes_of,
    new_histogram,
    number_of,
    pack,
    samples_of,
    unpack,
)
from proxy.units import Seconds

SLICE_S = Seconds(30.0)
RECENT_S = Seconds(300.0)
"""What planning looks at; also the longest block."""
SUB_BUCKET_BITS = 8
"""Of two significant digits: 256 words hold figures to the hundredth."""
HALF_HOUR_S = Seconds(1800.0)
"""What is published."""


class Slice(msgspec.Struct, frozen=True, array_like=True):
    """Observations of one stretch of time; never empty."""

    began_at: Seconds
    samples: int
    packed: bytes
    """By `counts.pack`."""


def merge(slices: Iterable[Slice]) -> Slice:
    """One slice that holds all of them, as old as the first. Raises: ValueError where there is none."""
    parts = list(slices)
    number = sum(unpack(part.packed) for part in parts)
    began_at = min(part.began_at for part in parts)
    return Slice(began_at, sum(part.samples for part in parts), pack(number))


class Window:
    """One figure of one endpoint."""

    __slots__ = (
        "_blocks", "_closed", "_closed_samples", "_counts", "_histogram", "_leaving", "_slices",
        "_words",
    )  # fmt: skip

    def __init__(self) -> None:
        self._histogram = new_histogram()
        self._counts = memoryview(self._histogram.counts).cast("B")
        self._words = self._counts.cast("I")
        self._closed = 0
        """Sum of `_slices`; the histogram has the open slice as well."""
        self._closed_samples = 0
        self._slices: deque[Slice] = deque()
        self._leaving: deque[Slice] = deque()
        """Older than five minutes; the next block."""
        self._blocks: deque[Slice] = deque()

    def record(self, figure: int) -> None:
        """Take in a figure of FIGURE_MIN..FIGURE_MAX.

        The histogram's own `record_value` without what nobody reads (least and greatest figure): 0.3 us
        instead of 1.2. Its index: buckets of 128 words, each figure twice as coarse as in the one before.
        """
        shift = max(figure.bit_length() - SUB_BUCKET_BITS, 0)
        self._words[(shift << (SUB_BUCKET_BITS - 1)) + (figure >> shift)] += 1
        self._histogram.total_count += 1

    @property
    def samples(self) -> int:
        """Observations of the last five minutes."""
        return int(self._histogram.total_count)

    def recent(self) -> int:
        """Counts of the last five minutes, the open slice included."""
        return number_of(self._counts)

    def half_hour(self) -> int:
        """Counts of the last thirty minutes."""
        older = (unpack(part.packed) for pile in (self._blocks, self._leaving) for part in pile)
        return sum(older, self.recent())

    def close(self, began_at: Seconds, now: Seconds) -> bool:
        """End the slice that began at `began_at`, and let go of what is too old.

        Returns: whether the last five minutes have fewer observations than before.
        """
        if self.samples > self._closed_samples:
            number = self.recent()
            came = self.samples - self._closed_samples
            self._slices.append(Slice(began_at, came, pack(number - self._closed)))
            self._closed, self._closed_samples = number, self.samples
        return self._expire(now)

    def _expire(self, now: Seconds) -> bool:
        number, slices, leaving = self._closed, self._slices, self._leaving
        while slices and slices[0].began_at <= now - RECENT_S:
            oldest = slices.popleft()
            number -= unpack(oldest.packed)
            self._closed_samples -= oldest.samples
            if leaving and oldest.began_at >= leaving[0].began_at + RECENT_S:
                self._gather()
            leaving.append(oldest)
        fewer = number != self._closed
        if fewer:
            self._closed = number
            self._counts[:] = bytes_of(number)
            self._histogram.total_count = self._closed_samples
        for pile in (self._blocks, leaving):
            while pile and pile[0].began_at <= now - HALF_HOUR_S:
                pile.popleft()
        return fewer

    def _gather(self) -> None:
        self._blocks.append(merge(self._leaving))
        self._leaving.clear()

    def kept(self, began_at: Seconds) -> list[Slice]:
        """All of it, oldest first, the open slice as if it were closed; nothing changes."""
        parts = [*self._blocks, *self._leaving, *self._slices]
        if self.samples > self._closed_samples:
            came = self.samples - self._closed_samples
            parts.append(Slice(began_at, came, pack(self.recent() - self._closed)))
        return parts

    def restore(self, kept: Iterable[Slice], later: Seconds, now: Seconds) -> None:
        """Take in what `kept` gave, of a window that is empty so far; its times are moved by `later`.

        Raises: MalformedCountsError, OverflowError; the window is of no use then.
        """
        everything = samples = 0
        for part in sorted(kept, key=lambda part: part.began_at):
            number, began_at = unpack(part.packed), Seconds(part.began_at + later)
            everything, samples = everything + number, samples + part.samples
            moved = Slice(began_at, part.samples, part.packed)
            if began_at <= now - RECENT_S:
                self._blocks.append(moved)
            else:
                self._slices.append(moved)
                self._closed += number
                self._closed_samples += moved.samples
        if samples != samples_of(everything):
            raise MalformedCountsError("slices have another number of observations than they say")
        self._counts[:] = bytes_of(self._closed)
        self._histogram.total_count = self._closed_samples
        self._expire(now)


def clamped(figure: float) -> int:
    """The whole number nearest to `figure` that a window takes."""
    if figure < FIGURE_MAX:
        return int(figure + 0.5) if figure > FIGURE_MIN else FIGURE_MIN
    return FIGURE_MAX
