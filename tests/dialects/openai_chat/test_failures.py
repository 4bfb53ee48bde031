"""Providers' errors, one row each: what they sent, what it means, what the client is told.

Source of the rows: error bodies as providers sent them, recorded or documented; texts are shortened.
"""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.dialects.openai_chat.failures import (
    GENERIC,
    RAW_CHARACTERS_MAX,
    describe,
    is_error,
    read_error,
)
from proxy.errors import HedgerowError


def nested(message: str, code: Any = None, kind: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


ROWS = [
    # who, status, body -> status told, error_type, retry
    ("openai key", 401, nested("Incorrect API key provided", "invalid_api_key"), 502, "authentication", "other"),
    ("mistral key", 401, {"detail": "Invalid API Key"}, 502, "authentication", "other"),
    ("xai key", 400, {"code": "invalid-argument", "error": "Incorrect API key provided: x"}, 502, "authentication", "other"),
    ("deepseek key", 401, nested("Authentication Fails", "invalid_request_error", "authentication_error"), 502, "authentication", "other"),
    ("azure key", 401, nested("Access denied", "401"), 502, "authentication", "other"),
    ("proxy key", 407, None, 502, "authentication", "other"),
    ("openai region", 403, nested("Country not supported", "unsupported_country_region_territory"), 502, "permission_denied", "other"),
    ("openai quota", 429, nested("You exceeded your quota", "insufficient_quota", "insufficient_quota"), 502, "payment_required", "other"),
    ("openai billing", 400, nested("Hard limit", "billing_hard_limit_reached"), 502, "payment_required", "other"),
    ("anthropic credit", 400, nested("Your credit balance is too low"), 502, "payment_required", "other"),
    ("deepseek balance", 402, nested("Insufficient Balance", "invalid_request_error"), 502, "payment_required", "other"),
    ("openai limit", 429, nested("Rate limit reached", "rate_limit_exceeded", "tokens"), 429, "rate_limit_exceeded", "other"),
    ("mistral limit", 429, {"object": "error", "message": "Service tier capacity exceeded", "code": "3505"}, 429, "rate_limit_exceeded", "other"),
    ("limit in 200", 200, nested("slow down", "rate_limit_exceeded"), 429, "rate_limit_exceeded", "other"),
    ("azure limit", 429, nested("Too many", "RateLimitReached"), 429, "rate_limit_exceeded", "other"),
    ("openai overload", 503, nested("That model is currently overloaded"), 503, "provider_overloaded", "other"),
    ("overload by text", 500, nested("The engine is currently overloaded"), 503, "provider_overloaded", "other"),
    ("anthropic overload", 529, nested("Overloaded", "overloaded_error"), 503, "provider_overloaded", "other"),
    ("groq flex", 498, nested("capacity exceeded", "capacity_exceeded"), 503, "provider_overloaded", "other"),
    ("unknown 500", 500, nested("boom", "server_error"), 502, "provider_unavailable", "other"),
    ("html 502", 502, None, 502, "provider_unavailable", "other"),
    ("redirect", 302, None, 502, "provider_unavailable", "other"),
    ("gateway timeout", 504, nested("timeout"), 504, "timeout", "other"),
    ("openai timeout", 408, nested("timeout"), 504, "timeout", "other"),
    ("openai context", 400, nested("too long", "context_length_exceeded"), 400, "context_length_exceeded", "never"),
    ("vllm context", 400, {"object": "error", "message": "This model's maximum context length is 8", "code": 400}, 400, "context_length_exceeded", "never"),
    ("ollama context", 400, {"error": "exceeded max context length by 5 tokens"}, 400, "context_length_exceeded", "never"),
    ("cerebras context", 400, nested("Current length is 9 while limit is 8"), 400, "context_length_exceeded", "never"),
    ("llama.cpp context", 400, nested("the request exceeds the available context size", 400), 400, "context_length_exceeded", "never"),
    ("openai policy", 400, nested("rejected", "content_policy_violation"), 403, "content_policy_violation", "never"),
    ("azure filter", 400, nested("filtered", "content_filter"), 403, "content_policy_violation", "never"),
    ("azure filter 403", 403, nested("ResponsibleAIPolicyViolation"), 403, "content_policy_violation", "never"),
    ("openai model", 404, nested("no such model", "model_not_found"), 404, "not_found", "other"),
    ("openai model 400", 400, nested("no such model", "model_not_found"), 404, "not_found", "other"),
    ("fastapi path", 404, {"detail": "Not Found"}, 404, "not_found", "other"),
    ("anything 4xx", 400, nested("temperature: too hot"), 400, "invalid_request", "never"),
    ("vllm 422", 422, {"detail": [{"loc": ["body"], "msg": "wrong"}]}, 422, "invalid_request", "never"),
    ("groq size", 413, nested("Request too large"), 413, "payload_too_large", "never"),
    ("code in 200", 200, nested("bad", 400), 400, "invalid_request", "never"),
    ("cloudflare", 200, {"success": False, "errors": [{"code": 1, "message": "x"}]}, 502, "provider_unavailable", "other"),
    ("nothing", 200, {}, 502, "provider_unavailable", "other"),
    ("429 in the text only", 400, nested("max_tokens must be below 429"), 400, "invalid_request", "never"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "told", "error_type", "retry"),
    [r[1:] for r in ROWS],
    ids=[r[0] for r in ROWS],
)
def test_an_error_is_classified_by_body_before_status(
    status: int, body: Any, told: int, error_type: str, retry: str
) -> None:
    error = read_error(status, body)

    assert (told, error_type, retry) == (error.status, error.error_type, error.retry)


UNCLASSIFIED = [
    ("perplexity context", 400, nested("x", "too_many_prompt_tokens"), "context_length_exceeded"),
    ("alibaba policy", 400, nested("Output may be bad", "DataInspectionFailed"), "content_policy_violation"),
    ("alibaba arrears", 400, nested("Access denied, account overdue", "Arrearage"), "payment_required"),
    ("google key in a list", 400, [nested("API key not valid. Please pass a valid API key.", 400)], "authentication"),
    ("xai credits", 403, {"code": "The caller does not have permission", "error": "Your team doesn't have any credits yet."}, "payment_required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [r[1:] for r in UNCLASSIFIED],
    ids=[r[0] for r in UNCLASSIFIED],
)
def test_a_sign_of_the_reference_is_known(status: int, body: Any, error_type: str) -> None:
    assert error_type == read_error(status, body).error_type


def test_a_providers_text_is_shown_cut_and_a_crash_report_is_not() -> None:
    long = "x" * (RAW_CHARACTERS_MAX + 1)

    assert long[:-1] == read_error(429, nested(long)).metadata["raw"]
    assert long[:-1] == read_error(400, nested(long)).message
    assert {"provider_code": "E"} == read_error(500, nested("Traceback", "E")).metadata
    assert GENERIC == read_error(400, None).message


@pytest.mark.parametrize("status", [401, 402, 407])
def test_what_is_said_about_our_key_stays_here(status: int) -> None:
    error = read_error(status, nested("key sk-secret of org-secret"))

    assert "secret" not in error.message + repr(error.metadata)


def test_a_providers_code_is_cut() -> None:
    assert "c" * 64 == read_error(500, nested("", "c" * 65)).metadata["provider_code"]


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (nested("m", "c", "t"), "m", "c"),
        (nested("m", None, "t"), "m", "t"),
        (nested("m", 3505), "m", "3505"),
        ({"error": "m", "code": "c"}, "m", "c"),
        ({"error": "m", "type": "t"}, "m", "t"),
        ({"message": "m", "type": "t"}, "m", "t"),
        ({"detail": "m"}, "m", ""),
        ({"error": {"detail": "m"}}, "m", ""),
        ({"error": None, "message": "m"}, "m", ""),
        ({"error": {}, "detail": "m"}, "m", ""),
        ({"message": {"detail": "m"}}, "{'detail': 'm'}", ""),
        ({"code": 1.5}, "", ""),
        (None, "", ""),
        ([], "", ""),
    ],
)
def test_the_message_and_code_of_every_known_shape_are_found(
    body: Any, message: str, code: str
) -> None:
    assert (message, code) == describe(body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": "x"}, True),
        ({"error": {"message": ""}}, True),
        ({"error": None}, False),
        ({"error": {}}, False),
        ({"object": "error"}, True),
        ({"success": False}, True),
        ({"success": True}, False),
        ({"choices": []}, False),
    ],
)
def test_an_error_in_disguise_is_seen(body: dict[str, Any], error: bool) -> None:
    assert error == is_error(body)


@pytest.mark.parametrize("code", ["²", "9" * 5000, "٤٠٠"])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_code_that_is_no_status_breaks_nothing(code: str, status: int) -> None:
    assert isinstance(read_error(status, nested("m", code)), HedgerowError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "object"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.integers(100, 599), JSON)
def test_whatever_a_provider_sends_becomes_an_error_that_can_be_told(
    status: int, body: Any
) -> None:
    error = read_error(status, body)

    assert 400 <= error.status <= 599
    assert orjson.dumps([error.message, error.metadata])
