"""Frames of the messages API to events: one table, and the rules."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from proxy.dialects.anthropic_messages.names import NAME, SEAL
from proxy.dialects.anthropic_messages.reading import Reading, decode_response, read_usage
from proxy.errors import UpstreamOverloadedError, UpstreamUnavailableError
from proxy.model.event import (
    Citation,
    Ended,
    Event,
    Failed,
    Finished,
    Native,
    Reasoning,
    ReasoningSealed,
    Started,
    Text,
    ToolCall,
    Usage,
)
from tests.fakes.things import a_call, an_endpoint

Frame = dict[str, Any]


def start(index: int, kind: str, **more: Any) -> Frame:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **more}}


def delta(index: int, kind: str, **more: Any) -> Frame:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **more}}


def stop(index: int) -> Frame:
    return {"type": "content_block_stop", "index": index}


def begin(name: str = "msg_1", **usage: Any) -> Frame:
    message = {"id": name, "model": "claude-x", "type": "message", "content": [], "usage": usage}
    return {"type": "message_start", "message": message}


def end(reason: str | None, sequence: str | None = None, **usage: Any) -> Frame:
    said = {"stop_reason": reason, "stop_sequence": sequence}
    return {"type": "message_delta", "delta": said, "usage": usage}


def text(said: str | None, index: int = 0) -> Frame:
    return delta(index, "text_delta", text=said)


def read(*frames: Frame, stream: bool = True) -> list[Event]:
    """Events of all frames; each frame's first is the frame itself, and left out."""
    decoder = Reading(stream=stream, status=200)
    events: list[Event] = []
    for frame in frames:
        found = decoder.feed(orjson.dumps(frame))
        if found and isinstance(found[0], Native):
            assert found.pop(0) == Native(NAME, frame)
        events += found
    return events


def tool(index: int, name: str, **more: Any) -> Frame:
    return start(index, "tool_use", id=f"toolu_{name}", name=name, **{"input": {}, **more})


def piece(index: int, said: str) -> Frame:
    return delta(index, "input_json_delta", partial_json=said)


