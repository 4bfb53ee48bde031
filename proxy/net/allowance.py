"""What one key was used for within the last minute, and when its limits allow more.

A request that was let in but not sent yet counts as well: it may be sent at any moment.

Rule 1: this file never waits, nor reads a clock; `now` never goes back.
Rule 2: only what has a limit is logged, so a log is never longer than its limit.
"""

import math
from collections import deque

from proxy.units import Seconds

WINDOW_S = 60.05
"""A minute, and 50 ms by which two requests may come closer to each other on their way."""


class Allowance:
    """The limits of one key and what is left of them."""

    __slots__ = (
        "_concurrency_max", "_logged", "_pending", "_pending_tokens", "_requests_max", "_sent",
        "_tokens", "_tokens_max", "in_progress",
    )  # fmt: skip

    def __init__(self, rpm: int | None, tpm: int | None, max_concurrency: int | None) -> None:
        self._requests_max = math.inf if rpm is None else rpm
        self._tokens_max = math.inf if tpm is None else tpm
        self._concurrency_max = math.inf if max_concurrency is None else max_concurrency
        self._logged = not (rpm is None and tpm is None)
        self._sent: deque[tuple[Seconds, int]] = deque()
        """(when, tokens) of what was sent within the last minute, the oldest first."""
        self._tokens = 0
        """Of `_sent`."""
        self._pending = 0
        self._pending_tokens = 0
        self.in_progress = 0
        """Let in and not yet over."""

    def fits(self, tokens: int) -> bool:
        """False: a request of this size is above the limit by itself."""
        return tokens <= self._tokens_max

    def enter(self, tokens: int) -> None:
        """A request is let in; `opens_at` has said that it may."""
        self.in_progress += 1
        self._pending += 1
        self._pending_tokens += tokens

    def sent(self, tokens: int, now: Seconds) -> None:
        """It goes out; it counts from now on."""
        self._pending -= 1
        self._pending_tokens -= tokens
        if self._logged:
            self._sent.append((now, tokens))
            self._tokens += tokens

    def unsent(self, tokens: int, sent_at: Seconds) -> None:
        """It has not reached the provider and is to be sent once more."""
        self._pending += 1
        self._pending_tokens += tokens
        if (sent_at, tokens) in self._sent:
            self._sent.remove((sent_at, tokens))
            self._tokens -= tokens

    def leave(self, tokens: int, *, sent: bool) -> None:
        """It is over; what was never sent counts no more."""
        self.in_progress -= 1
        if not sent:
            self._pending -= 1
            self._pending_tokens -= tokens

    def opens_at(self, tokens: int, now: Seconds) -> float:
        """When a request of this size may go, if nothing else happens: `now`, later, or infinity.

        Infinity: it waits for the end of another request, or does not fit at all.
        """
        if self.in_progress >= self._concurrency_max:
            return math.inf
        self._forget(now)
        return max(now, self._requests_open_at(), self._tokens_open_at(tokens))

    def lately(self, now: Seconds) -> tuple[int, int] | None:
        """(requests, tokens) sent within the last minute; None: not counted, as nothing limits them."""
        if not self._logged:
            return None
        self._forget(now)
        return len(self._sent), self._tokens

    def _forget(self, now: Seconds) -> None:
        sent = self._sent
        while sent and sent[0][0] + WINDOW_S <= now:
            self._tokens -= sent.popleft()[1]

    def _requests_open_at(self) -> float:
        if len(self._sent) + self._pending < self._requests_max:
            return -math.inf
        return self._sent[0][0] + WINDOW_S if self._sent else math.inf

    def _tokens_open_at(self, tokens: int) -> float:
        excess = self._tokens + self._pending_tokens + tokens - self._tokens_max
        if excess <= 0:
            return -math.inf
        for at, spent in self._sent:
            excess -= spent
            if excess <= 0:
                return at + WINDOW_S
        return math.inf
