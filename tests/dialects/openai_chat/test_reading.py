"""Replies read: each kind of frame and what it means."""

from typing import Any

import orjson
import pytest

from proxy.dialects.openai_chat.reading import Reading, decode_response, read_usage
from proxy.model.event import Ended, Failed, Finished, Native, Reasoning, Text, ToolCall, Usage
from tests.fakes.things import a_call, an_endpoint, chunk


def read(document: Any, *, stream: bool = True) -> list[Any]:
    return Reading(stream=stream, status=200).feed(orjson.dumps(document))


def message(**said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("document", "events"),
    [
        (chunk("hi"), [Text("hi")]),
        (chunk(""), []),
        (chunk(refusal="no"), [Text("no")]),
        (chunk(reasoning="hm"), [Reasoning("hm")]),
        (chunk(reasoning_content="hm", content="so"), [Reasoning("hm"), Text("so")]),
        (chunk(content=[{"type": "text"}]), [Text('[{"type":"text"}]')]),
        (chunk(finish="MAX_TOKENS"), [Finished("length", "MAX_TOKENS")]),
        (chunk(finish=""), []),
        (chunk(finish="strange"), [Finished("stop", "strange")]),
        ({"choices": [{"index": 1, "text": "once", "finish_reason": None}]}, [Text("once", 1)]),
        ({"choices": [{"index": 0, "finish_reason": "stop"}]}, [Finished("stop", "stop")]),
        ({"choices": []}, []),
    ],
)
def test_a_frame_means_its_events(document: dict[str, Any], events: list[Any]) -> None:
    native, *rest = read(document)

    assert Native("openai-chat", document) == native
    assert events == rest


def test_a_tool_call_keeps_its_index_and_turns_a_plain_stop_into_tool_calls() -> None:
    reading = Reading(stream=True, status=200)
    call = {"index": 1, "id": "c", "function": {"name": "f", "arguments": "{"}}

    assert ToolCall(1, "c", "f", "{") == reading.feed(orjson.dumps(chunk(tool_calls=[call])))[1]
    assert (
        ToolCall(0, "", "", "}")
        == reading.feed(orjson.dumps(chunk(tool_calls=[{"function": {"arguments": "}"}}])))[1]
    )
    assert Finished("tool_calls", "stop") == reading.feed(orjson.dumps(chunk(finish="stop")))[1]


def test_a_whole_reply_is_always_finished() -> None:
    assert [Text("hi"), Finished("stop", "stop")] == read(message(content="hi"), stream=False)[1:]
    silent = {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": None}]}
    assert Finished("stop", "") == read(silent, stream=False)[-1]


def test_the_terminator_is_read() -> None:
    assert [Ended()] == Reading(stream=True, status=200).feed(b"[DONE]")


@pytest.mark.parametrize(
    ("frame", "stream"),
    [
        (b"{", True), (b"[]", True), (b'{"error":{"message":"x"}}', True), (b'{"choices":[5]}', True),
        (b'{"choices":[{"delta":5}]}', True), (b'{"choices":[{"delta":{"content":5}}]}', True),
        (b'{"choices":[]}', False), (b"{}", False), (b'{"choices":[{"message":null}]}', False),
        (b"", False), (b"\xff", False),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_a_failure(frame: bytes, stream: bool) -> None:
    assert isinstance(Reading(stream=stream, status=200).feed(frame)[0], Failed)


def test_a_few_shapeless_chunks_are_skipped_and_more_are_a_failure() -> None:
    reading = Reading(stream=True, status=200)

    assert [[], [], []] == [reading.feed(b'{"x":1}') for _ in range(3)]
    assert isinstance(reading.feed(b'{"x":1}')[0], Failed)


def test_a_status_that_is_no_success_is_a_failure_whatever_the_body() -> None:
    failed = decode_response(a_call(), an_endpoint(), 429).feed(b"<html>")[0]

    assert isinstance(failed, Failed)
    assert 429 == failed.error.status


def test_usage_is_found_where_hosts_put_it() -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}

    assert isinstance(read({"usage": counts})[-1], Usage)
    assert isinstance(read({**chunk("hi"), "x_groq": {"usage": counts}})[-1], Usage)
    assert not isinstance(read({**chunk("hi"), "usage": None})[-1], Usage)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
            },
            (10, 5, 4, 0),
        ),
        (
            {
                "prompt_tokens": 291,
                "completion_tokens": 26,
                "total_tokens": 513,
                "completion_tokens_details": {"reasoning_tokens": 196},
            },
            (291, 222, 0, 196),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            (10, 5, 0, 3),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 99},
            (10, 5, 10, 0),
        ),
        (
            {"prompt_tokens": -5, "completion_tokens": "many", "prompt_tokens_details": None},
            (0, 0, 0, 0),
        ),
    ],
)
def test_usage_is_normalised(raw: dict[str, Any], expected: tuple[int, ...]) -> None:
    usage = read_usage(raw)

    assert expected == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    )
    assert raw is usage.raw
