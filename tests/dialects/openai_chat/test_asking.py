"""A conversation as a chat request, by table; and requests there and back again."""

from dataclasses import fields, is_dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.dialects.openai_chat.asking import ask
from proxy.dialects.openai_chat.conversing import converse
from proxy.dialects.openai_chat.request import encode_request
from proxy.dialects.openai_chat.saying import SEE_BELOW
from proxy.errors import InvalidRequestError
from proxy.model.call import Call
from proxy.model.conversation import (
    AnswerFormat,
    Conversation,
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
from proxy.model.endpoint import Endpoint
from tests.fakes.things import a_provider, an_endpoint

MARK = {"type": "ephemeral"}
CALLS = [{"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in "cd"]
A_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}  # fmt: skip
ALL = ("native_reasoning", "cache_control")


def at(*quirks: str, **changes: Any) -> Endpoint:
    return an_endpoint(a_provider(quirks=frozenset(quirks)), **changes)


def asked(conversation: Conversation, *quirks: str, **changes: Any) -> dict[str, Any]:
    call = Call("other", "messages", {}, ("m",))
    return ask(conversation, call, at(*quirks, **changes))


def messages(turns: list[Turn], *quirks: str) -> Any:
    return asked(Conversation(turns), *quirks)["messages"]


def said(*parts: Any, role: Any = "user", name: str = "") -> Turn:
    return Turn(role, [*parts], name)


RESULTS = [ToolResultPart(i, [TextPart(i * 2)]) for i in "cd"]
TOLD = [{"role": "tool", "tool_call_id": i, "content": i * 2} for i in "cd"]
BOTH = said(ToolCallPart("c", "f", "{}"), ToolCallPart("d", "f", ""), role="assistant")
CALLED = {"role": "assistant", "content": None, "tool_calls": CALLS}
IMAGE, AN_IMAGE = ImagePart(url="u"), {"type": "image_url", "image_url": {"url": "u"}}
BELOW = {"role": "tool", "tool_call_id": "c", "content": SEE_BELOW}


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([said(TextPart("a"), role="system", name="n")], [{"role": "system", "name": "n", "content": "a"}]),
        ([said(TextPart("a")), said()], [{"role": "user", "content": "a"}, {"role": "user", "content": ""}]),
        ([said(TextPart("a"), role="assistant")], [{"role": "assistant", "content": "a"}]),
        ([said(role="assistant")], [{"role": "assistant", "content": ""}]),
        ([said(RefusalPart("no"), role="assistant")], [{"role": "assistant", "content": None, "refusal": "no"}]),
        ([said(TextPart("a"), IMAGE, ToolCallPart("c", "f", "{}"), role="assistant")],
         [{"role": "assistant", "content": "a", "images": [AN_IMAGE], "tool_calls": CALLS[:1]}]),
        ([BOTH, said(*RESULTS)], [CALLED, *TOLD]),
        ([BOTH, said(RESULTS[0]), said(RESULTS[1]), said(TextPart("a"))], [CALLED, *TOLD, {"role": "user", "content": "a"}]),
        ([BOTH, said(TextPart("a"), *RESULTS)], [CALLED, *TOLD, {"role": "user", "content": "a"}]),
        ([BOTH, said(ToolResultPart("c", [IMAGE])), said(RESULTS[1])],
         [CALLED, BELOW, TOLD[1], {"role": "user", "content": [AN_IMAGE]}]),
        ([BOTH, said(ToolResultPart("c", [IMAGE]), RESULTS[1], TextPart("a"))],
         [CALLED, BELOW, TOLD[1], {"role": "user", "content": [AN_IMAGE, {"type": "text", "text": "a"}]}]),
        ([said(ToolResultPart("c", [IMAGE])), said(TextPart("a"), role="assistant")],
         [BELOW, {"role": "user", "content": [AN_IMAGE]}, {"role": "assistant", "content": "a"}]),
        ([said(NativePart("openai-chat", {"audio": {"id": "x"}}), NativePart("openai-chat", {"id": "c"}),
               NativePart("openai-chat", {"type": "x"}), role="assistant")],
         [{"role": "assistant", "content": [{"type": "x"}], "audio": {"id": "x"}, "tool_calls": [{"id": "c"}]}]),
    ],
)  # fmt: skip
def test_turns_are_messages(turns: list[Turn], expected: Any) -> None:
    assert expected == messages(turns)


def test_results_of_different_calls_are_never_one_message_bug_18() -> None:
    assert ["c", "d"] == [m["tool_call_id"] for m in messages([BOTH, said(*RESULTS)])[1:]]


