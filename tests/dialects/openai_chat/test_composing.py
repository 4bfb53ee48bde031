"""Events of another dialect as deltas and messages; and what our own reader makes of them."""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.dialects.openai_chat.composing import Deltas, messages
from proxy.dialects.openai_chat.reading import Reading
from proxy.model.event import (
    Citation,
    Event,
    Finished,
    Image,
    Native,
    Reasoning,
    ReasoningSealed,
    Refusal,
    Started,
    Text,
    ToolCall,
    Usage,
)

F = "anthropic-claude-v1"
CITED = {"type": "url_citation",
         "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 0}}  # fmt: skip
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}


def delta(*events: Event) -> Any:
    """What a stream that has begun tells of these events."""
    deltas = Deltas()
    deltas.of([Text("x")])
    return deltas.of([*events]).get(0)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], None), ([Native("other", {}), Started()], None), ([Usage()], None),
        ([Text("")], None), ([Reasoning("")], None), ([ReasoningSealed(0, format=F)], None), ([Citation()], None),
        ([Text("a"), Text("b")], {"content": "ab"}),
        ([Reasoning("a", block=2)],
         {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 2}]}),
        ([Reasoning("a", summary=True)],
         {"reasoning": "a", "reasoning_details": [{"type": "reasoning.summary", "summary": "a", "index": 0}]}),
        ([ReasoningSealed(1, "s", format=F)],
         {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "format": F, "index": 1}]}),
        ([ReasoningSealed(1, encrypted="e")],
         {"reasoning_details": [{"type": "reasoning.encrypted", "data": "e", "index": 1}]}),
        ([Refusal("n"), Refusal("o")], {"refusal": "no"}),
        ([Text("a"), Citation("u", "t")], {"content": "a", "annotations": [CITED]}),
        ([Citation("u", "t", "c", 2, 5)],
         {"annotations": [{"type": "url_citation", "url_citation": {
             "url": "u", "title": "t", "content": "c", "start_index": 2, "end_index": 5}}]}),
        ([Image("image/png", "AA")], {"images": [PICTURE]}),
        ([ToolCall(1, "c", "f", "{}"), ToolCall(4, "d", "g", "{}")], {"tool_calls": [
            {"index": 1, "type": "function", "function": {"arguments": "{}", "name": "f"}, "id": "c"},
            {"index": 4, "type": "function", "function": {"arguments": "{}", "name": "g"}, "id": "d"}]}),
        ([Finished("stop", "x")], {}),
    ],
)  # fmt: skip
def test_events_are_a_delta_and_nothing_where_they_say_nothing(events: Any, told: Any) -> None:
    assert told == delta(*events)


def test_a_message_of_text_alone_holds_nothing_else() -> None:
    events: list[Event] = [Native("other", {}), Started("up"), Text("a"), Text("b", 1), Usage()]

    assert {n: {"role": "assistant", "content": text} for n, text in enumerate("ab")} == messages(
        events
    )


def test_arguments_may_come_before_the_name() -> None:
    deltas = Deltas()
    deltas.of([ToolCall(0, "c"), ToolCall(0, arguments="{}")])

    assert {} == deltas.of([Finished("tool_calls", "x")])[0]


def test_the_role_is_told_once_per_choice() -> None:
    deltas = Deltas()
    frames: list[list[Event]] = [
        [Text("a"), Text("b", 1)],
        [Text("c", 1)],
        [ToolCall(0, "c", "f", "{}", 2)],
    ]
    told = [deltas.of(events) for events in frames]

    assert {0: {"role": "assistant", "content": "a"}, 1: {"role": "assistant", "content": "b"}} == told[0]  # fmt: skip
    assert {1: {"content": "c"}} == told[1]
    assert ("assistant", None) == (told[2][2]["role"], told[2][2]["content"])


def test_a_call_without_arguments_gets_an_object_at_the_end() -> None:
    deltas = Deltas()
    deltas.of([ToolCall(0, "c", "f"), ToolCall(1, "d", "g"), ToolCall(1, arguments="{}")])

    assert ["{}"] == [c["function"]["arguments"] for c in deltas.of([Finished("tool_calls", "x")])[0]["tool_calls"]]  # type: ignore[union-attr, index, call-overload]  # fmt: skip
    assert {} == deltas.of([Finished("tool_calls", "x")])[0]


def test_a_first_piece_of_a_call_has_id_type_and_name_and_the_events_index_bug_1() -> None:
    (entry,) = delta(ToolCall(0, "c", "f", ""))["tool_calls"]

    assert (0, "c", "function", "f") == (entry["index"], entry["id"], entry["type"], entry["function"]["name"])  # fmt: skip


def test_text_and_calls_of_one_frame_are_both_told_bug_5() -> None:
    told = delta(Text("a"), ToolCall(0, "c", "f", "{}"))

    assert ("a", "f") == (told["content"], told["tool_calls"][0]["function"]["name"])


def test_plain_text_changes_no_state_after_the_first() -> None:
    deltas, other = Deltas(), Deltas()
    other.of([Text("a")])
    for _ in range(5):
        deltas.of([Text("a")])

    assert vars(other) == vars(deltas)


def test_a_message_puts_pieces_together() -> None:
    events: list[Event] = [
        Reasoning("a"), Reasoning("b"), ReasoningSealed(0, "s", format=F), ReasoningSealed(1, encrypted="e"),
        Reasoning("c", block=2, summary=True), Text("H"), Text("i"), Citation("u", "t"), Image("image/png", "AA"),
        ToolCall(0, "c", "f", '{"a'), ToolCall(1, "d", "g"), ToolCall(0, arguments='":1}'), Refusal("no"),
        Finished("stop", "x"),
    ]  # fmt: skip

    assert {0: {
        "role": "assistant", "content": "Hi", "reasoning": "abc", "refusal": "no",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "ab", "signature": "s", "format": F, "index": 0},
            {"type": "reasoning.encrypted", "data": "e", "index": 1},
            {"type": "reasoning.summary", "summary": "c", "index": 2},
        ],
        "annotations": [CITED], "images": [PICTURE],
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
            {"id": "d", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }} == messages(events)  # fmt: skip


PIECES = st.lists(
    st.builds(Text, st.text(min_size=1, max_size=5))
    | st.builds(Reasoning, st.text(min_size=1, max_size=5), block=st.integers(0, 3))
    | st.builds(lambda n: ReasoningSealed(n, f"s{n}", format=F), st.integers(0, 3))
    | st.builds(lambda n: ReasoningSealed(n, encrypted=f"e{n}", format=F), st.integers(4, 6))
    | st.builds(Refusal, st.text(min_size=1, max_size=5))
    | st.builds(lambda n, a: ToolCall(n, f"c{n}", "f", a), st.integers(0, 3), st.text(min_size=1, max_size=3)),
    max_size=8,
)  # fmt: skip


@given(PIECES)
def test_what_is_composed_is_read_as_it_was(pieces: list[Event]) -> None:
    deltas, reading = Deltas(), Reading(stream=True, status=200)
    read: list[Event] = []
    for piece in pieces:
        for index, told in deltas.of([Native("other", {}), piece]).items():
            frame = orjson.dumps({"choices": [{"index": index, "delta": told}]})
            read += reading.feed(frame)[1:]

    assert pieces == read
