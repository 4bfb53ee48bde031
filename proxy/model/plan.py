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
    """Worst case of the dearest offer; what the hold takes."""
    output_tokens_max: int | None = None
    """Output cap that `cost_max` assumes, tokens; None: the endpoint's own."""