@pytest.mark.parametrize(
    ("quirks", "field"),
    [((), None), (("native_reasoning",), "reasoning_details"), (("echo_reasoning",), "reasoning_content")],
)  # fmt: skip
def test_thinking_goes_back_the_way_the_provider_takes_it(quirks: Any, field: Any) -> None:
    turn = said(ReasoningPart("a", "s"), TextPart("b"), role="assistant")
    (message,) = messages([turn], *quirks)

    assert {field} - {None} == set(message) - {"role", "content", "reasoning"}


def test_marks_go_to_parts_tools_and_results_of_providers_that_take_them_bug_10() -> None:
    conversation = Conversation(
        [
            said(TextPart("a", MARK), role="system"),
            said(ToolResultPart("c", [TextPart("b")], cache=MARK)),
        ],
        tools=[Tool("f", cache=MARK)],
    )
    kept, dropped = asked(conversation, "cache_control"), asked(conversation)

    assert 3 == str(kept).count("cache_control")
    assert MARK == kept["tools"][0]["cache_control"]
    assert "cache_control" not in str(dropped)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tools": [Tool("f")]}, {"tools": [A_TOOL]}),
        ({"tools": [Tool("f", "d", {"type": "object"}, True)], "tool_choice": ToolChoice("tool", "f"), "parallel_tools": False},
         {"tools": [{"type": "function", "function": {
             "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}}],
          "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": False}),
        ({"tools": [NativeTool("openai-chat", {"type": "x"})], "tool_choice": ToolChoice("required")},
         {"tools": [{"type": "x"}], "tool_choice": "required"}),
        ({"tool_choice": ToolChoice("none"), "parallel_tools": True}, {}),
        ({"output_tokens_max": 9, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "stop": ["x"], "user": "u"},
         {"max_tokens": 9, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "stop": ["x"], "user": "u"}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"answer_format": AnswerFormat("json_object")}, {"response_format": {"type": "json_object"}}),
        ({"answer_format": AnswerFormat("json_schema", "n", {"a": 1}, True)},
         {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}}}),
        ({"answer_format": AnswerFormat("json_schema")},
         {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}}}),
        ({"extras": {"seed": 1, "metadata": {"a": "b"}}}, {"seed": 1, "metadata": {"a": "b"}}),
    ],
)  # fmt: skip
def test_settings_are_said(changes: Any, expected: Any) -> None:
    document = asked(Conversation([], **changes))

    assert {"model": "model-1", "messages": [], **expected} == document


def test_a_setting_that_the_endpoint_does_not_list_is_left_out() -> None:
    assert "top_k" not in asked(Conversation([], top_k=4), supported_parameters=("top_p",))


@pytest.mark.parametrize(
    ("thinking", "natively", "effort"),
    [
        (Thinking(), None, None),
        (Thinking(enabled=True), {"enabled": True}, "medium"),
        (Thinking(enabled=False), {"enabled": False}, None),
        (Thinking(effort="high", exclude=True), {"effort": "high", "exclude": True}, "high"),
        (Thinking(effort="max"), {"effort": "max"}, "max"),
        (Thinking(True, budget=950), {"max_tokens": 950, "enabled": True}, "high"),
        (Thinking(budget=799), {"max_tokens": 799}, "high"),
        (Thinking(budget=500), {"max_tokens": 500}, "medium"),
        (Thinking(budget=200), {"max_tokens": 200}, "low"),
        (Thinking(budget=1), {"max_tokens": 1}, "low"),
        (Thinking(budget=800, effort="low"), {"max_tokens": 800}, "low"),
    ],
)
def test_thinking_is_asked_for_in_the_providers_words_bug_62(
    thinking: Thinking, natively: Any, effort: Any
) -> None:
    conversation = Conversation([], thinking=thinking, output_tokens_max=1000)

    assert natively == asked(conversation, "native_reasoning").get("reasoning")
    assert effort == asked(conversation).get("reasoning_effort")


