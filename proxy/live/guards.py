"""Reasons not to hedge just now, besides money: no tokens, a provider that fails hedges, slowness everywhere.

Rule 1: each is constant in time and memory. Rule 2: none decides alone; `live.hedges` asks them all.
"""

from proxy.units import Seconds

ROUNDING = 1e-9
"""Twenty times 0.05 is one token, not 0.9999999999999999."""
TOKENS_MAX = 10.0
"""Of a provider."""
FAILURE_TOKENS = 1.0
SUCCESS_TOKENS = 0.1
PRIMARIES = 200
"""Requests that lateness looks back on."""


class Bucket:
    """Tokens for hedges: a share of the requests, but at least some per second; so many are saved up.

    The minimum is for little traffic and comes on top of nothing: at 20 requests a second and a share of
    0.05, one token a second is what the share earns anyway.
    """

    def __init__(self, share: float, per_s: float, burst: int) -> None:
        self._share = share
        self._per_s = per_s
        self._burst = burst
        self._tokens: float = burst
        self._earned = 0.0
        """By requests, since `_since`."""
        self._since: Seconds | None = None
        """Up to when the minimum was granted; None: nothing has happened yet."""

    def request(self) -> None:
        """A request begins."""
        self._earned += self._share
        self._tokens = min(self._tokens + self._share, self._burst)

    def left(self, now: Seconds) -> float:
        """Tokens there are now."""
        since = now if self._since is None else self._since
        due = self._per_s * (now - since)
        if due > self._earned:
            self._tokens = min(self._tokens + due - self._earned, self._burst)
        if now > since or self._since is None:
            self._since, self._earned = now, 0.0
        return self._tokens

    def has_token(self, now: Seconds) -> bool:
        """Whether a hedge may start now."""
        return self.left(now) >= 1 - ROUNDING

    def take(self) -> None:
        """One starts."""
        self._tokens -= 1


class Throttle:
    """Whether hedges at a provider do more than add to its troubles.

    Source: gRPC gRFC A6, retry throttling: ten tokens, one less for a failure, a tenth more for a success,
    none are sent at half of them or fewer. Any success counts, or nothing would ever end it.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}
        """By provider id, of those that do not have all; no more than there are providers."""

    def failed(self, provider: str) -> None:
        """A hedge there failed."""
        left = self._tokens.get(provider, TOKENS_MAX) - FAILURE_TOKENS
        self._tokens[provider] = max(left, 0.0)

    def succeeded(self, provider: str) -> None:
        """Any attempt there was answered in full."""
        left = self._tokens.get(provider)
        if left is None:
            return
        if left + SUCCESS_TOKENS >= TOKENS_MAX - ROUNDING:
            del self._tokens[provider]
        else:
            self._tokens[provider] = left + SUCCESS_TOKENS

    def stops(self, provider: str) -> bool:
        """Whether nothing is hedged there."""
        return self._tokens.get(provider, TOKENS_MAX) <= TOKENS_MAX / 2 + ROUNDING


class Lateness:
    """How many of the last 200 primaries waited beyond their delay; those not seen yet were in time."""

    def __init__(self) -> None:
        self._late = bytearray(PRIMARIES)
        self._next = 0
        self._count = 0

    def note(self, *, late: bool) -> None:
        """One more."""
        place = self._next
        self._count += late - self._late[place]
        self._late[place] = late
        self._next = (place + 1) % PRIMARIES

    @property
    def share(self) -> float:
        """0..1."""
        return self._count / PRIMARIES
