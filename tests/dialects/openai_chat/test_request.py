"""Requests: checked where we know the field, forwarded where we do not, and never steered."""

from typing import Any

import orjson
import pytest

from proxy.dialects.openai_chat.request import OURS, STRIPPED, decode_request, encode_request
from proxy.errors import InvalidRequestError
from tests.fakes.things import a_call, a_provider, an_endpoint

GOOD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"model": 5}, "$.model"),
        ({"messages": "hi"}, "$.messages"),
        ({"messages": [{"content": "no role"}]}, "$.messages[0]"),
        ({"messages": [5]}, "$.messages[0]"),
        ({"temperature": "hot"}, "$.temperature"),
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"max_tokens": 1.5}, "$.max_tokens"),
        ({"stream": "yes"}, "$.stream"),
        ({"stop": [1]}, "$.stop[0]"),
        ({"tools": {"a": 1}}, "$.tools"),
        ({"provider": []}, "$.provider"),
        ({"models": [1]}, "$.models[0]"),
        ({"logit_bias": {"1": "x"}}, "$.logit_bias[...]"),
        ({"session_id": "x" * 257}, "$.session_id"),
    ],
)
def test_a_wrong_type_is_named_with_its_path(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode_request({**GOOD, **changes}, "chat")
    assert f"`{path}`" in caught.value.message
    assert path.removeprefix("$").lstrip(".") == caught.value.metadata["field"]


@pytest.mark.parametrize(
    ("document", "surface", "message"),
    [
        ({"model": "m"}, "chat", "messages"),
        ({"model": "m"}, "completions", "prompt"),
        ({**GOOD, "models": ["a", "b", "c", "d"]}, "chat", "3 items or fewer"),
        ({**GOOD, "reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "chat", "differ"),
        ({"messages": []}, "chat", "model"),
    ],
)
def test_what_is_missing_or_contradicts_is_said(
    document: dict[str, Any], surface: Any, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        decode_request(document, surface)


def test_null_counts_as_absent() -> None:
    call = decode_request({**GOOD, "temperature": None, "stream": None, "max_tokens": None}, "chat")

    assert (False, None) == (call.stream, call.output_tokens_max)


def test_fallbacks_may_stand_alone_and_doubles_are_dropped() -> None:
    assert ("a", "b") == decode_request({"models": ["a", "b", "a"], "messages": []}, "chat").models


def test_a_prompt_in_a_chat_call_is_answered_as_a_completion() -> None:
    assert "completions" == decode_request({"model": "m", "prompt": "Once"}, "chat").surface


@pytest.mark.parametrize("name", sorted(OURS | STRIPPED))
def test_fields_that_speak_to_us_or_would_steer_us_are_not_forwarded(name: str) -> None:
    value: Any = (
        {"effort": "low"}
        if name in {"provider", "usage", "debug", "trace", "stream_options"}
        else "x"
    )
    value = [] if name in {"models", "plugins", "transforms"} else value
    call = decode_request({**GOOD, name: value}, "chat")

    assert name not in orjson.loads(encode_request(call, an_endpoint()))


def test_all_else_is_forwarded_in_the_order_it_came() -> None:
    document = {
        "z": 1,
        **GOOD,
        "temperature": 0.5,
        "safe_prompt": True,
        "nested": {"b": [1], "a": None},
    }
    sent = encode_request(decode_request(document, "chat"), an_endpoint())

    assert [*document] == [*orjson.loads(sent)]
    assert {**document, "model": "model-1"} == orjson.loads(sent)


def sent(quirks: set[str] = frozenset(), **changes: Any) -> dict[str, Any]:  # type: ignore[assignment]
    endpoint = an_endpoint(provider=a_provider(quirks=frozenset(quirks)))
    found: dict[str, Any] = orjson.loads(
        encode_request(a_call(**{"stream": False, **changes}), endpoint)
    )
    return found


def test_usage_is_asked_for_in_every_stream() -> None:
    assert {"include_usage": True} == sent(stream=True)["stream_options"]
    assert {"include_usage": True, "include_obfuscation": False} == sent(
        {"drop_obfuscation"}, stream=True
    )["stream_options"]
    assert "stream_options" not in sent({"no_stream_options"}, stream=True)
    assert "stream_options" not in sent()


def test_effort_is_said_the_way_the_provider_hears_it() -> None:
    assert "low" == sent(reasoning={"effort": "low"})["reasoning_effort"]
    assert {"effort": "low"} == sent({"native_reasoning"}, reasoning={"effort": "low"})["reasoning"]
    assert "reasoning" not in sent(reasoning={"max_tokens": 5})


def test_the_cap_goes_by_the_providers_name_for_it() -> None:
    assert (5, False) == (
        (found := sent({"max_completion_tokens"}, max_tokens=5))["max_completion_tokens"],
        "max_tokens" in found,
    )
    assert (5, False) == (
        (found := sent({"max_tokens"}, max_completion_tokens=5))["max_tokens"],
        "max_completion_tokens" in found,
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**64, "64 bits - at `$.x.y`"),
        (-(2**63) - 1, "64 bits - at `$.x.y`"),
        ([2**70], r"64 bits - at `$.x.y[0]`"),
    ],
)
def test_a_number_beyond_64_bits_is_named_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode_request(a_call(x={"y": value}), an_endpoint())
    assert message in caught.value.message


def test_too_deep_a_value_is_named() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(InvalidRequestError, match="deeper than 254"):
        encode_request(a_call(x=deep), an_endpoint())


def test_a_lone_surrogate_that_got_through_is_refused_here() -> None:
    with pytest.raises(InvalidRequestError, match="cannot be encoded"):
        encode_request(a_call(x="\ud800"), an_endpoint())
