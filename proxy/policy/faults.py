"""Whose fault a failure is: what counts against an endpoint, and what does not.

Source: OpenRouter's page for providers (2026-08): 5xx, drops, time-outs, 401, 402, 404, 408 count; 400,
413, 422 are the caller's, 429 is a matter of its own. A 403 that is not about what was said
says that our key may not use this very model: that is the endpoint's, lest one model rests a whole provider.
"""

from proxy.errors import (
    HedgerowError,
    UpstreamCredentialError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamRefusedError,
)
from proxy.model.observation import Fault


def fault_of(error: HedgerowError) -> Fault:
    """Blame for one failed attempt."""
    match error:
        case UpstreamRateLimitError():
            return "rate_limit"
        case UpstreamCredentialError():
            return "credential"
        case UpstreamRefusedError():
            return "request"
        case UpstreamError():
            return "endpoint"
        case _:
            return "request" if error.source == "downstream" else "gateway"
