"""Who is asked first when a request does not say: a draw that prefers the cheap and the healthy.

Source: OpenRouter, "Provider routing" (until October 2026): among endpoints without trouble in the last
30 s, one is drawn with a weight of price^-2; the others stand by in order of price.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

from proxy.model.endpoint import Endpoint
from proxy.model.standing import Snapshot
from proxy.policy.roster import Roster, running_weights
from proxy.units import Seconds


class Balancer(Protocol):
    """Orders the endpoints of one model where nothing else does."""

    def __call__(
        self, endpoints: Sequence[Endpoint], roster: Roster, snapshot: Snapshot, now: Seconds,
        draw: float,
    ) -> list[Endpoint]:  # fmt: skip
        """All of `endpoints` (cheapest first), the one to ask first in front.

        Args:
            draw: a random number of [0, 1).
        """
        ...


def by_price(
    endpoints: Sequence[Endpoint], roster: Roster, snapshot: Snapshot, now: Seconds, draw: float
) -> list[Endpoint]:
    """Draw by price^-2 among those without trouble; the rest by price, those with trouble last."""
    stable: Sequence[Endpoint] = endpoints
    troubled: list[Endpoint] = []
    if snapshot.troubled:
        stable, troubled = without_trouble(endpoints, snapshot, now)
    if not stable:  # whose trouble is oldest has had most time to get over it
        return sorted(troubled, key=lambda e: snapshot.troubled[e.id])
    if len(stable) == 1:
        return [*stable, *troubled]
    sums = roster.cumulative if stable is roster.usual else running_weights(stable)
    drawn = min(bisect_right(sums, draw * sums[-1]), len(stable) - 1)
    return [stable[drawn], *stable[:drawn], *stable[drawn + 1 :], *troubled]


def without_trouble(
    endpoints: Sequence[Endpoint], snapshot: Snapshot, now: Seconds
) -> tuple[Sequence[Endpoint], list[Endpoint]]:
    """(those without trouble, those with); the very same sequence where nobody has any."""
    until = snapshot.troubled
    troubled = [e for e in endpoints if until.get(e.id, now) > now]
    if not troubled:
        return endpoints, troubled
    return [e for e in endpoints if until.get(e.id, now) <= now], troubled
