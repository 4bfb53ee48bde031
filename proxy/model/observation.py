"""One attempt that is over, as statistics see it."""

from typing import Literal

import msgspec

from proxy.model.endpoint import Endpoint
from proxy.units import Seconds

Fault = Literal["none", "endpoint", "rate_limit", "credential", "request", "client", "gateway"]
"""Whose fault an end was. "endpoint" counts against reliability; "rate_limit" and "credential" rest
what is to blame; "request" (the provider found it invalid), "client" (it left, or another attempt
won) and "gateway" (we had no connection to give) say nothing of the endpoint."""


class Observation(msgspec.Struct, frozen=True):
    """One attempt: how long, how much, whose fault."""

    endpoint: Endpoint
    at: Seconds
    """When it ended."""
    fault: Fault = "none"
    streamed: bool = False
    ttft_s: float | None = None
    """Request sent -> first content; None: there was none, or the reply was not streamed."""
    censored: bool = False
    """`ttft_s` is a lower bound: the attempt was cancelled while it waited."""
    total_s: float | None = None
    """Request sent -> last byte; None: the reply is not complete."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_cost: int = 0
    """Nano-dollars."""
    completion_cost: int = 0
    retry_after_s: float | None = None
    """The provider's own hint, seconds."""
