"""One key of a provider: its heads, its limits, its health; and a lease, its use for one request.

Rule 1: this file never waits, nor reads a clock. Rule 2: the secret is in the heads and nowhere else;
a key is called "provider#1", "#2", … as it stands in the settings.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from typing_extensions import override

from proxy.model.call import Surface
from proxy.model.standing import RestReason
from proxy.net.allowance import Allowance
from proxy.units import Seconds

BUSY_REST_S, BUSY_REST_OWN_MAX_S, BUSY_REST_MAX_S = 1.0, 30.0, 60.0
"""After a 429 without a hint: first rest, doubled each time up to the second; no hint counts for more
than the third."""
REFUSED_REST_S, REFUSED_REST_MAX_S = 10.0, 300.0
"""After a refusal: first rest, doubled each time."""
DOUBLINGS_MAX = 10
LONG_AGO = Seconds(-math.inf)


class KeyReport(msgspec.Struct, frozen=True):
    """What operators see of one key."""

    label: str
    in_progress: int | None
    """Requests let in and not yet over; None: not counted, as with a single key without limits."""
    requests_60s: int | None
    """Sent within the last minute; None: not counted, as neither rpm nor tpm is limited."""
    tokens_60s: int | None
    reason: RestReason | None
    """Why it rests; None: it does not."""
    until: Seconds | None
    """End of the rest."""


@dataclass(slots=True, eq=False)
class Key:
    """One key and how it does."""

    label: str
    heads: Mapping[Surface, bytes] = field(repr=False)
    """Request heads that hold the secret."""
    weight: float
    allowance: Allowance | None
    """None: a single key without limits, of which nothing is counted."""
    credit: float = 0.0
    """How much its turn has come, in weights."""
    rested_at: Seconds = LONG_AGO
    """When the newest rest began."""
    until: Seconds = LONG_AGO
    """When it ends."""
    reason: RestReason | None = None
    """Why; None: the last thing heard was a success."""
    in_a_row: int = 0
    """Rests for this reason without a success between them."""

    def rest(self, reason: RestReason, hint_s: float | None, now: Seconds) -> bool:
        """Leave it alone for a while.

        Returns: whether it is the first rest for this reason since a success. An answer to what was
            sent before the rest began can make it longer by a hint, but is no further sign.
        """
        resting = now < self.until
        if resting and self.reason == "credential":
            return False
        if not resting or self.reason != reason:
            self.in_a_row = self.in_a_row + 1 if self.reason == reason else 1
            self.reason, self.rested_at = reason, now
        elif not hint_s:
            return False
        doubled = 2.0 ** min(self.in_a_row - 1, DOUBLINGS_MAX)
        if reason == "credential":
            rest_s = min(REFUSED_REST_S * doubled, REFUSED_REST_MAX_S)
        else:
            rest_s = min(hint_s or min(BUSY_REST_S * doubled, BUSY_REST_OWN_MAX_S), BUSY_REST_MAX_S)
        self.until = Seconds(max(self.until, now + rest_s))
        return self.in_a_row == 1

    def succeeded(self, sent_at: Seconds) -> bool:
        """What was sent then was served. Returns: whether it had rested before, and is well now.

        What was sent before a rest began proves nothing.
        """
        if self.reason is None or sent_at < self.rested_at:
            return False
        self.reason, self.in_a_row, self.until = None, 0, LONG_AGO
        return True

    def opens_at(self, tokens: int, now: Seconds) -> float:
        """When a request of `tokens` may go with it, if nothing else happens."""
        limits = self.allowance
        return max(now if limits is None else limits.opens_at(tokens, now), self.until)

    def fits(self, tokens: int) -> bool:
        """False: a request of this size is above its limit by itself."""
        return self.allowance is None or self.allowance.fits(tokens)

    def is_hopeless(self, tokens: int, now: Seconds, deadline: Seconds) -> bool:
        """Whether a request need not wait for it until then, whatever else ends by then."""
        opens = self.opens_at(tokens, now)
        return not self.fits(tokens) or self.until > deadline or deadline < opens < math.inf

    def report(self, now: Seconds) -> KeyReport:
        """As of `now`."""
        lately = None if self.allowance is None else self.allowance.lately(now)
        requests, tokens = (None, None) if lately is None else lately
        rests = now < self.until
        return KeyReport(
            self.label,
            None if self.allowance is None else self.allowance.in_progress,
            requests,
            tokens,
            self.reason if rests else None,
            self.until if rests else None,
        )


class Lease:
    """The use of a key for one request; of a single key without limits all requests share one."""

    __slots__ = ("key",)

    counted = False
    """Whether the end of a reply has to be told."""

    def __init__(self, key: Key) -> None:
        self.key = key

    def sent(self, now: Seconds) -> None:
        """The request goes out; the first call counts, until `unsent`."""

    def unsent(self) -> None:
        """It went out over a connection that was dead already: it is to be sent once more."""

    def release(self) -> None:
        """The request is over, however; idempotent."""


class CountedLease(Lease):
    """One that counts against limits."""

    __slots__ = ("_moved", "_over", "_sent_at", "_tokens")

    counted = True

    def __init__(self, key: Key, tokens: int, moved: Callable[[], None]) -> None:
        """Let a request of `tokens` in; `moved` is called when others may have more room."""
        super().__init__(key)
        self._tokens = tokens
        self._moved = moved
        self._sent_at: Seconds | None = None
        self._over = False
        assert key.allowance is not None
        key.allowance.enter(tokens)

    @override
    def sent(self, now: Seconds) -> None:
        if self._sent_at is None:
            self._sent_at = now
            assert self.key.allowance is not None
            self.key.allowance.sent(self._tokens, now)
            self._moved()

    @override
    def unsent(self) -> None:
        if self._sent_at is not None:
            assert self.key.allowance is not None
            self.key.allowance.unsent(self._tokens, self._sent_at)
            self._sent_at = None

    @override
    def release(self) -> None:
        if not self._over:
            self._over = True
            assert self.key.allowance is not None
            self.key.allowance.leave(self._tokens, sent=self._sent_at is not None)
            self._moved()
