"""Sums that only grow, and what of them came within the last minutes.

Rule 1: the hot path adds to `totals` and does nothing else; all else is differences.
Rule 2: integers only, since some of the sums are money.
"""

from array import array
from collections.abc import Iterable

from proxy.units import Seconds

MILLISECONDS = 1000
"""Rows are integers, so their times are, too."""


class Tally:
    """A few sums side by side, over one span of time."""

    __slots__ = ("_gone", "_marked", "_rows", "_span_s", "totals")

    def __init__(self, sums: int, span_s: Seconds) -> None:
        self.totals = [0] * sums
        """Since the start."""
        self._span_s = span_s
        self._gone = [0] * sums
        """What of `totals` is older than the span; below zero by what an earlier run has measured."""
        self._marked = [0] * sums
        """`totals` when the open row began."""
        self._rows = array("q")
        """When it began, in milliseconds, and what came: row after row, each `sums` + 1 long."""

    def recent(self) -> list[int]:
        """Sums of the last `span_s`, the open row included."""
        return [total - gone for total, gone in zip(self.totals, self._gone, strict=True)]

    def close(self, began_at: Seconds, now: Seconds) -> bool:
        """End the row that began at `began_at`; drop those that began `span_s` ago or earlier.

        Returns: whether any was dropped.
        """
        came = self._came()
        if any(came):
            self._rows.extend([int(began_at * MILLISECONDS), *came])
            self._marked = self.totals.copy()
        return self._expire(now)

    def kept(self, began_at: Seconds) -> list[list[int]]:
        """All rows, oldest first, the open one as if it were closed; nothing changes."""
        width, came = len(self.totals) + 1, self._came()
        rows = [list(self._rows[at : at + width]) for at in range(0, len(self._rows), width)]
        return [*rows, [int(began_at * MILLISECONDS), *came]] if any(came) else rows

    def restore(self, kept: Iterable[list[int]], later: Seconds, now: Seconds) -> None:
        """Take in what `kept` gave, of sums that are zero so far; its times are moved by `later`.

        The sums of it do not count as `totals`.

        Raises: ValueError for rows of another width, OverflowError for numbers beyond 64 bits.
        """
        for began_ms, *came in sorted(kept):
            self._gone = [gone - new for gone, new in zip(self._gone, came, strict=True)]
            self._rows.extend([began_ms + round(later * MILLISECONDS), *came])
        self._expire(now)

    def _came(self) -> list[int]:
        return [total - mark for total, mark in zip(self.totals, self._marked, strict=True)]

    def _expire(self, now: Seconds) -> bool:
        width, rows = len(self.totals) + 1, self._rows
        limit, end = (now - self._span_s) * MILLISECONDS, 0
        while end < len(rows) and rows[end] <= limit:
            came = rows[end + 1 : end + width]
            self._gone = [gone + old for gone, old in zip(self._gone, came, strict=True)]
            end += width
        del rows[:end]
        return end > 0
