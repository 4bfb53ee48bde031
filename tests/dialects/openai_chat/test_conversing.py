"""A client's request as a conversation: tables of what is said, and paths of what is wrong."""

from typing import Any

import pytest

from proxy.dialects.openai_chat.conversing import converse
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AnswerFormat,
    ImagePart,
    NativePart,
    NativeTool,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Thinking,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)

MARK = {"type": "ephemeral"}
M = "$.messages[0]"
SCHEMA = {"type": "object"}


def call(**changes: Any) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **changes}


CUSTOM = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}


@pytest.mark.parametrize(
    ("message", "turn"),
    [
        ({"role": "system", "content": "a"}, Turn("system", [TextPart("a", path=f"{M}.content")], path=M)),
        ({"role": "developer", "content": [{"type": "text", "text": "a"}], "name": "n"},
         Turn("system", [TextPart("a", path=f"{M}.content[0]")], "n", M)),
        ({"role": "user", "content": "a", "cache_control": MARK},
         Turn("user", [TextPart("a", MARK, f"{M}.content")], path=M)),
        ({"role": "assistant", "content": "a", "reasoning": "r", "refusal": "no", "tool_calls": [call()],
          "images": [{"type": "image_url", "image_url": {"url": "u"}}]},
         Turn("assistant", [
             ReasoningPart("r", path=f"{M}.reasoning"), TextPart("a", path=f"{M}.content"),
             RefusalPart("no", f"{M}.refusal"), ImagePart(url="u", path=f"{M}.images[0]"),
             ToolCallPart("c", "f", "{}", path=f"{M}.tool_calls[0]")], path=M)),
        ({"role": "assistant", "content": None, "tool_calls": [call(cache_control=MARK), CUSTOM]},
         Turn("assistant", [ToolCallPart("c", "f", "{}", MARK, f"{M}.tool_calls[0]"),
                            NativePart("openai-chat", CUSTOM, f"{M}.tool_calls[1]")], path=M)),
        ({"role": "assistant", "function_call": {"name": "f", "arguments": {"a": 1}}},
         Turn("assistant", [ToolCallPart("f", "f", '{"a":1}', path=f"{M}.function_call")], path=M)),
        ({"role": "assistant", "audio": {"id": "x"}},
         Turn("assistant", [NativePart("openai-chat", {"audio": {"id": "x"}}, f"{M}.audio")], path=M)),
        ({"role": "tool", "tool_call_id": "c", "content": "a", "cache_control": MARK},
         Turn("user", [ToolResultPart("c", [TextPart("a", path=f"{M}.content")], cache=MARK, path=M)], path=M)),
        ({"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "a", "cache_control": MARK}]},
         Turn("user", [ToolResultPart("c", [TextPart("a", MARK, f"{M}.content[0]")], path=M)], path=M)),
        ({"role": "function", "name": "f", "content": "a"},
         Turn("user", [ToolResultPart("f", [TextPart("a", path=f"{M}.content")], path=M)], "f", M)),
    ],
)  # fmt: skip
def test_a_message_is_a_turn(message: Any, turn: Turn) -> None:
    assert [turn] == converse({"messages": [message]}).turns


WEB = {"type": "web_search", "x": 1}


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ({"tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "parameters": SCHEMA, "strict": True}, "cache_control": MARK}]},
         "tools", [Tool("f", "d", SCHEMA, True, MARK, "$.tools[0]")]),
        ({"tools": [{"function": {"name": "f", "cache_control": MARK}}, WEB]}, "tools",
         [Tool("f", cache=MARK, path="$.tools[0]"), NativeTool("openai-chat", WEB, "$.tools[1]")]),
        ({"functions": [{"name": "f"}]}, "tools", [Tool("f", path="$.functions[0]")]),
        ({"tool_choice": "auto"}, "tool_choice", ToolChoice("auto")),
        ({"tool_choice": "none"}, "tool_choice", ToolChoice("none")),
        ({"tool_choice": "required"}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": "any"}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": {"type": "any"}}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice", ToolChoice("tool", "f")),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice", ToolChoice("tool", "f")),
        ({"function_call": {"name": "f"}}, "tool_choice", ToolChoice("tool", "f")),
        ({"parallel_tool_calls": False}, "parallel_tools", False),
        ({"max_tokens": 5}, "output_tokens_max", 5),
        ({"max_tokens": 5, "max_completion_tokens": 7.0}, "output_tokens_max", 7),
        ({"temperature": 0}, "temperature", 0), ({"top_p": 0.5}, "top_p", 0.5), ({"top_k": 0}, "top_k", 0),
        ({"stop": "x"}, "stop", ["x"]), ({"stop": ["x", "y"]}, "stop", ["x", "y"]), ({"stop": None}, "stop", []),
        ({"reasoning": {"effort": "high", "exclude": True}}, "thinking", Thinking(effort="high", exclude=True)),
        ({"reasoning": {"max_tokens": 9, "enabled": True}}, "thinking", Thinking(True, budget=9)),
        ({"reasoning_effort": "low"}, "thinking", Thinking(effort="low")),
        ({"include_reasoning": False}, "thinking", Thinking(exclude=True)),
        ({"include_reasoning": True}, "thinking", Thinking()),
        ({}, "thinking", None),
        ({"response_format": {"type": "json_object"}}, "answer_format", AnswerFormat("json_object")),
        ({"response_format": {"type": "text"}}, "extras", {}),
        ({"response_format": {"type": "grammar", "grammar": "g"}}, "extras",
         {"response_format": {"type": "grammar", "grammar": "g"}}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
         "answer_format", AnswerFormat("json_schema", "n", SCHEMA, True)),
        ({"user": "u"}, "user", "u"), ({"service_tier": "flex"}, "service_tier", "flex"),
        ({"seed": 1, "n": 2, "metadata": {"a": "b"}, "models": ["x"], "api_key": "k", "stream": True}, "extras",
         {"seed": 1, "n": 2, "metadata": {"a": "b"}}),
    ],
)  # fmt: skip
def test_a_setting_is_read(field: Any, name: str, value: Any) -> None:
    said = converse({"messages": [], **field})

    assert value == getattr(said, name)
    assert "extras" == name or {} == said.extras


