"""Error bodies to errors of ours: one table."""

import pytest

from proxy.dialects.anthropic_messages.failures import (
    GENERIC,
    RAW_CHARACTERS_MAX,
    is_error,
    read_error,
)
from proxy.errors import (
    HedgerowError,
    UpstreamCredentialError,
    UpstreamOverloadedError,
    UpstreamRateLimitError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.document import Json

SECRET = "org sk-ant-1234"


def body(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


CREDENTIAL, REFUSED, AWAY = UpstreamCredentialError, UpstreamRefusedError, UpstreamUnavailableError
CASES: list[tuple[int, Json, type[HedgerowError], int, str]] = [
    # status, body, error, its status, its type
    (401, body("authentication_error", f"invalid x-api-key {SECRET}"), CREDENTIAL, 502, "authentication"),
    (400, body("invalid_request_error", f"This organization has been disabled. {SECRET}"), CREDENTIAL, 502, "authentication"),
    (403, body("permission_error", f"Your API key {SECRET} may not"), CREDENTIAL, 502, "authentication"),
    (403, body("permission_error", f"No access to the resource for {SECRET}"), AWAY, 502, "permission_denied"),
    (402, body("billing_error", f"Pay, {SECRET}"), CREDENTIAL, 502, "payment_required"),
    (400, body("invalid_request_error", f"Your credit balance is too low {SECRET}"), CREDENTIAL, 502, "payment_required"),
    (400, body("invalid_request_error", f"You have reached your specified API usage limits {SECRET}"), CREDENTIAL, 502, "payment_required"),
    (429, body("rate_limit_error", f"would exceed the limit of {SECRET}"), UpstreamRateLimitError, 429, "rate_limit_exceeded"),
    (529, body("overloaded_error", "Overloaded"), UpstreamOverloadedError, 503, "provider_overloaded"),
    (200, body("overloaded_error", "Overloaded"), UpstreamOverloadedError, 503, "provider_overloaded"),
    (200, body("rate_limit_error", SECRET), UpstreamRateLimitError, 429, "rate_limit_exceeded"),
    (200, body("authentication_error", SECRET), CREDENTIAL, 502, "authentication"),
    (504, body("timeout_error", "slow"), UpstreamTimeoutError, 504, "timeout"),
    (500, body("api_error", f"crash at {SECRET}"), AWAY, 502, "provider_unavailable"),
    (200, body("a_new_error", f"crash at {SECRET}"), AWAY, 502, "provider_unavailable"),
    (413, body("request_too_large", "Request exceeds the maximum size"), REFUSED, 413, "payload_too_large"),
    (404, body("not_found_error", "model: claude-none"), AWAY, 404, "not_found"),
    (400, body("invalid_request_error", "prompt is too long: 211401 tokens > 200000 maximum"), REFUSED, 400, "context_length_exceeded"),
    (400, body("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"), REFUSED, 400, "context_length_exceeded"),
    (400, body("invalid_request_error", "Output blocked by content filtering policy"), REFUSED, 403, "content_policy_violation"),
    (400, body("invalid_request_error", "temperature: no"), REFUSED, 400, "invalid_request"),
    (422, body("invalid_request_error", "temperature: no"), REFUSED, 422, "invalid_request"),
    (200, body("invalid_request_error", "temperature: no"), REFUSED, 400, "invalid_request"),
    (429, body("overloaded_error", "Overloaded"), UpstreamOverloadedError, 503, "provider_overloaded"),
    # other shapes
    (429, {"type": "rate_limit_error", "message": "bare"}, UpstreamRateLimitError, 429, "rate_limit_exceeded"),
    (503, {"error": "text"}, UpstreamOverloadedError, 503, "provider_overloaded"),
    (400, {"detail": ["x", 1]}, REFUSED, 400, "invalid_request"),
    (401, None, CREDENTIAL, 502, "authentication"),
    (407, [], CREDENTIAL, 502, "authentication"),
    (408, "x", UpstreamTimeoutError, 504, "timeout"),
    (529, {"error": None}, UpstreamOverloadedError, 503, "provider_overloaded"),
    (302, None, AWAY, 502, "provider_unavailable"),
    (502, {"error": {"type": 7, "message": {}}}, AWAY, 502, "provider_unavailable"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[4]}-{str(c[1])[-40:]}")
def test_an_error_of_the_provider_becomes_ours(
    case: tuple[int, Json, type[HedgerowError], int, str],
) -> None:
    status, document, kind, given, error_type = case
    error = read_error(status, document)

    assert (kind, given, error_type) == (type(error), error.status, error.error_type)
    assert SECRET not in f"{error.message}{error.metadata}"


def test_a_refusal_tells_the_client_what_the_provider_said_up_to_a_limit() -> None:
    error = read_error(400, body("invalid_request_error", "x" * 5000))

    assert error.message == error.metadata["raw"] == "x" * RAW_CHARACTERS_MAX
    assert error.metadata["provider_code"] == "invalid_request_error"
    assert read_error(400, None).message == GENERIC


def test_an_error_is_told_by_its_type_or_by_its_member() -> None:
    assert is_error({"type": "error"})
    assert is_error({"error": {"message": "x"}})
    assert not is_error({"type": "message", "error": None})