CITED = {
    "type": "web_search_result_location",
    "url": "https://a.test",
    "title": "A",
    "cited_text": "a",
}
CITATION = Citation("https://a.test", "A", "a", raw=CITED)  # type: ignore[arg-type]
STOPPED = Finished("stop", "end_turn")
CASES: dict[str, tuple[list[Frame], list[Event]]] = {
    "a start": ([begin(input_tokens=3)], [Started("msg_1", "claude-x")]),
    "a start said twice": ([begin(), begin("msg_2")], [Started("msg_1", "claude-x")]),
    "text": ([start(0, "text", text=""), text("a"), text("b"), stop(0)], [Text("a"), Text("b")]),
    "text in the first frame": ([start(0, "text", text="a"), text("")], [Text("a")]),
    "text without a start": ([text("a", 7)], [Text("a")]),
    "thinking and its seal in pieces": (
        [
            start(0, "thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="hm"),
            delta(0, "signature_delta", signature="s1"),
            delta(0, "signature_delta", signature="s2"),
            stop(0),
        ],
        [Reasoning("hm"), ReasoningSealed(0, "s1s2", format=SEAL)],
    ),
    "thinking that is not shown": (
        [start(0, "thinking", thinking=""), delta(0, "signature_delta", signature="s"), stop(0)],
        [ReasoningSealed(0, "s", format=SEAL)],
    ),
    "thinking without a seal": ([start(0, "thinking", thinking="hm"), stop(0)], [Reasoning("hm")]),
    "sealed thinking": (
        [start(0, "redacted_thinking", data="xyz"), stop(0)],
        [ReasoningSealed(0, encrypted="xyz", format=SEAL)],
    ),
    "two pieces of thinking around a text": (
        [
            start(0, "redacted_thinking", data="xyz"), stop(0), start(1, "text", text="a"), stop(1),
            start(2, "thinking", thinking=""), delta(2, "thinking_delta", thinking="hm"),
            delta(2, "signature_delta", signature="s"), stop(2),
        ],
        [
            ReasoningSealed(0, encrypted="xyz", format=SEAL), Text("a"), Reasoning("hm", 0, 2),
            ReasoningSealed(2, "s", format=SEAL),
        ],
    ),
    "a call in pieces": (
        [tool(1, "f"), piece(1, ""), piece(1, '{"a"'), piece(1, ":1}"), stop(1)],
        [ToolCall(0, "toolu_f", "f"), ToolCall(0, arguments='{"a"'), ToolCall(0, arguments=":1}")],
    ),
    "a call without arguments": (
        [tool(0, "f"), piece(0, ""), stop(0)],
        [ToolCall(0, "toolu_f", "f"), ToolCall(0, arguments="{}")],
    ),
    "a call whose first frame says all": (
        [tool(0, "f", input={"a": 1}), stop(0)],
        [ToolCall(0, "toolu_f", "f"), ToolCall(0, arguments='{"a":1}')],
    ),
    "a call that nobody closed": (
        [tool(0, "f"), end("tool_use")],
        [ToolCall(0, "toolu_f", "f"), ToolCall(0, arguments="{}"), Finished("tool_calls", "tool_use")],
    ),
    "two calls at once": (
        [tool(3, "f"), tool(5, "g"), piece(5, "{}"), piece(3, "[]"), stop(3), stop(5)],
        [ToolCall(0, "toolu_f", "f"), ToolCall(1, "toolu_g", "g"), ToolCall(1, arguments="{}"),
         ToolCall(0, arguments="[]")],
    ),
    "the provider's own tools": (
        [
            start(0, "server_tool_use", id="srvtoolu_1", name="web_search", input={}),
            piece(0, '{"query":'), stop(0), start(1, "web_search_tool_result", content=[]), stop(1),
            start(2, "mcp_tool_use", id="m", name="n", input={"a": 1}), stop(2),
        ],
        [],
    ),
    "a citation": (
        [start(0, "text", text="", citations=[]), text("a"), delta(0, "citations_delta", citation=CITED)],
        [Text("a"), CITATION],
    ),
    "what a later day may bring": (
        [start(0, "hologram"), delta(0, "hologram_delta", text="x"), stop(0), {"type": "news"}], [],
    ),
    "pieces of nothing": (
        [delta(0, "signature_delta", signature="s"), text(None), piece(0, "{}"), stop(0)], [],
    ),
    "a ping and the end": ([{"type": "ping"}, {"type": "message_stop"}], [Ended()]),
    "no reason yet": ([end(None)], []),
    "a stop word": ([end("stop_sequence", "END")], [Finished("stop", "stop_sequence", 0, "END")]),
    "a plain end behind a call": (
        [tool(0, "f"), piece(0, "{}"), stop(0), end("end_turn")],
        [ToolCall(0, "toolu_f", "f"), ToolCall(0, arguments="{}"), Finished("tool_calls", "end_turn")],
    ),
    "an unknown reason": ([end("bored")], [Finished("stop", "bored")]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_frames_are_read(name: str) -> None:
    frames, expected = CASES[name]

    assert expected == read(*frames)


@pytest.mark.parametrize(
    ("native", "reason"),
    [("max_tokens", "length"), ("model_context_window_exceeded", "length"), ("pause_turn", "length"),
     ("compaction", "length"), ("refusal", "content_filter")],
)  # fmt: skip
def test_bug_63_an_abnormal_end_is_no_success(native: str, reason: str) -> None:
    assert [Finished(reason, native)] == read(end(native))
    behind_a_call = read(tool(0, "f"), stop(0), end(native))
    assert behind_a_call[-1] == Finished(reason, native)


def test_bug_1_calls_are_numbered_among_calls_and_named_in_their_first_piece_only() -> None:
    blocks = [f for i, n in ((4, "f"), (9, "g")) for f in (tool(i, n), piece(i, "{}"), stop(i))]
    calls = [e for e in read(start(0, "text", text="a"), *blocks) if isinstance(e, ToolCall)]

    assert [(0, "toolu_f", "f"), (0, "", ""), (1, "toolu_g", "g"), (1, "", "")] == [
        (c.index, c.id, c.name) for c in calls
    ]


def test_bug_2_a_signature_that_comes_in_deltas_is_kept() -> None:
    frames, expected = CASES["thinking and its seal in pieces"]

    assert expected[-1] == read(*frames)[-1] == ReasoningSealed(0, "s1s2", format=SEAL)


def test_bug_7_counts_are_replaced_and_never_added() -> None:
    events = read(
        begin(input_tokens=10, output_tokens=1, cache_read_input_tokens=5),
        end(None, output_tokens=7),
        end("end_turn", input_tokens=12, output_tokens=9, cache_read_input_tokens=None),
    )
    usages = [e for e in events if isinstance(e, Usage)]

    assert [(15, 7, 5), (17, 9, 5)] == [
        (u.prompt_tokens, u.completion_tokens, u.cached_tokens) for u in usages
    ]


def test_bug_8_the_prompt_includes_what_was_cached() -> None:
    raw: dict[str, Any] = {
        "input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
        "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30},
    }  # fmt: skip

    assert read_usage(raw) == Usage(123, 50, 100, 20, 30, raw=raw)


def test_summaries_that_the_provider_made_are_counted_and_other_parts_are_not_counted_twice() -> (
    None
):
    parts: list[Any] = [
        {"type": "compaction", "input_tokens": 1000, "output_tokens": 100},
        {"type": "message", "input_tokens": 3, "output_tokens": 50},
        {"type": "advisor_message", "input_tokens": 7, "output_tokens": 7}, None,
    ]  # fmt: skip
    usage = read_usage({"input_tokens": 3, "output_tokens": 50, "iterations": parts})

    assert (usage.prompt_tokens, usage.completion_tokens) == (1003, 150)


def test_counts_that_cannot_be_believed_are_none() -> None:
    odd: dict[str, Any] = {"input_tokens": -1, "output_tokens": "9", "output_tokens_details": 3}

    assert read_usage(odd) == Usage(raw=odd)


def test_bug_11_an_error_within_a_stream_is_a_failure() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    for frames in ([error], [begin(), text("a"), error]):
        failed = read(*frames)[-1]
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, UpstreamOverloadedError)


def test_text_and_thinking_give_two_events_and_change_nothing() -> None:
    decoder = Reading(stream=True, status=200)
    for frame in (begin(input_tokens=1), start(0, "thinking", thinking=""), tool(1, "f")):
        decoder.feed(orjson.dumps(frame))
    before = copy.deepcopy(vars(decoder))
    for frame in (text("a", 2), delta(0, "thinking_delta", thinking="a"), text("a", 1)):
        found = decoder.feed(orjson.dumps(frame))
        assert [Native, Text] == [type(e) for e in found] or [Native, Reasoning] == [
            type(e) for e in found
        ]
    assert before == vars(decoder)


def test_a_whole_body_is_read_at_once() -> None:
    body = {
        "type": "message", "id": "msg_1", "model": "claude-x", "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "a", "citations": [CITED]},
            {"type": "server_tool_use", "id": "s", "name": "n", "input": {}},
            {"type": "tool_use", "id": "toolu_f", "name": "f", "input": {"a": [1]}},
            {"type": "tool_use", "id": "toolu_g", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip

    assert read(body, stream=False) == [
        Started("msg_1", "claude-x"),
        Reasoning("hm"),
        ReasoningSealed(0, "s", format=SEAL),
        ReasoningSealed(1, encrypted="xyz", format=SEAL),
        Text("a"),
        CITATION,
        ToolCall(0, "toolu_f", "f"),
        ToolCall(0, arguments='{"a":[1]}'),
        ToolCall(1, "toolu_g", "g"),
        ToolCall(1, arguments="{}"),
        Finished("tool_calls", "tool_use"),
        Usage(1, 2, raw=body["usage"]),  # type: ignore[arg-type]
    ]


def test_a_whole_body_without_a_reason_is_finished_all_the_same() -> None:
    assert read({"content": []}, stream=False) == [Started(), Finished("stop", "")]


DEEP = b"[" * 300 + b"]" * 300
GARBAGE = [
    (True, b"<html>"), (True, b""), (True, b"[1]"), (True, b"7"), (True, b"{}"), (True, b'{"type":7}'),
    (True, orjson.dumps(text("a")).replace(b'"a"', b"5")), (True, b'{"type":"content_block_delta"}'),
    (True, orjson.dumps(piece(0, "a")).replace(b'"a"', b"{}")), (True, b'{"type":"content_block_start"}'),
    (True, orjson.dumps(tool(0, "f")).replace(b"{}", b'{"a":' + DEEP + b"}")),
    (False, b"{}"), (False, b"[DONE]"), (False, b'{"content":"a"}'), (False, b'{"content":[1]}'),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "frame"), GARBAGE)
def test_garbage_is_a_failure_that_another_provider_may_mend(stream: bool, frame: bytes) -> None:  # noqa: FBT001
    (failed,) = Reading(stream=stream, status=200).feed(frame)

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamUnavailableError)


def test_a_ping_is_nothing_at_all() -> None:
    assert [] == Reading(stream=True, status=200).feed(b'{"type":"ping"}')


def test_the_end_of_imitators_is_an_end() -> None:
    assert Reading(stream=True, status=200).feed(b"[DONE]") == [Ended()]


@pytest.mark.parametrize(
    "frame", [b'{"type":"error","error":{"type":"overloaded_error"}}', b"<html>"]
)
def test_any_status_but_success_is_a_failure(frame: bytes) -> None:
    (failed,) = decode_response(a_call(), an_endpoint(), 529).feed(frame)

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamOverloadedError)


WORDS = st.sampled_from(
    "type index delta content_block message usage content error text_delta thinking_delta "
    "input_json_delta signature_delta citations_delta content_block_start content_block_delta "
    "content_block_stop message_start message_delta message_stop ping text thinking tool_use "
    "redacted_thinking input signature partial_json citation citations stop_reason id name "
    "iterations compaction input_tokens output_tokens".split()
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | WORDS
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
KNOWN = [frame for frames, _ in CASES.values() for frame in frames]
ODD = st.builds(
    lambda known, more: {**known, **more},
    st.sampled_from(KNOWN),
    st.dictionaries(WORDS, JSON, max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(JSON | ODD, max_size=6), st.booleans(), st.sampled_from([200, 400, 529]))
def test_whatever_comes_is_events_and_never_an_exception(
    frames: list[Any],
    stream: bool,  # noqa: FBT001
    status: int,
) -> None:
    decoder = Reading(stream=stream, status=status)
    for frame in frames:
        found = decoder.feed(orjson.dumps(frame))
        assert not found or isinstance(found[0], Native | Failed)
        assert not any(isinstance(e, Native | Failed) for e in found[1:])
