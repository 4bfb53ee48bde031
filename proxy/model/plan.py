"""What will be tried for a call, in order, decided before any byte is sent."""

import msgspec

from proxy.model.endpoint import Endpoint
from proxy.units import NanoDollars, Seconds


class Plan(msgspec.Struct, frozen=True):
    """Offers, best first, and when to start another attempt."""

    offers: tuple[Endpoint, ...]
    """1..ATTEMPTS_MAX endpoints."""
    hedge_after_s: Seconds
    """Silence after which another attempt starts; infinity: never."""
    cost_max: NanoDollars
    """Worst case of the dearest offer or spare; what the hold takes."""
    output_tokens_max: int | None = None
    """Output cap that `cost_max` assumes, tokens; None: the endpoint's own."""
    spares: tuple[Endpoint, ...] = ()
    """Who stands in, in order, for offers that could not even be reached: such attempts count for
    nothing."""
    at_once: int = 1
    """Attempts that start together: a race that the client asked for."""
    hedge_cost_max: NanoDollars | None = None
    """What a second attempt may cost this request's operator at most; None: as the settings say."""
    hedge_skipped: str = ""
    """Why this request is never hedged; empty: it may be."""
    own_delay: bool = False
    """The client chose `hedge_after_s`: who waits beyond it says nothing of the provider."""
