"""Requests checked with the path of what is wrong, and cleared of what is ours."""

from typing import Any

import pytest

from proxy.dialects.anthropic_messages.request import OURS, STRIPPED, decode_request
from proxy.errors import InvalidRequestError
from proxy.model.call import Call

BASE: dict[str, Any] = {
    "model": "m",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "hi"}],
}
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "1"}


def decoded(**fields: Any) -> Call:
    return decode_request({**BASE, **fields}, "messages")


def said(*messages: tuple[str, Any]) -> list[Any]:
    return [{"role": role, "content": content} for role, content in messages]


def test_a_request_goes_on_as_it_came_without_what_is_ours() -> None:
    document: dict[str, Any] = {"zz": 1, **BASE, "provider": {"only": ["x"]}, "models": ["m", "n"],
        "stream": True, "user": "u", "api_key": "k", "context_management": {"edits": []}}  # fmt: skip
    call = decode_request(document, "messages")

    assert ["zz", "model", "max_tokens", "messages", "stream", "context_management"] == list(
        call.body
    )
    assert (("m", "n"), True, 5, {"only": ["x"]}) == (
        call.models, call.stream, call.output_tokens_max, call.preferences)  # fmt: skip
    assert ("anthropic-messages", "messages") == (call.dialect, call.surface)
    assert "u" == call.converse().user


@pytest.mark.parametrize("name", sorted((OURS | STRIPPED) - {"models", "fallbacks", "provider"}))
def test_fields_that_speak_to_the_gateway_stay_here(name: str) -> None:
    assert BASE == decoded(**{name: "x"}).body


def test_fallbacks_are_models() -> None:
    assert ("m", "n", "o") == decoded(fallbacks=[{"model": "n"}, {"model": "m"}, {"model": "o"}]).models  # fmt: skip
    document = {**BASE, "models": ["n", "o"]}
    del document["model"]
    assert ("n", "o") == decode_request(document, "messages").models


BLOCK = "$.messages[0].content[0]"


def block(**fields: Any) -> dict[str, Any]:
    return {"messages": said(("user", [fields]))}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": 5}, "$.model"),
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"max_tokens": 1.5}, "$.max_tokens"),
        ({"messages": []}, "$.messages"),
        ({"messages": said(("tool", "x"))}, "$.messages[0].role"),
        ({"messages": said(("user", None))}, "$.messages[0].content"),
        ({"messages": said(("user", [{}]))}, BLOCK),
        (block(type="text"), BLOCK),
        (block(type="text", text=1), f"{BLOCK}.text"),
        (block(type="image"), BLOCK),
        (block(type="image", source={"type": "base64", "data": "x"}), f"{BLOCK}.source"),
        (block(type="image", source={"type": "url", "url": 1}), f"{BLOCK}.source.url"),
        (block(type="document", source={"type": "file"}), f"{BLOCK}.source"),
        (block(type="document", source={"type": "text"}), f"{BLOCK}.source"),
        (block(type="text", text="x", cache_control=1), f"{BLOCK}.cache_control"),
        (block(type="tool_use", id="a"), BLOCK),
        (block(type="tool_use", id="a", name="f", input="{}"), f"{BLOCK}.input"),
        (block(type="thinking"), BLOCK),
        (block(type="redacted_thinking"), BLOCK),
        (block(type="tool_result", tool_use_id="a", content=[{"type": "text"}]), f"{BLOCK}.content[0]"),
        (block(**RESULT), f"{BLOCK}.tool_use_id"),
        ({"system": [{"type": "text"}]}, "$.system[0]"),
        ({"tools": [{"name": "f"}]}, "$.tools[0]"),
        ({"tools": [{"type": "custom", "name": 1, "input_schema": {}}]}, "$.tools[0].name"),
        ({"tool_choice": {"type": "x"}}, "$.tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "$.tool_choice"),
        ({"thinking": {"type": "enabled"}}, "$.thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "$.thinking.budget_tokens"),
        ({"output_config": {"effort": 1}}, "$.output_config.effort"),
        ({"stop_sequences": "x"}, "$.stop_sequences"),
        ({"fallbacks": [{"model": "n"}] * 4}, "$.fallbacks"),
        ({"fallbacks": [{"model": "n", "x": 1}]}, "$.fallbacks[0]"),
        ({"fallbacks": [{"model": "n"}], "models": ["m"]}, "$.fallbacks"),
        ({"models": ["m"] * 4}, "$.models"),
        ({"messages": said(("user", "q"), ("assistant", [USE]), ("user", "a"))}, "$.messages[1].content[0]"),
        ({"messages": said(("assistant", [USE, USE]))}, "$.messages[0].content[1].id"),
        ({"messages": said(("assistant", [USE]), ("user", [RESULT, RESULT]))}, "$.messages[1].content[1].tool_use_id"),
        ({"messages": said(("assistant", [USE]), ("user", [RESULT]), ("assistant", "x"), ("user", [RESULT]))},
         "$.messages[3].content[0].tool_use_id"),
        ({"messages": said(("assistant", [USE]), ("user", "q"), ("assistant", "x"))}, "$.messages[0].content[0]"),
        ({"messages": said(("assistant", [USE, RESULT]))}, "$.messages[0].content[1].tool_use_id"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        decoded(**fields)

    assert raised.value.message.endswith(f" - at `{path}`")
    assert path.removeprefix("$.") == raised.value.metadata["field"]


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_a_missing_field_is_named(name: str) -> None:
    document = {key: value for key, value in BASE.items() if key != name}
    with pytest.raises(InvalidRequestError) as raised:
        decode_request(document, "messages")

    assert (f"Object missing required field `{name}`", name) == (
        raised.value.message, raised.value.metadata["field"])  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        block(type="new_thing", text=5),
        block(type="image", source={"type": "new"}),
        {"tools": [{"type": "bash_20250124", "name": "bash"}, {"name": "f", "input_schema": {}}]},
        {"thinking": {"type": "adaptive", "display": "omitted"}, "system": None},
        {"messages": said(("user", "q"), ("assistant", [USE]), ("system", "s"), ("user", [RESULT]))},
        {"messages": said(("assistant", "a"), ("assistant", [USE]), ("user", [RESULT]), ("user", "x"))},
        {"messages": said(("user", "q"), ("assistant", [USE]))},
        block(type="thinking", thinking="x"),
    ],
)  # fmt: skip
def test_what_a_provider_may_know_or_judge_passes(fields: dict[str, Any]) -> None:
    assert {**BASE, **fields} == decoded(**fields).body


def test_headers_of_the_dialect_go_on() -> None:
    headers = {b"anthropic-version": b"2023-06-01", b"anthropic-beta": b"a,b", b"cookie": b"x"}
    call = decode_request(BASE, "messages", headers)

    assert b"anthropic-beta: a,b\r\nanthropic-version: 2023-06-01\r\n" == call.native_headers
    assert b"anthropic-version: 2023-06-01\r\n" == decoded().native_headers


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"\xc3\xa9", b"x" * 1025, b"\x7f"])
def test_a_header_that_no_line_can_hold_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="anthropic-beta"):
        decode_request(BASE, "messages", {b"anthropic-beta": value})
