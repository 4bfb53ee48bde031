"""A call is plain data with the defaults of a small request."""

import msgspec
import pytest

from proxy.model.call import Call, Caller


def test_a_call_is_not_streamed_and_has_no_cap_unless_it_says_so() -> None:
    call = Call("openai-chat", "chat", {}, ("a/b",))

    assert (False, None, 0, {}) == (
        call.stream,
        call.output_tokens_max,
        call.prompt_bytes,
        call.preferences,
    )


def test_two_calls_share_no_preferences() -> None:
    one, other = Call("d", "chat", {}, ()), Call("d", "chat", {}, ())
    one.preferences["only"] = []

    assert {} == other.preferences


def test_a_caller_cannot_be_changed_and_has_no_key_in_open_mode() -> None:
    caller = Caller("open")

    assert "" == caller.key_hash
    with pytest.raises(AttributeError):
        caller.account = "other"  # type: ignore[misc]
    assert Caller("open", "") == msgspec.structs.replace(caller)
