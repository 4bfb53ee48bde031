"""What requests mean: every part with its path, and nothing lost."""

from typing import Any

import pytest

from proxy.dialects.anthropic_messages.blocks import marked
from proxy.dialects.anthropic_messages.conversing import converse, unmarked
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AnswerFormat,
    FilePart,
    ImagePart,
    NativePart,
    NativeTool,
    Part,
    ReasoningPart,
    TextPart,
    Thinking,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)

NAME, SEAL, P = "anthropic-messages", "anthropic-claude-v1", "$.messages[0].content[0]"
CACHE: dict[str, Any] = {"type": "ephemeral", "ttl": "1h"}


def native(**document: Any) -> tuple[dict[str, Any], Part]:
    return document, NativePart(NAME, document, P)


BLOCKS: list[tuple[dict[str, Any], Part]] = [
    ({"type": "text", "text": "x", "cache_control": CACHE}, TextPart("x", CACHE, P)),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}, "cache_control": CACHE},
     ImagePart("image/png", "QQ==", cache=CACHE, path=P)),
    ({"type": "image", "source": {"type": "url", "url": "http://x"}}, ImagePart(url="http://x", path=P)),
    native(type="image", source={"type": "file", "file_id": "f"}),
    ({"type": "document", "title": "T", "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="}},
     FilePart("application/pdf", "QQ==", name="T", path=P)),
    ({"type": "document", "source": {"type": "url", "url": "http://x"}, "cache_control": CACHE},
     FilePart("application/pdf", url="http://x", cache=CACHE, path=P)),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "t"}},
     FilePart("text/plain", text="t", path=P)),
    ({"type": "document", "source": {"type": "content", "content": "t"}}, FilePart("text/plain", text="t", path=P)),
    ({"type": "document", "source": {"type": "file", "file_id": "f"}}, FilePart(file_id="f", path=P)),
    native(type="document", source={"type": "content", "content": [{"type": "text", "text": "t"}]}),
    ({"type": "tool_use", "id": "a", "name": "f", "input": {"b": 1, "a": "é"}, "cache_control": CACHE},
     ToolCallPart("a", "f", '{"b":1,"a":"é"}', CACHE, P)),
    ({"type": "tool_use", "id": "a", "name": "f"}, ToolCallPart("a", "f", "{}", None, P)),
    ({"type": "tool_result", "tool_use_id": "a", "content": "r", "is_error": True},
     ToolResultPart("a", [TextPart("r", path=f"{P}.content")], True, None, P)),
    ({"type": "tool_result", "tool_use_id": "a", "cache_control": CACHE, "content": [
        {"type": "text", "text": "r"}, {"type": "image", "source": {"type": "url", "url": "u"}}]},
     ToolResultPart("a", [TextPart("r", path=f"{P}.content[0]"), ImagePart(url="u", path=f"{P}.content[1]")],
                    False, CACHE, P)),
    ({"type": "tool_result", "tool_use_id": "a"}, ToolResultPart("a", [], False, None, P)),
    ({"type": "thinking", "thinking": "t", "signature": "S"}, ReasoningPart("t", "S", format=SEAL, path=P)),
    ({"type": "thinking", "thinking": "t", "signature": "google-gemini-v1:S"},
     ReasoningPart("t", "S", format="google-gemini-v1", path=P)),
    ({"type": "redacted_thinking", "data": "E"}, ReasoningPart(encrypted="E", format=SEAL, path=P)),
    native(type="search_result", source="s", title="t", content=[]),
    native(type="server_tool_use", id="a", name="web_search", input={}),
    native(type="new"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "part"), BLOCKS)
def test_a_block_is_a_part_with_its_path(document: dict[str, Any], part: Part) -> None:
    (turn,) = converse({"messages": [{"role": "user", "content": [document]}]}).turns

    assert Turn("user", [part], path="$.messages[0]") == turn


