"""Words of the messages API."""

from typing import get_args

import pytest

from proxy.dialects.anthropic_messages.names import NAME, NATIVE_REASONS, REASONS, paths
from proxy.model.call import Surface


def test_every_route_of_clients_leads_to_a_route_of_the_provider() -> None:
    replies = dict.fromkeys(get_args(Surface), "/messages")

    assert NAME == "anthropic-messages"
    assert replies | {"count_tokens": "/messages/count_tokens"} == dict(paths)


@pytest.mark.parametrize("reason", sorted(NATIVE_REASONS))
def test_a_reason_written_natively_is_read_as_itself(reason: str) -> None:
    assert REASONS[NATIVE_REASONS[reason]] == reason


def test_an_incomplete_reply_is_never_a_stop_and_an_error_never_a_native_reason() -> None:
    """Bug 63: abnormal ends told as success."""
    stops = {native for native, reason in REASONS.items() if reason == "stop"}

    assert stops == {"end_turn", "stop_sequence"}
    assert set(NATIVE_REASONS) == {"stop", "length", "tool_calls", "content_filter"}