@pytest.mark.parametrize("prompt", ["hi", ["hi"]])
def test_a_prompt_is_a_turn_of_the_user(prompt: Any) -> None:
    (turn,) = converse({"prompt": prompt}).turns

    assert ("user", ["hi"]) == (turn.role, [p.text for p in turn.parts if isinstance(p, TextPart)])


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"messages": 5}, "$.messages"), ({"messages": ["x"]}, M), ({"messages": [{}]}, f"{M}.role"),
        ({"messages": [{"role": "ghost"}]}, f"{M}.role"),
        ({"messages": [{"role": "user", "content": 5}]}, f"{M}.content"),
        ({"messages": [{"role": "tool", "content": "a"}]}, f"{M}.tool_call_id"),
        ({"messages": [{"role": "user", "content": "a", "cache_control": "x"}]}, f"{M}.cache_control"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, f"{M}.tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [call(id=None)]}]}, f"{M}.tool_calls[0].id"),
        ({"messages": [{"role": "assistant", "tool_calls": [call(function=None)]}]}, f"{M}.tool_calls[0].function"),
        ({"messages": [{"role": "assistant", "tool_calls": [call(function={"name": "f", "arguments": 5})]}]},
         f"{M}.tool_calls[0].function.arguments"),
        ({"tools": [5]}, "$.tools[0]"), ({"tools": [{"type": "function"}]}, "$.tools[0].function"),
        ({"tools": [{"function": {"name": "f", "parameters": []}}]}, "$.tools[0].function.parameters"),
        ({"tool_choice": "maybe"}, "$.tool_choice"), ({"tool_choice": {"type": "allowed_tools"}}, "$.tool_choice"),
        ({"tool_choice": {"type": "function", "function": {}}}, "$.tool_choice.function.name"),
        ({"tool_choice": 5}, "$.tool_choice"),
        ({"stop": 5}, "$.stop"), ({"stop": [5]}, "$.stop"), ({"temperature": True}, "$.temperature"),
        ({"max_tokens": 1.5}, "$.max_tokens"), ({"reasoning": {"max_tokens": "9"}}, "$.reasoning.max_tokens"),
        ({"reasoning": {"exclude": 1}}, "$.reasoning.exclude"),
        ({"response_format": {}}, "$.response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "$.response_format.json_schema"),
    ],
)  # fmt: skip
def test_what_is_of_another_shape_is_refused_with_its_path(document: Any, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        converse({"messages": [], **document})

    assert f"`{path}`" in caught.value.message


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1]], None])
def test_prompts_that_are_no_single_text_are_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"\$\.prompt"):
        converse({"prompt": prompt})