def test_turns_keep_their_order_and_the_system_comes_first() -> None:
    turns = converse({
        "system": [{"type": "text", "text": "s", "cache_control": CACHE}],
        "messages": [{"role": r, "content": r} for r in ("user", "assistant", "system")],
    }).turns  # fmt: skip

    assert [
        Turn("system", [TextPart("s", CACHE, "$.system[0]")], path="$.system"),
        Turn("user", [TextPart("user", path="$.messages[0].content")], path="$.messages[0]"),
        Turn("assistant", [TextPart("assistant", path="$.messages[1].content")], path="$.messages[1]"),
        Turn("system", [TextPart("system", path="$.messages[2].content")], path="$.messages[2]"),
    ] == turns  # fmt: skip
    assert [TextPart("s", path="$.system")] == converse({"system": "s"}).turns[0].parts


SCHEMA: dict[str, Any] = {"type": "object"}
FORMAT: dict[str, Any] = {"type": "json_schema", "schema": SCHEMA}


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"tools": [{"name": "f", "input_schema": SCHEMA, "description": "d", "strict": True, "cache_control": CACHE}]},
         "tools", [Tool("f", "d", SCHEMA, True, CACHE, "$.tools[0]")]),
        ({"tools": [{"type": "custom", "name": "f", "input_schema": SCHEMA}]}, "tools", [Tool("f", "", SCHEMA, path="$.tools[0]")]),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools",
         [NativeTool(NAME, {"type": "bash_20250124", "name": "bash"}, "$.tools[0]")]),
        ({"tool_choice": {"type": "auto"}}, "tool_choice", ToolChoice("auto")),
        ({"tool_choice": {"type": "any"}}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": {"type": "none"}}, "tool_choice", ToolChoice("none")),
        ({"tool_choice": {"type": "tool", "name": "f"}}, "tool_choice", ToolChoice("tool", "f")),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "parallel_tools", False),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}}, "parallel_tools", True),
        ({}, "parallel_tools", None), ({}, "tool_choice", None), ({}, "thinking", None),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "thinking", Thinking(True, budget=9)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
         "thinking", Thinking(True, "low", exclude=True)),
        ({"thinking": {"type": "disabled"}}, "thinking", Thinking(False)),
        ({"output_config": {"effort": "max"}}, "thinking", Thinking(None, "max")),
        ({"output_config": {"format": FORMAT}}, "answer_format", AnswerFormat("json_schema", schema=SCHEMA)),
        ({"output_format": FORMAT}, "answer_format", AnswerFormat("json_schema", schema=SCHEMA)),
        ({"output_config": {"format": {"type": "x"}}}, "answer_format", None),
        ({"stop_sequences": ["a", "b"]}, "stop", ["a", "b"]),
        ({"metadata": {"user_id": "u"}, "user": "v"}, "user", "u"), ({"user": "v"}, "user", "v"),
        ({"service_tier": "auto"}, "service_tier", "auto"), ({"speed": "fast"}, "service_tier", "priority"),
        ({"max_tokens": 5}, "output_tokens_max", 5), ({"temperature": 1}, "temperature", 1),
        ({"top_p": 0.5}, "top_p", 0.5), ({"top_k": 5}, "top_k", 5), ({"top_k": None}, "top_k", None),
    ],
)  # fmt: skip
def test_a_setting_is_said_in_the_hubs_words(fields: dict[str, Any], name: str, value: Any) -> None:
    assert value == getattr(converse({"messages": [], **fields}), name)


def test_arguments_that_no_json_can_hold_are_refused_with_their_path() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"n": 2**70}}
    with pytest.raises(InvalidRequestError, match=r"at `\$\.messages\[0\]\.content\[0\]\.input`"):
        converse({"messages": [{"role": "assistant", "content": [block]}]})


@pytest.mark.parametrize("form", [SEAL, "openai-responses-v1", "google-gemini-v1"])
def test_a_seal_comes_back_with_who_can_verify_it(form: str) -> None:
    assert (form, "QUJD+/==") == unmarked(marked("QUJD+/==", form))
