"""Requests for a provider: one table of what is said and what is written."""

from typing import Any, Literal

import orjson
import pytest

from proxy.dialects.anthropic_messages.asking import (
    CACHE_MARKS_MAX,
    JSON_ONLY,
    OUTPUT_TOKENS,
    encode_request,
    plainer,
)
from proxy.dialects.anthropic_messages.names import NAME
from proxy.dialects.registry import DIALECTS
from proxy.errors import InvalidRequestError
from proxy.model.call import Call
from proxy.model.conversation import (
    AnswerFormat,
    Conversation,
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
from tests.fakes.things import a_provider, an_endpoint

ADAPTIVE = a_provider(quirks=frozenset({"adaptive_thinking"}))
F = Tool("f", "does f", {"properties": {"a": {"type": "string"}}})
F_WRITTEN = {
    "name": "f", "description": "does f",
    "input_schema": {"properties": {"a": {"type": "string"}}, "type": "object"},
}  # fmt: skip
MARK: dict[str, Any] = {"type": "ephemeral"}


def asked(
    *parts: Part, stream: bool = False, tokens: int | None = None, endpoint: Any = None, **said: Any
) -> dict[str, Any]:
    """The body written for a user's turn of these parts and these settings."""
    turns = said.pop("turns", None) or [Turn("user", list(parts or (TextPart("hi"),)))]
    call = Call("openai-chat", "chat", {}, ("maker/model",), stream, tokens)
    call.converse = lambda: Conversation(turns, **said)
    document: dict[str, Any] = orjson.loads(encode_request(call, an_endpoint(**(endpoint or {}))))
    return document


def settings_of(body: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in body.items() if k not in {"model", "messages", "max_tokens"}}


def schema_of(**rules: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"pattern": {"type": "string", **rules}}}


