"""What a client is told when every attempt failed."""

from proxy.errors import (
    HedgerowError,
    InvalidRequestError,
    UpstreamCredentialError,
    UpstreamRateLimitError,
)
from proxy.model.document import Json
from proxy.model.outcome import Failure

RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S = 1, 3600
FORBIDDEN = "permission_denied"
"""Our key may not do this; a client that saw 403 would doubt its own."""


def conclude(failures: tuple[Failure, ...], *, denied: bool = False) -> HedgerowError:
    """The last failure, with who failed before it, and the shortest wait that providers named.

    That a dialect cannot say the request is told only where nobody was asked: it is why an endpoint
    could not stand in, not why the others failed. `Retry-After` is set only if every attempt gave a
    hint, clamped to 1..3600 seconds.

    Args:
        denied: there were offers left, but no retry budget.
    """
    asked = [f for f in failures if not isinstance(f.error, InvalidRequestError)]
    last = (asked or failures)[-1]
    error = last.error
    if error.source == "upstream":
        error.metadata.setdefault("provider_name", last.endpoint.provider.name)
        if error.error_type == FORBIDDEN:
            error.status = UpstreamCredentialError.status
    if len(failures) > 1:
        error.metadata["previous_errors"] = [_slim(one) for one in failures if one is not last]
    if denied:
        error.metadata["retry_budget"] = "exhausted"
    hints = [f.retry_after_s for f in failures if f.retry_after_s is not None]
    if len(hints) == len(failures) and error.status in {429, 503}:
        seconds = min(max(round(min(hints)), RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
        error.headers = (("retry-after", str(seconds)),)
    if isinstance(error, UpstreamRateLimitError):
        error.metadata.setdefault("limit_source", "upstream_provider_shared_pool")
    return error


def _slim(failure: Failure) -> dict[str, Json]:
    error = failure.error
    return {
        "provider": failure.endpoint.provider.name,
        "code": error.error_type,
        "status": error.status,
    }
