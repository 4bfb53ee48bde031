"""Provider errors in OpenAI's shape, and its many relatives, as errors of ours.

Rule 1: the body says more than the status: classify by body first.
Rule 2: a refused credential is ours, not the client's: 502, and the provider's text stays here.
"""

import re

from proxy.errors import (
    HedgerowError,
    UpstreamCredentialError,
    UpstreamError,
    UpstreamOverloadedError,
    UpstreamRateLimitError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.document import Document, Json, as_document

STATUS = re.compile(r"[45][0-9]{2}")
RAW_CHARACTERS_MAX = 1024
"""How much of a provider's text a client sees."""
CODE_MAX = 1_000_000
"""Larger numbers are no codes."""
GENERIC = "Provider returned error"

CONTEXT_SIGNS = (
    "context_length_exceeded", "maximum context length", "context length", "too many tokens",
    "current length is", "available context size", "max context length", "too_many_prompt_tokens",
)  # fmt: skip
CREDIT_SIGNS = (
    "insufficient_quota", "billing_hard_limit", "insufficient balance", "credit balance", "arrearage",
    "any credits",
)  # fmt: skip
CREDENTIAL_SIGNS = (
    "invalid_api_key", "incorrect api key", "invalid api key", "authentication_error",
    "api key not valid",
)  # fmt: skip
OVERLOAD_SIGNS = (
    "currently overloaded", "engine_overloaded", "capacity exceeded", "overloaded_error",
)  # fmt: skip
POLICY_SIGNS = (
    "content_policy_violation", "content_filter", "responsibleaipolicyviolation",
    "datainspectionfailed",
)  # fmt: skip


def read_error(status: int, document: Json) -> HedgerowError:
    """Turn a provider's error body into one of ours.

    Args:
        status: the HTTP status, or 200 for an error inside a reply.
        document: the parsed body, or None if it was not JSON.
    """
    text, code = describe(document)
    signs = f"{text} {code}".lower()
    metadata: dict[str, object] = {"raw": text[:RAW_CHARACTERS_MAX]} if text else {}
    if code:
        metadata["provider_code"] = code[:64]
    if status <= 299 and STATUS.fullmatch(code):
        status = int(code)
    if _any(CREDIT_SIGNS, signs) or status == 402:
        return _typed(
            UpstreamCredentialError("Provider account is out of credit."), "payment_required"
        )
    if _any(CREDENTIAL_SIGNS, signs) or status in {401, 407}:
        return _typed(
            UpstreamCredentialError("Provider refused the gateway's key."), "authentication"
        )
    if status == 429 or "rate_limit" in code:
        return UpstreamRateLimitError(GENERIC, metadata=metadata)
    if status in {503, 529, 498} or _any(OVERLOAD_SIGNS, signs):
        return UpstreamOverloadedError(GENERIC, metadata=metadata)
    if status in {408, 504}:
        return UpstreamTimeoutError(GENERIC, metadata=metadata)
    if 400 <= status <= 499:
        return _refused(status, text, signs, metadata)
    if status >= 500:
        metadata.pop("raw", None)  # a provider's crash report is nobody's business
    return UpstreamUnavailableError(GENERIC, metadata=metadata)


def _refused(status: int, text: str, signs: str, metadata: dict[str, object]) -> HedgerowError:
    """A 4xx that is about the request."""
    if status == 404 or "model_not_found" in signs:
        error: UpstreamError = UpstreamUnavailableError(GENERIC, metadata=metadata)
        return _typed(error, "not_found", status=404)
    if status == 403 and not _any(POLICY_SIGNS, signs):
        return _typed(
            UpstreamUnavailableError(GENERIC, metadata=metadata), "permission_denied", status=502
        )
    error = UpstreamRefusedError(text[:RAW_CHARACTERS_MAX] or GENERIC, metadata=metadata)
    if _any(CONTEXT_SIGNS, signs):
        return _typed(error, "context_length_exceeded")
    if _any(POLICY_SIGNS, signs):
        return _typed(error, "content_policy_violation", status=403)
    return _typed(error, "payload_too_large" if status == 413 else "invalid_request", status=status)


def describe(document: Json) -> tuple[str, str]:
    """(message, code) of an error body in any of the shapes that OpenAI-style hosts send."""
    body = as_document(document[0] if isinstance(document, list) and document else document)
    inner = body.get("error", body)
    if isinstance(inner, str):
        return inner, _word(body.get("code")) or _word(body.get("type"))
    error = as_document(inner)
    detail = body.get("detail")
    message = error.get("message") or error.get("detail") or detail or body.get("message") or ""
    code = _word(error.get("code")) or _word(error.get("type"))
    return (message if isinstance(message, str) else str(message)), code


def is_error(document: Document) -> bool:
    """Is a 200 body, or a frame of a stream, an error in disguise?"""
    if document.get("error"):
        return True
    return document.get("object") == "error" or document.get("success") is False


def _word(value: Json) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and abs(value) < CODE_MAX else ""


def _any(needles: tuple[str, ...], text: str) -> bool:
    return any(needle in text for needle in needles)


def _typed(error: HedgerowError, error_type: str, *, status: int | None = None) -> HedgerowError:
    error.error_type = error_type
    if status is not None:
        error.status = status
    return error
