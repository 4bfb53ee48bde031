"""The doors' one table of inference paths."""

import pytest

from proxy.doors.routes import ROUTES


@pytest.mark.parametrize("prefix", ["/api/v1/", "/v1/", "/api/v1", "/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_path_is_known_with_and_without_the_slashes_that_people_forget(
    prefix: str, slash: str
) -> None:
    assert ROUTES[f"{prefix}chat/completions{slash}"] == ("openai-chat", "chat")
    assert ROUTES[f"{prefix}completions{slash}"] == ("openai-chat", "completions")
    assert ROUTES[f"{prefix}messages{slash}"] == ("anthropic-messages", "messages")
    counting = ROUTES[f"{prefix}messages/count_tokens{slash}"]
    assert counting == ("anthropic-messages", "count_tokens")


def test_nothing_else_is_inference() -> None:
    assert "/chat/completions" not in ROUTES
    assert "/api/v1/models" not in ROUTES