@pytest.mark.parametrize(
    ("conversation", "path"),
    [
        (Conversation([said(NativePart("other", {}, "$.a"))]), "$.a"),
        (Conversation([said(NativePart("other", {}, "$.b"), role="assistant")]), "$.b"),
        (Conversation([], tools=[NativeTool("other", {}, "$.c")]), "$.c"),
    ],
)
def test_what_only_another_dialect_knows_is_refused_with_its_path(
    conversation: Conversation, path: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(conversation)

    assert f"`{path}`" in caught.value.message


def test_a_call_of_another_dialect_is_sent_with_this_ones_quirks() -> None:
    conversation = Conversation([said(TextPart("a"))], output_tokens_max=9)
    call = Call("other", "messages", {"x": 1}, ("m",), stream=True, converse=lambda: conversation)

    assert {
        "model": "model-1",
        "messages": [{"role": "user", "content": "a"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 9,
    } == orjson.loads(encode_request(call, at("max_completion_tokens")))


TEXT = st.text(max_size=8)
WORD = st.text("abcXYZ_019", min_size=1, max_size=8)
MARKS = st.sampled_from([{}, {}, {"cache_control": MARK}])
TEXTS = st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, TEXT, MARKS)
IMAGES = st.builds(
    lambda data, mark: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}, **mark},
    WORD, MARKS,
)  # fmt: skip
FILES = st.builds(
    lambda name, data: {"type": "file", "file": {"filename": name, "file_data": f"data:application/pdf;base64,{data}"}},
    WORD, WORD,
)  # fmt: skip
SOUNDS = st.builds(
    lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}, WORD
)
VIDEOS = st.builds(lambda url: {"type": "video_url", "video_url": {"url": url}}, WORD)
USER = st.builds(
    lambda content: {"role": "user", "content": content},
    TEXT | st.lists(TEXTS | IMAGES | FILES | SOUNDS | VIDEOS, min_size=1, max_size=3),
)
SYSTEM = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer"]), TEXT | st.lists(TEXTS, min_size=1, max_size=2),
)  # fmt: skip
DETAILS = st.lists(
    st.builds(
        lambda text, sign, form: {"type": "reasoning.text", "text": text, **sign, **form},
        WORD, st.sampled_from([{}, {"signature": "s+/="}]), st.sampled_from([{}, {"format": "anthropic-claude-v1"}]),
    )
    | st.builds(lambda text: {"type": "reasoning.summary", "summary": text}, WORD)
    | st.builds(lambda data: {"type": "reasoning.encrypted", "data": data}, WORD),
    max_size=3,
)  # fmt: skip


@st.composite
def exchanges(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An assistant's message with calls, and their results."""
    ids = draw(st.lists(WORD, max_size=3, unique=True))
    assistant = {"role": "assistant", "content": draw(TEXT), "reasoning_details": draw(DETAILS)}
    if ids:
        assistant["tool_calls"] = [
            {"id": i, "type": "function", "function": {"name": draw(WORD), "arguments": orjson.dumps({"a": draw(TEXT)}).decode()}}
            for i in ids
        ]  # fmt: skip
    content = TEXT | st.lists(TEXTS, min_size=1, max_size=2)
    results = [{"role": "tool", "tool_call_id": i, "content": draw(content)} for i in ids]
    return [assistant, *results]


def flat(lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [message for part in lists for message in part]


MESSAGES = st.lists(exchanges() | st.lists(USER | SYSTEM, max_size=2), max_size=4).map(flat)
TOOLS = st.lists(
    st.builds(
        lambda name, text, mark: {"type": "function", "function": {
            "name": name, "description": text, "parameters": {"type": "object", "x": text}}, **mark},
        WORD, TEXT, MARKS,
    )
    | st.builds(lambda word: {"type": "web_search", "x": word}, WORD),
    min_size=1, max_size=3,
)  # fmt: skip
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "tools": TOOLS, "max_tokens": st.integers(1, 9999), "temperature": st.floats(0, 2), "top_k": st.integers(0, 9),
        "stop": st.lists(WORD, min_size=1, max_size=2), "user": WORD, "seed": st.integers(0, 9), "min_p": st.floats(0, 1),
        "reasoning": st.sampled_from([{"effort": "low"}, {"max_tokens": 99}, {"enabled": False, "exclude": True}]),
        "response_format": st.sampled_from(
            [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}]),
    },
)  # fmt: skip


def placeless(value: Any) -> Any:
    """A conversation as plain values, without the paths."""
    if is_dataclass(value):
        named = {f.name: placeless(getattr(value, f.name)) for f in fields(value)}
        named.pop("path", None)
        return {"is": type(value).__name__, **named}
    return [placeless(item) for item in value] if isinstance(value, list) else value


@given(MESSAGES, SETTINGS)
def test_a_request_there_and_back_again_means_the_same(messages: Any, settings: Any) -> None:
    first = converse({"messages": messages, **settings})
    document = asked(first, *ALL)

    assert placeless(first) == placeless(converse(document))
    orjson.dumps(document)
