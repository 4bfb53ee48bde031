"""Requests: what is refused with its path, what is taken out, what goes on as it came."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.dialects.openai_chat.fields import OURS, STRIPPED
from proxy.dialects.openai_chat.request import (
    DEPTH_MAX,
    FALLBACKS_MAX,
    decode_request,
    encode_request,
)
from proxy.errors import InvalidRequestError
from proxy.model.call import Call
from tests.fakes.things import a_provider, an_endpoint

BASE: dict[str, Any] = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}]}


def decoded(**changes: Any) -> Call:
    return decode_request({**BASE, **changes}, "chat")


def sent(call: Call, *quirks: str) -> dict[str, Any]:
    endpoint = an_endpoint(provider=a_provider(quirks=frozenset(quirks)))
    document: dict[str, Any] = orjson.loads(encode_request(call, endpoint))
    return document


def refusal(document: dict[str, Any], surface: Any = "chat") -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        decode_request(document, surface)
    return caught.value


def test_a_small_request_is_read() -> None:
    call = decoded()

    assert ("openai-chat", "chat", ("a/b",), False, None, {}) == (
        call.dialect,
        call.surface,
        call.models,
        call.stream,
        call.output_tokens_max,
        call.preferences,
    )
    assert BASE is not call.body
    assert BASE == call.body


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"model": 5}, "model"),
        ({"messages": "hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user"}, {"content": "x"}]}, "messages[1]"),
        ({"messages": [{"role": 5}]}, "messages[0].role"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"prompt": 5}, "prompt"),
        ({"models": "a"}, "models"),
        ({"models": ["a", 5]}, "models[1]"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"n": 0}, "n"),
        ({"stop": [5]}, "stop[0]"),
        ({"logit_bias": {"5": "x"}}, "logit_bias[...]"),
        ({"response_format": "json"}, "response_format"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"reasoning": True}, "reasoning"),
        ({"provider": ["x"]}, "provider"),
        ({"session_id": "x" * 257}, "session_id"),
        ({"metadata": "x"}, "metadata"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused_with_its_path(
    changes: dict[str, Any], path: str
) -> None:
    error = refusal({**BASE, **changes})

    assert path == error.metadata["field"]
    assert f"`$.{path}`" in error.message
    assert 400 == error.status


@pytest.mark.parametrize(
    ("document", "surface", "path"),
    [
        ({"model": "a/b"}, "chat", "$.messages"),
        ({"model": "a/b"}, "completions", "$.prompt"),
        (BASE, "completions", "$.prompt"),
    ],
)
def test_a_request_that_says_nothing_is_refused_with_the_path(
    document: dict[str, Any], surface: str, path: str
) -> None:
    assert f"`{path}`" in refusal(document, surface).message


def test_a_missing_model_is_named_as_the_field() -> None:
    error = refusal({"messages": []})

    assert "`model`" in error.message
    assert "model" == error.metadata["field"]


@pytest.mark.parametrize("model", ["a/b", None])
def test_models_are_asked_for_in_order_each_once(model: str | None) -> None:
    document = {"models": ["a/b", "c/d", "a/b"], "messages": []}
    call = decode_request(document if model is None else {"model": model, **document}, "chat")

    assert ("a/b", "c/d") == call.models


def test_too_many_fallbacks_are_refused() -> None:
    assert 1 + FALLBACKS_MAX == len(decoded(models=["1", "2", "3"]).models)
    assert "3 items" in refusal({**BASE, "models": ["1", "2", "3", "4"]}).message


@pytest.mark.parametrize("prompt", ["hi", ["a", "b"], [1, 2], [[1], [2]]])
def test_a_prompt_is_answered_as_a_completion_wherever_it_was_sent(prompt: Any) -> None:
    for surface in ("chat", "completions"):
        assert (
            "completions" == decode_request({"model": "a/b", "prompt": prompt}, surface).surface  # type: ignore[arg-type]
        )


def test_messages_make_a_chat_even_beside_a_prompt() -> None:
    assert "chat" == decoded(prompt="x").surface


@pytest.mark.parametrize(
    ("changes", "cap"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": None}, None),
    ],
)
def test_the_clients_cap_is_read_from_either_field(
    changes: dict[str, Any], cap: int | None
) -> None:
    assert cap == decoded(**changes).output_tokens_max


@pytest.mark.parametrize("name", sorted(STRIPPED | OURS))
def test_a_field_that_could_steer_us_or_is_ours_is_not_sent(name: str) -> None:
    value: Any = {} if name in {"provider", "stream_options"} else None
    document = {**BASE, name: value}
    call = decode_request(document, "chat")

    assert name not in sent(call)
    assert name in document  # the client's own value stays whole


def test_preferences_of_the_client_are_kept_for_the_plan() -> None:
    assert {"only": ["x"]} == decoded(provider={"only": ["x"]}).preferences
    assert {} == decoded(provider=None).preferences


def test_unknown_fields_are_sent_on_in_their_order() -> None:
    call = decoded(zz=1, stream=None, aa={"b": [None, 1.5, "é"]}, api_key="x", mm=2)

    assert ["model", "messages", "zz", "stream", "aa", "mm"] == list(sent(call))
    assert {"b": [None, 1.5, "é"]} == sent(call)["aa"]


def test_the_model_is_sent_under_its_own_name_in_the_place_it_had() -> None:
    call = decode_request({"seed": 1, "model": "a/b", "messages": []}, "chat")

    assert ["seed", "model", "messages"] == list(sent(call))
    assert "model-1" == sent(call)["model"]


def test_of_a_repeated_key_the_last_value_counts_in_the_first_place() -> None:
    raw = '{"temperature":0,"model":"a/b","messages":[],"temperature":1}'
    call = decode_request(orjson.loads(raw), "chat")

    assert [("temperature", 1), ("model", "model-1")] == list(sent(call).items())[:2]


@pytest.mark.parametrize(
    ("quirks", "options"),
    [
        ((), {"include_usage": True}),
        (("drop_obfuscation",), {"include_usage": True, "include_obfuscation": False}),
        (("no_stream_options",), None),
        (("no_stream_options", "drop_obfuscation"), None),
    ],
)
def test_usage_is_asked_for_in_a_stream(quirks: tuple[str, ...], options: Any) -> None:
    body = sent(decoded(stream=True, stream_options={"include_usage": False}), *quirks)

    assert (True, options) == (body["stream"], body.get("stream_options"))
    assert "stream_options" not in sent(decoded(), *quirks)


@pytest.mark.parametrize(
    ("reasoning", "quirks", "expected"),
    [
        ({"effort": "high"}, (), {"reasoning_effort": "high"}),
        ({"effort": "high"}, ("native_reasoning",), {"reasoning": {"effort": "high"}}),
        ({"enabled": True}, (), {}),
        ({"enabled": True}, ("native_reasoning",), {"reasoning": {"enabled": True}}),
        (None, (), {}),
    ],
)
def test_reasoning_is_sent_as_the_provider_takes_it(
    reasoning: Any, quirks: tuple[str, ...], expected: dict[str, Any]
) -> None:
    body = sent(decoded(reasoning=reasoning), *quirks)

    assert expected == {key: body[key] for key in body if key.startswith("reasoning")}


def test_two_efforts_must_agree() -> None:
    both = {**BASE, "reasoning_effort": "low", "reasoning": {"effort": "low"}}

    assert "low" == sent(decode_request(both, "chat"))["reasoning_effort"]
    assert "differ" in refusal({**both, "reasoning_effort": "high"}).message


@pytest.mark.parametrize("effort", [[], {}, ["low"]])
def test_an_effort_of_the_wrong_type_is_refused(effort: Any) -> None:
    assert "effort" in refusal({**BASE, "reasoning": {"effort": effort}}).message


@pytest.mark.parametrize(
    ("changes", "quirk", "expected"),
    [
        ({"max_tokens": 5}, "max_completion_tokens", {"max_completion_tokens": 5}),
        ({"max_completion_tokens": 5}, "max_tokens", {"max_tokens": 5}),
        ({"max_completion_tokens": 5}, "max_completion_tokens", {"max_completion_tokens": 5}),
        ({"max_tokens": 5}, "max_tokens", {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, "max_completion_tokens", {"max_completion_tokens": 7}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, "native_reasoning", {"max_tokens": 5, "max_completion_tokens": 7}),
    ],
)  # fmt: skip
def test_the_cap_is_sent_under_the_name_the_provider_knows(
    changes: dict[str, Any], quirk: str, expected: dict[str, Any]
) -> None:
    body = sent(decoded(**changes), quirk)

    assert expected == {key: body[key] for key in body if key.startswith("max_")}


def test_encoding_for_one_provider_leaves_the_call_as_it_was() -> None:
    call = decoded(max_tokens=5, reasoning={"effort": "low"}, stream=True)
    before = json.dumps(call.body)

    sent(call, "max_completion_tokens", "drop_obfuscation")

    assert before == json.dumps(call.body)


def test_what_a_request_means_is_read_only_when_asked_for() -> None:
    call = decoded(messages=[{"role": "user", "content": [{"type": "text"}]}])

    assert "model-1" == sent(call)["model"]
    with pytest.raises(InvalidRequestError, match=r"\$\.messages\[0\]\.content\[0\]\.text"):
        call.converse()


def test_thinking_that_is_hidden_by_the_old_name_is_still_meant() -> None:
    thinking = decoded(include_reasoning=False).converse().thinking

    assert thinking is not None
    assert thinking.exclude


def nest(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**64, "Integer exceeds 64 bits - at `$.x`"),
        (-(2**63) - 1, "Integer exceeds 64 bits - at `$.x`"),
        ({"a": [0, 2**70]}, "Integer exceeds 64 bits - at `$.x.a[1]`"),
        (nest(DEPTH_MAX + 9), f"JSON nests deeper than {DEPTH_MAX} levels - at `$.x[0]"),
        ("\ud800", "cannot be encoded as JSON"),
    ],
    ids=["large", "small", "deep inside", "nested", "surrogate"],
)  # fmt: skip
def test_what_cannot_be_encoded_is_refused_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        sent(decoded(x=value))

    assert message in caught.value.message


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), True])
def test_the_widest_integers_are_sent(value: int) -> None:
    assert value == sent(decoded(x=value))["x"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["model", "models", "messages", "prompt", "stream", "max_tokens", "reasoning", "provider", "stop",
     "tools", "reasoning_effort", "stream_options", "x"]
)  # fmt: skip


WE_ASK = {"include_usage": True}


@given(
    st.dictionaries(FIELDS, JSON | st.fixed_dictionaries({"effort": JSON}), max_size=6),
    st.sampled_from(["chat", "completions"]),
)
def test_any_document_is_sent_on_or_refused(document: dict[str, Any], surface: Any) -> None:
    try:
        call = decode_request({**BASE, **document}, surface)
        body = sent(call)
    except InvalidRequestError:
        return

    assert not ((OURS | STRIPPED) - {"stream_options"}) & set(body)
    assert body.get("stream_options", WE_ASK) == WE_ASK
    assert 1 <= len(call.models) <= 1 + FALLBACKS_MAX
