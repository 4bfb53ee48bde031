"""How often something happened in the last seconds: one bucket a second, the oldest ones forgotten.

Rule 1: a span of n seconds is the current second and the n - 1 before it, so it may be up to a second
short. Rule 2: a clock that stands still, or runs back, forgets nothing.
"""

from proxy.units import Seconds


class Recent:
    """Counts of the last `span_s` whole seconds; memory does not grow with what is counted."""

    __slots__ = ("_buckets", "_newest", "_span_s")

    def __init__(self, span_s: int) -> None:
        self._span_s = span_s
        self._buckets = [0] * span_s
        self._newest = 0
        """Second of the newest bucket."""

    def add(self, now: Seconds) -> None:
        """It happened once more."""
        second = int(now)
        if second > self._newest:
            self._forget(second)
        self._buckets[self._newest % self._span_s] += 1

    def total(self, now: Seconds, last_s: int) -> int:
        """How often in the last `last_s` seconds, at most the whole span."""
        second = int(now)
        if second > self._newest:
            self._forget(second)
        if last_s >= self._span_s:
            return sum(self._buckets)
        newest, buckets = self._newest, self._buckets
        return sum([buckets[(newest - back) % self._span_s] for back in range(last_s)])

    def _forget(self, second: int) -> None:
        """Make `second` the newest bucket, and empty those that time has passed over."""
        span_s, buckets = self._span_s, self._buckets
        for passed in range(max(self._newest + 1, second - span_s + 1), second + 1):
            buckets[passed % span_s] = 0
        self._newest = second
