"""In how many of the last minutes an endpoint was up: one byte per minute, for a day.

Rule 1: a minute counts where at least ten attempts ended in it, and is up where 80 % of them went
well. Rule 2: what says nothing of the endpoint (rate limits, callers, ourselves) is not an attempt.
Source: the public OpenRouter documentation, definition of uptime.
"""

import math

from proxy.units import Seconds

MINUTE_S = 60
MINUTES = 1440
"""A day."""
ATTEMPTS_MIN = 10
UP_PERCENT_MIN = 80
UNKNOWN, DOWN, UP = 0, 1, 2
"""What a byte says of its minute."""


class Uptime:
    """One endpoint's last day."""

    __slots__ = ("_minute", "_minutes", "bad", "ends_at", "good")

    def __init__(self, now: Seconds, minutes: bytes = bytes(MINUTES)) -> None:
        """Begin at `now`; `minutes` is what `kept` gave."""
        self.good = 0
        """Attempts that went well in the current minute; the hot path adds to it."""
        self.bad = 0
        """Attempts that failed in it."""
        self._minutes = bytearray(minutes[1:])
        """The minutes before the current one; the newest is last."""
        self._minute = math.floor(now / MINUTE_S)
        self.ends_at = (self._minute + 1) * MINUTE_S
        """Seconds; from then on `turn` is due before anything is added."""

    def turn(self, now: Seconds) -> None:
        """Begin the minute that `now` is in, if it is a later one."""
        passed = math.floor(now / MINUTE_S) - self._minute
        if passed <= 0:
            return
        self._minutes += bytes((self._verdict(),)) + bytes(min(passed, MINUTES) - 1)
        del self._minutes[: 1 - MINUTES]
        self.good = self.bad = 0
        self._minute += passed
        self.ends_at = (self._minute + 1) * MINUTE_S

    def percent(self, minutes: int, now: Seconds) -> float | None:
        """Share of minutes that were up among the last `minutes` (1..MINUTES) that count.

        The current one is the last of them. None: none counts.
        """
        self.turn(now)
        span = self.kept()[-minutes:]
        up, down = span.count(UP), span.count(DOWN)
        return 100 * up / (up + down) if up + down else None

    def kept(self) -> bytes:
        """One byte per minute, the current one last, as if it were over."""
        return bytes(self._minutes) + bytes((self._verdict(),))

    def _verdict(self) -> int:
        attempts = self.good + self.bad
        if attempts < ATTEMPTS_MIN:
            return UNKNOWN
        return UP if self.good * 100 >= attempts * UP_PERCENT_MIN else DOWN
