"""Provider errors, sorted by what they say before how they are numbered."""

from typing import Any

import pytest

from proxy.dialects.openai_chat.failures import is_error, read_error


def said(message: str = "x", code: Any = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "error_type", "retry"),
    [
        (
            401,
            said("Incorrect API key provided: sk-abc", "invalid_api_key"),
            502,
            "authentication",
            "other",
        ),
        (
            400,
            said("Incorrect API key provided", "invalid-argument"),
            502,
            "authentication",
            "other",
        ),
        (
            429,
            said("You exceeded your quota", "insufficient_quota"),
            502,
            "payment_required",
            "other",
        ),
        (402, said("Insufficient Balance"), 502, "payment_required", "other"),
        (429, said("slow", "rate_limit_exceeded"), 429, "rate_limit_exceeded", "other"),
        (503, said("busy"), 503, "provider_overloaded", "other"),
        (529, said("busy"), 503, "provider_overloaded", "other"),
        (500, said("engine is currently overloaded"), 503, "provider_overloaded", "other"),
        (500, said("boom"), 502, "provider_unavailable", "other"),
        (502, None, 502, "provider_unavailable", "other"),
        (408, said("late"), 504, "timeout", "other"),
        (504, said("late"), 504, "timeout", "other"),
        (
            400,
            said("This model's maximum context length is 8 tokens", "context_length_exceeded"),
            400,
            "context_length_exceeded",
            "never",
        ),
        (
            400,
            said("Current length is 9 while limit is 8"),
            400,
            "context_length_exceeded",
            "never",
        ),
        (400, said("no", "content_policy_violation"), 403, "content_policy_violation", "never"),
        (403, said("no", "content_filter"), 403, "content_policy_violation", "never"),
        (403, said("not in your country"), 403, "permission_denied", "other"),
        (404, said("no such model", "model_not_found"), 404, "not_found", "other"),
        (413, said("too big"), 413, "payload_too_large", "never"),
        (422, {"detail": "bad field"}, 422, "invalid_request", "never"),
        (
            400,
            {"object": "error", "message": "flat", "type": "BadRequestError", "code": 400},
            400,
            "invalid_request",
            "never",
        ),
        (400, {"code": "invalid-argument", "error": "words"}, 400, "invalid_request", "never"),
        (200, said("in band", 429), 429, "rate_limit_exceeded", "other"),
        (200, said("in band"), 502, "provider_unavailable", "other"),
        (400, "not an object", 400, "invalid_request", "never"),
    ],
)
def test_an_error_is_told_by_its_body_then_by_its_status(
    status: int, body: Any, expected: int, error_type: str, retry: str
) -> None:
    error = read_error(status, body)

    assert (expected, error_type, retry) == (error.status, error.error_type, error.retry)
    assert "upstream" == error.source


def test_our_key_and_a_providers_crash_report_are_not_passed_on() -> None:
    for error in (
        read_error(401, said("key sk-secret is bad")),
        read_error(500, said("at line 5 sk-secret")),
    ):
        assert "sk-secret" not in error.message + str(error.metadata)


def test_a_providers_words_are_cut_to_size() -> None:
    error = read_error(400, said("x" * 5000, "c" * 500))

    assert (1024, 1024, 64) == (
        len(error.message),
        len(str(error.metadata["raw"])),
        len(str(error.metadata["provider_code"])),
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"m": 1}}, True),
        ({"error": None}, False),
        ({"object": "error"}, True),
        ({"success": False}, True),
        ({}, False),
    ],
)
def test_an_error_within_a_success_is_noticed(document: Any, expected: bool) -> None:
    assert expected is is_error(document)
