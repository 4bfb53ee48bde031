"""How an attempt ended is a value."""

from typing import cast

from proxy.errors import UpstreamTimeoutError
from proxy.model.meter import Delivered
from proxy.model.outcome import Failure, Opened, Reply
from tests.fakes.things import a_call, an_endpoint


def test_a_failure_is_a_value_without_a_hint_unless_one_was_given() -> None:
    error = UpstreamTimeoutError("late")

    assert Failure(an_endpoint(), error) == Failure(an_endpoint(), error, None, 0.0)


def test_two_open_replies_hold_nothing_in_common() -> None:
    from proxy.dialects.registry import DIALECTS

    encoder = DIALECTS["openai-chat"].encode_response(a_call(), an_endpoint())
    one, other = (
        Opened(an_endpoint(), cast("Reply", None), Delivered(), encoder) for _ in range(2)
    )
    one.held.append(b"x")

    assert ([], [], 0.0) == (other.held, other.events, other.waited_s)
