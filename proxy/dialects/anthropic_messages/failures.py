"""Provider errors in the shape of the messages API as errors of ours.

Rule 1: the body says more than the status: classify by body first.
Rule 2: what a provider says about our key, account or limits stays here; it names organisations.
"""

from proxy.errors import (
    HedgerowError,
    UpstreamCredentialError,
    UpstreamOverloadedError,
    UpstreamRateLimitError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.document import Document, Json, as_document

RAW_CHARACTERS_MAX = 1024
"""How much of a provider's text a client sees."""
CODE_CHARACTERS_MAX = 64
GENERIC = "Provider returned error"

KINDS = {
    "authentication_error": "credential",
    "billing_error": "credit",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "invalid_request_error": "refused",
}
"""Types of the API, and what they are about; `api_error` says nothing, so the status counts."""
STATUSES = {
    401: "credential", 407: "credential", 402: "credit", 403: "permission", 404: "not_found",
    408: "timeout", 413: "too_large", 429: "rate", 503: "overloaded", 504: "timeout",
    529: "overloaded",
}  # fmt: skip
"""For bodies that say nothing; any other 4xx is a refusal, everything else a breakdown."""
SIGNS = {
    "credit": ("credit balance", "api usage limits"),
    "credential": ("x-api-key", "your api key", "invalid api key", "organization has been disabled"),
    "context": (
        "prompt is too long", "exceed context limit", "context window", "context_length_exceeded",
        "maximum context length",
    ),
    "policy": ("content filtering policy", "usage policy", "usage policies"),
}  # fmt: skip
"""Words that tell what a refusal is about, in lower case; asked in this order."""


def read_error(status: int, document: Json) -> HedgerowError:
    """Turn a provider's error body into one of ours.

    Args:
        status: the HTTP status, or 200 for an error inside a reply.
        document: the parsed body, or None if it was not JSON.
    """
    text, code = describe(document)
    kind = (
        KINDS.get(code) or STATUSES.get(status) or ("refused" if 400 <= status < 500 else "broken")
    )
    if kind in {"refused", "permission"}:
        kind = next((k for k, signs in SIGNS.items() if _any(signs, text.lower())), kind)
    metadata: dict[str, object] = {"provider_code": code[:CODE_CHARACTERS_MAX]} if code else {}
    match kind:
        case "credit":
            return _typed(
                UpstreamCredentialError("Provider account is out of credit."), "payment_required"
            )
        case "credential":
            return _typed(
                UpstreamCredentialError("Provider refused the gateway's key."), "authentication"
            )
        case "permission":
            unable = UpstreamUnavailableError(GENERIC, metadata=metadata)
            return _typed(unable, "permission_denied", 502)
        case "rate":
            return UpstreamRateLimitError(GENERIC, metadata=metadata)
        case "overloaded":
            return UpstreamOverloadedError(GENERIC, metadata=metadata)
        case "timeout":
            return UpstreamTimeoutError(GENERIC, metadata=metadata)
        case "broken":
            return UpstreamUnavailableError(GENERIC, metadata=metadata)
        case _:
            return _refused(kind, status, text, metadata)


def _refused(kind: str, status: int, text: str, metadata: dict[str, object]) -> HedgerowError:
    """An error that is about the request; the client reads what the provider said."""
    said = text[:RAW_CHARACTERS_MAX]
    if said:
        metadata["raw"] = said
    if kind == "not_found":
        return _typed(UpstreamUnavailableError(GENERIC, metadata=metadata), "not_found", 404)
    error = UpstreamRefusedError(said or GENERIC, metadata=metadata)
    if kind == "too_large":
        return _typed(error, "payload_too_large", 413)
    if kind == "policy":
        return _typed(error, "content_policy_violation", 403)
    if kind == "context":
        return _typed(error, "context_length_exceeded", 400)
    return _typed(error, "invalid_request", status if 400 <= status < 500 else 400)


def describe(document: Json) -> tuple[str, str]:
    """(message, type) of an error body: the API's own, bare, or of a host that imitates it."""
    body = as_document(document)
    inner = body.get("error", body)
    if isinstance(inner, str):
        return inner, _word(body.get("type"))
    error = as_document(inner)
    said = error.get("message") or body.get("message") or body.get("detail") or ""
    return (said if isinstance(said, str) else str(said)), _word(error.get("type"))


def is_error(document: Document) -> bool:
    """Is a body, or a frame of a stream, an error?"""
    return document.get("type") == "error" or bool(document.get("error"))


def _word(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _any(needles: tuple[str, ...], text: str) -> bool:
    return any(needle in text for needle in needles)


def _typed(error: HedgerowError, error_type: str, status: int | None = None) -> HedgerowError:
    error.error_type = error_type
    if status is not None:
        error.status = status
    return error
