"""GET /key."""

from typing import Any

import pytest

from proxy.console.api.key import label_of

Console = Any

REQUIRED = {
    "allowed_data_regions", "budgets", "byok_usage", "byok_usage_daily", "byok_usage_monthly",
    "byok_usage_weekly", "creator_user_id", "effective_budget", "free_model_daily_requests",
    "include_byok_in_limit", "is_free_tier", "is_management_key", "is_provisioning_key", "label",
    "limit", "limit_remaining", "limit_reset", "organization_id", "rate_limit", "usage",
    "usage_daily", "usage_monthly", "usage_weekly", "workspace_id",
}  # fmt: skip
"""Marked * for `GetCurrentKeyData` in Appendix A."""


@pytest.mark.parametrize("path", ["/api/v1/key", "/v1/auth/key"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_known_key_is_described(
    keyed_console: Console, key: str, path: str, scheme: str
) -> None:
    reply = await keyed_console.client.get(path, headers={"authorization": f"{scheme} {key}"})

    assert reply.status_code == 200
    assert set(reply.json()["data"]) >= REQUIRED
    assert reply.json()["data"]["label"] == "sk-hr-v1-012...def"
    assert key not in reply.text


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "No auth credentials found"),
        ("Basic abc", "No auth credentials found"),
        ("Bearer ", "No auth credentials found"),
        ("Bearer sk-hr-v1-wrong", "User not found."),
    ],
)
async def test_other_credentials_are_refused(
    keyed_console: Console, header: str | None, said: str
) -> None:
    headers = {} if header is None else {"authorization": header}

    reply = await keyed_console.client.get("/api/v1/key", headers=headers)

    assert reply.status_code == 401
    assert reply.json() == {
        "error": {"code": 401, "message": said, "metadata": {"error_type": "authentication"}}
    }


async def test_in_open_mode_anybody_gets_a_neutral_answer(open_console: Console) -> None:
    reply = await open_console.client.get("/api/v1/key")

    assert set(reply.json()["data"]) >= REQUIRED
    assert reply.json()["data"]["label"] == "open"


def test_nothing_of_a_short_key_is_shown() -> None:
    assert label_of("hunter2") == "..."
