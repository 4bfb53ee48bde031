"""Money of the last 24 hours, in buckets of an hour: what was spent, and what second attempts added.

Rule 1: the hour that runs and the 23 before it, so up to an hour less than a day. Rule 2: a clock that
stands still, or runs back, forgets nothing.
"""

from proxy.units import NanoDollars, Seconds

HOUR_S = 3_600
HOURS = 24


class Spending:
    """Sums of money; memory does not grow with what is added."""

    __slots__ = ("_buckets", "_newest", "_total")

    def __init__(self) -> None:
        self._buckets = [0] * HOURS
        self._newest = 0
        """Hour of the newest bucket."""
        self._total = 0

    def add(self, amount: NanoDollars, now: Seconds) -> None:
        """Add to this hour; below zero where an estimate was too high."""
        hour = int(now) // HOUR_S
        if hour > self._newest:
            self._forget(hour)
        self._buckets[self._newest % HOURS] += amount
        self._total += amount

    def total(self, now: Seconds) -> NanoDollars:
        """Sum of the last 24 hours; never below zero."""
        hour = int(now) // HOUR_S
        if hour > self._newest:
            self._forget(hour)
        return NanoDollars(max(self._total, 0))

    def _forget(self, hour: int) -> None:
        """Make `hour` the newest bucket, and empty those that time has passed over."""
        for passed in range(max(self._newest + 1, hour - HOURS + 1), hour + 1):
            self._total -= self._buckets[passed % HOURS]
            self._buckets[passed % HOURS] = 0
        self._newest = hour
