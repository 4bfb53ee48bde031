"""Everything that can go wrong with a request, as one tree.

Each leaf fixes whose fault it is (`source`), whether another try may help (`retry`), the HTTP status
and the stable `error_type` of the API (reference: OpenRouter's list, section 2.11).

Rule 1: a message is written for the client: no secret, no traceback, no other tenant's data.
Rule 2: foreign exceptions are turned into these at the edge where they arise.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

Source = Literal["downstream", "upstream", "gateway"]
Retry = Literal["never", "same", "other"]


class HedgerowError(Exception):
    """A failure the client may be told about."""

    source: ClassVar[Source] = "gateway"
    retry: ClassVar[Retry] = "never"
    status: int = 500
    error_type: str = "server"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, object] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.headers = headers
        self.routing: Mapping[str, object] | None = None
        """`openrouter_metadata`, for clients that asked for it."""


# --- the client's fault -------------------------------------------------------------------------
class DownstreamError(HedgerowError):
    """The request cannot be served as it is; trying again changes nothing."""

    source: ClassVar[Source] = "downstream"
    status = 400
    error_type = "invalid_request"


class InvalidRequestError(DownstreamError):
    """Malformed JSON, a wrong type, an unusable value."""


class UnknownModelError(DownstreamError):
    """No such model, or a bare name that several models share."""


class AuthenticationError(DownstreamError):
    """No key, or one we do not know."""

    status = 401
    error_type = "authentication"


class PaymentRequiredError(DownstreamError):
    """The account cannot pay for the worst case of this request."""

    status = 402
    error_type = "payment_required"


class PermissionDeniedError(DownstreamError):
    """Known, but not allowed."""

    status = 403
    error_type = "permission_denied"


class NotFoundError(DownstreamError):
    """Unknown path or resource."""

    status = 404
    error_type = "not_found"


class NoEndpointError(DownstreamError):
    """The model exists, but nothing may serve this request."""

    status = 404
    error_type = "not_found"


class MethodNotAllowedError(DownstreamError):
    """Known path, wrong method."""

    status = 405


class RequestTimeoutError(DownstreamError):
    """The client took too long to send its request."""

    status = 408
    error_type = "timeout"


class PayloadTooLargeError(DownstreamError):
    """The body exceeds its limit."""

    status = 413
    error_type = "payload_too_large"


class ClientClosedError(DownstreamError):
    """The client left; nobody reads this."""

    status = 499


# --- the provider's fault -----------------------------------------------------------------------
class UpstreamError(HedgerowError):
    """A provider failed; another endpoint may do better."""

    source: ClassVar[Source] = "upstream"
    retry: ClassVar[Retry] = "other"
    status = 502
    error_type = "provider_unavailable"


class UpstreamUnavailableError(UpstreamError):
    """Refused, reset, garbage, truncated, or any 5xx."""


class StaleConnectionError(UpstreamUnavailableError):
    """A reused connection died before one byte of the reply: the request may be sent once more."""

    retry: ClassVar[Retry] = "same"


class UpstreamTimeoutError(UpstreamError):
    """A deadline passed while waiting for a provider."""

    status = 504
    error_type = "timeout"


class UpstreamRateLimitError(UpstreamError):
    """A provider said 429."""

    status = 429
    error_type = "rate_limit_exceeded"


class UpstreamOverloadedError(UpstreamError):
    """A provider is out of capacity."""

    status = 503
    error_type = "provider_overloaded"


class UpstreamCredentialError(UpstreamError):
    """Our own key was refused or is out of credit: a 502, so that clients do not doubt their key."""


class UpstreamRefusedError(UpstreamError):
    """A provider found the request invalid: no other endpoint would differ. Status as given, 4xx."""

    retry: ClassVar[Retry] = "never"
    status = 400
    error_type = "invalid_request"


# --- ours ---------------------------------------------------------------------------------------
class GatewayError(HedgerowError):
    """Our own fault; the message is masked."""


class ShedError(HedgerowError):
    """Refused for load; another endpoint may have room."""

    retry: ClassVar[Retry] = "other"
    status = 503
    error_type = "provider_overloaded"


class CredentialsBusyError(ShedError):
    """All our keys at one provider are at their limits, or rest; another provider may serve."""

    status = 429
    error_type = "rate_limit_exceeded"


class ConfigError(HedgerowError):
    """A settings file, environment variable or argument is unusable; one line, exit code 2."""