MODES: list[tuple[Literal["auto", "none", "required"], str]] = [
    ("auto", "auto"), ("none", "none"), ("required", "any"),
]  # fmt: skip
ENABLED = {"type": "enabled", "budget_tokens": 2048}
DISABLED = {"thinking": {"type": "disabled"}}
THINK = Thinking(effort="medium")  # half of 4096
SHOWN = {"type": "adaptive", "display": "summarized"}
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"stream": True}, {"stream": True}),
    ({"user": "u", "stop": ["a", " \n", "b"]}, {"metadata": {"user_id": "u"}, "stop_sequences": ["a", "b"]}),
    ({"user": "u" * 257, "stop": [" "]}, {}),
    ({"service_tier": "default"}, {"service_tier": "standard_only"}),
    ({"service_tier": "flex", "extras": {"seed": 1, "n": 2}}, {}),
    # sampling
    ({"temperature": 1.7, "top_p": 0.5, "top_k": 3}, {"temperature": 1.0, "top_k": 3}),
    ({"temperature": -1.0, "top_k": 0}, {"temperature": 0.0}),
    ({"top_p": 1.5}, {"top_p": 1.0}),
    ({"temperature": 0.5, "top_k": 3, "endpoint": {"supported_parameters": ("top_k",)}}, {"top_k": 3}),
    ({"temperature": 0.5, "top_p": 0.5, "top_k": 3, "thinking": THINK}, {"thinking": ENABLED}),
    ({"temperature": 0.5, "thinking": Thinking(False)}, {"temperature": 0.5, **DISABLED}),
    # tools
    ({"tools": [F]}, {"tools": [F_WRITTEN]}),
    ({"tools": [Tool("f")]}, {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
    ({"tools": [Tool("f", schema=schema_of(minLength=1), strict=True, cache=MARK)]},
     {"tools": [{"name": "f", "strict": True, "cache_control": MARK,
                 "input_schema": {**schema_of(), "additionalProperties": False}}]}),
    ({"tools": [Tool("f", schema=schema_of(minLength=1), strict=False)]},
     {"tools": [{"name": "f", "input_schema": schema_of(minLength=1)}]}),
    ({"tools": [NativeTool(NAME, {"type": "web_search"})]}, {"tools": [{"type": "web_search"}]}),
    ({"tool_choice": ToolChoice("required"), "parallel_tools": False}, {}),  # of no tools
    *[({"tools": [F], "tool_choice": ToolChoice(mode)}, {"tools": [F_WRITTEN], "tool_choice": {"type": native}})
      for mode, native in MODES],
    ({"tools": [F], "tool_choice": ToolChoice("tool", "f"), "parallel_tools": False},
     {"tools": [F_WRITTEN], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}}),
    ({"tools": [F], "parallel_tools": False},
     {"tools": [F_WRITTEN], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
    ({"tools": [F], "parallel_tools": False, "tool_choice": ToolChoice("none")},
     {"tools": [F_WRITTEN], "tool_choice": {"type": "none"}}),
    ({"tools": [F], "parallel_tools": True}, {"tools": [F_WRITTEN]}),
    # answers
    ({"answer_format": AnswerFormat("json_object")}, {"system": [{"type": "text", "text": JSON_ONLY}]}),
    ({"answer_format": AnswerFormat("json_schema", schema=schema_of())},
     {"output_config": {"format": {"type": "json_schema", "schema": {**schema_of(), "additionalProperties": False}}}}),
    # thinking
    ({"thinking": Thinking()}, {}),
    ({"thinking": Thinking(effort="none")}, DISABLED),
    ({"thinking": Thinking(True)}, {"thinking": ENABLED}),
    ({"thinking": Thinking(budget=2048)}, {"thinking": ENABLED}),
    ({"thinking": Thinking(budget=1)}, {"thinking": {**ENABLED, "budget_tokens": 1024}}),
    ({"thinking": Thinking(effort="low")}, {"thinking": {**ENABLED, "budget_tokens": 1024}}),
    ({"thinking": Thinking(effort="high")}, {"thinking": {**ENABLED, "budget_tokens": 3276}}),
    ({"thinking": THINK, "endpoint": {"provider": ADAPTIVE}},
     {"thinking": SHOWN, "output_config": {"effort": "medium"}}),
    ({"thinking": Thinking(True, exclude=True), "temperature": 0.5, "endpoint": {"provider": ADAPTIVE}},
     {"thinking": {"type": "adaptive", "display": "omitted"}}),
    *[({"thinking": Thinking(budget=budget), "endpoint": {"provider": ADAPTIVE}},
       {"thinking": SHOWN, "output_config": {"effort": effort}})
      for budget, effort in ((800, "low"), (2048, "medium"), (9000, "high"))],
    ({"thinking": Thinking(effort="minimal"), "answer_format": AnswerFormat("json_schema"), "endpoint": {"provider": ADAPTIVE}},
     {"thinking": SHOWN, "output_config": {"format": {"type": "json_schema", "schema": {}}, "effort": "low"}}),
]  # fmt: skip


@pytest.mark.parametrize(("said", "written"), CASES)
def test_settings_are_written(said: dict[str, Any], written: dict[str, Any]) -> None:
    body = asked(**said)

    assert written == settings_of(body)
    assert (body["model"], body["max_tokens"]) == ("model-1", OUTPUT_TOKENS)


@pytest.mark.parametrize(
    ("tokens", "most", "thinking", "expected"),
    [
        # the client's cap, the endpoint's, the wish -> max_tokens, budget
        (None, None, None, (4096, None)),
        (None, 64_000, None, (64_000, None)),
        (100, 64_000, None, (100, None)),
        (100_000, 64_000, None, (64_000, None)),
        # never more than the client's cap: the money for that much is held
        (1000, None, Thinking(effort="high"), (1000, None)),
        (1025, 64_000, Thinking(effort="high"), (1025, 1024)),
        (3000, 64_000, Thinking(budget=5000), (3000, 2999)),
        (None, 3000, Thinking(budget=5000), (3000, 2999)),
        (None, 1024, Thinking(effort="low"), (1024, None)),
        (None, None, Thinking(budget=5000), (9096, 5000)),
    ],
)
def test_the_budget_of_thinking_is_below_the_cap_of_the_output(
    tokens: int | None,
    most: int | None,
    thinking: Thinking | None,
    expected: tuple[int, int | None],
) -> None:
    body = asked(tokens=tokens, thinking=thinking, endpoint={"output_tokens_max": most})

    assert expected == (body["max_tokens"], body.get("thinking", {}).get("budget_tokens"))


def test_bug_13_thinking_takes_force_from_the_choice_of_tools() -> None:
    for choice in (ToolChoice("required"), ToolChoice("tool", "f")):
        for provider in (a_provider(), ADAPTIVE):
            body = asked(
                tools=[F],
                tool_choice=choice,
                parallel_tools=False,
                thinking=THINK,
                endpoint={"provider": provider},
            )
            assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    unthought = asked(tools=[F], tool_choice=ToolChoice("required"), thinking=Thinking(False))
    assert unthought["tool_choice"] == {"type": "any"}


def test_bug_14_a_schema_for_the_answer_leaves_tools_and_choice_alone() -> None:
    body = asked(tools=[F], answer_format=AnswerFormat("json_schema", schema=schema_of()))

    assert body["tools"] == [F_WRITTEN]
    assert "tool_choice" not in body


@pytest.mark.parametrize("signed", [True, False])
def test_a_turn_that_began_without_thinking_goes_on_without(signed: bool) -> None:  # noqa: FBT001
    thought = ReasoningPart("hm", "sig" if signed else "")
    turns = [
        Turn("user", [TextPart("hi")]),
        Turn("assistant", [thought, ToolCallPart("a", "f", "")]),
        Turn("user", [ToolResultPart("a", [TextPart("1")])]),
    ]

    assert signed == ("thinking" in asked(turns=turns, tools=[F], thinking=THINK))
    assert "thinking" in asked(turns=turns, thinking=THINK, endpoint={"provider": ADAPTIVE})
    assert "thinking" not in asked(
        turns=[turns[0], Turn("assistant", [TextPart("a")])], thinking=THINK
    )


def test_bug_10_the_last_marks_of_caches_are_kept_in_the_order_of_reading() -> None:
    parts = [TextPart(str(i), MARK) for i in range(2)]
    turns = [
        Turn("system", [TextPart("s", MARK)]),
        Turn("user", [TextPart("hi"), *parts]),
        Turn("assistant", [ToolCallPart("a", "f", "", MARK)]),
        Turn("user", [ToolResultPart("a", [TextPart("in", MARK)])]),
    ]
    body = asked(turns=turns, tools=[Tool("f", cache=MARK), Tool("g", cache=MARK)])
    written = orjson.dumps(body)

    assert written.count(b"cache_control") == CACHE_MARKS_MAX
    assert b"cache_control" not in orjson.dumps([body["tools"], body["system"]])
    few = asked(turns=turns[:2], tools=[Tool("f", cache=MARK)])
    assert [few["tools"][0]["cache_control"], few["system"][0]["cache_control"]] == [MARK, MARK]
    assert [b.get("cache_control") for b in few["messages"][0]["content"]] == [None, MARK, MARK]


def test_a_schema_loses_the_rules_that_are_not_known_and_no_field_of_such_a_name() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "not": {"type": "integer", "minimum": 1, "enum": [1], "default": {"minimum": 1}},
            "format": {"type": ["object", "null"], "format": "date"},
            "list": {"type": "array", "minItems": 2, "items": {"oneOf": [{"format": "ssn"}, {"$ref": "#/$defs/x"}]}},
        },
        "$defs": {"x": {"properties": {}, "additionalProperties": True}},
        "required": ["not"],
    }  # fmt: skip

    assert plainer(schema) == {
        "type": "object",
        "properties": {
            "not": {"type": "integer", "enum": [1], "default": {"minimum": 1}},
            "format": {"type": ["object", "null"], "format": "date", "additionalProperties": False},
            "list": {"type": "array", "items": {"anyOf": [{}, {"$ref": "#/$defs/x"}]}},
        },
        "$defs": {"x": {"properties": {}, "additionalProperties": False}},
        "required": ["not"],
        "additionalProperties": False,
    }


P = "$.tools[1]"


@pytest.mark.parametrize(
    "tool",
    [Tool("", path=P), Tool("a b", path=P), Tool("f" * 129, path=P), NativeTool("other", {}, P),
     Tool("f", schema={"type": "string"}, path=P)],
)  # fmt: skip
def test_a_tool_that_cannot_be_written_is_refused_by_its_path(tool: Tool | NativeTool) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(tools=[F, tool])

    assert caught.value.metadata == {"field": P}


def test_a_body_of_the_same_dialect_is_sent_on_as_it_is_but_for_the_model() -> None:
    text = (
        '{"x":{"b":1,"a":[1.0,null]},"model":"maker/model","messages":[{"content":"ä \\u0001","role":"user"}],'
        '"stream":true,"max_tokens":9,"thinking":{"budget_tokens":1,"type":"enabled"},"a_new_field":{}}'
    )
    call = Call(NAME, "messages", orjson.loads(text), ("maker/model",), stream=True)

    assert encode_request(call, an_endpoint()).decode() == text.replace("maker/model", "model-1")
    assert call.body["model"] == "maker/model"


def test_a_schema_may_nest_as_deep_as_a_request_may() -> None:
    schema: dict[str, Any] = {"minimum": 1}
    for _ in range(120):
        schema = {"anyOf": [schema]}
    plain = plainer(schema)

    assert orjson.dumps(schema).replace(b'"minimum":1', b"") == orjson.dumps(plain)


def test_a_body_that_cannot_be_written_is_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(InvalidRequestError):
        encode_request(Call(NAME, "messages", {"x": deep}, ()), an_endpoint())


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2VhbA=="}
SEALED = {"type": "redacted_thinking", "data": "c2VhbA=="}
SAID = {"type": "text", "text": "Yes."}


@pytest.mark.parametrize(
    ("blocks", "kept"),
    [
        ([THOUGHT, SEALED, SAID], [THOUGHT, SEALED, SAID]),
        ([{**THOUGHT, "signature": "openai-responses-v1:abc"}, SAID], [SAID]),
        ([{**SEALED, "data": "google-gemini-v1:abc"}, SAID], [SAID]),
        ([{**THOUGHT, "signature": ""}, SAID], [SAID]),
        ([{"type": "thinking", "thinking": "hm"}, SAID, THOUGHT], [SAID, THOUGHT]),
        ([{**THOUGHT, "signature": "openai-responses-v1:abc"}], None),
    ],
)
def test_thinking_that_this_api_did_not_sign_is_not_sent_to_it(blocks: Any, kept: Any) -> None:
    asked = {"role": "user", "content": "Well?"}
    document = {"model": "m", "max_tokens": 9, "messages": [asked, {"role": "assistant", "content": blocks}, asked]}  # fmt: skip
    call = DIALECTS[NAME].decode_request(document, "messages")
    sent = orjson.loads(encode_request(call, an_endpoint()))["messages"]

    assert [
        asked,
        *([] if kept is None else [{"role": "assistant", "content": kept}]),
        asked,
    ] == sent
