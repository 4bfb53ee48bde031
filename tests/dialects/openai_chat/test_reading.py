"""Frames of a provider to events: every shape known, and no shape that breaks us."""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.dialects.openai_chat.reading import (
    REASONS,
    SHAPELESS_MAX,
    Reading,
    decode_response,
    read_tool_call,
    read_usage,
)
from proxy.model.document import COUNT_MAX
from proxy.model.event import (
    Citation,
    Ended,
    Event,
    Failed,
    Finished,
    Image,
    Native,
    Reasoning,
    ReasoningSealed,
    Refusal,
    Text,
    ToolCall,
    Usage,
)
from tests.fakes.things import a_call, an_endpoint, chunk


def read(document: Any, *, stream: bool = True, status: int = 200) -> list[Event]:
    events = Reading(stream=stream, status=status).feed(orjson.dumps(document))
    return events[1:] if events and isinstance(events[0], Native) else events


def delta(**said: Any) -> list[Event]:
    return read(chunk(**said))


def failure(events: list[Event]) -> str:
    assert 1 == len(events)
    assert isinstance(events[0], Failed)
    return events[0].error.message


def test_the_terminator_ends_the_stream() -> None:
    assert [Ended()] == Reading(stream=True, status=200).feed(b"[DONE]")


def test_a_frame_is_told_as_it_is_and_by_what_it_means() -> None:
    document = chunk("Hi")
    events = Reading(stream=True, status=200).feed(orjson.dumps(document))

    assert [Native("openai-chat", document), Text("Hi")] == events


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ({"content": "Hi"}, [Text("Hi")]),
        ({"content": ""}, []),
        ({"content": None}, []),
        ({"role": "assistant", "content": ""}, []),
        ({"content": [{"type": "text", "text": "é"}]}, [Text("é")]),
        ({"content": []}, []),
        ({"content": [{"type": "new", "x": "é"}]}, [Text('[{"type":"new","x":"é"}]')]),
        ({"refusal": "No."}, [Refusal("No.")]),
        ({"reasoning": "hm"}, [Reasoning("hm")]),
        ({"reasoning_content": "hm"}, [Reasoning("hm")]),
        ({"reasoning": "hm", "reasoning_content": "hm"}, [Reasoning("hm")]),
        ({"reasoning": "", "reasoning_content": "hm"}, [Reasoning("hm")]),
        ({"reasoning": {"steps": 1}}, []),
        ({"thinking": "hm"}, [Reasoning("hm")]),
        ({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]},
         [Reasoning("hm")]),
        ({"reasoning": "hm", "reasoning_details": []}, [Reasoning("hm")]),
        ({"refusal": {}}, []),
        ({"content": "Hi", "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}]},
         [Text("Hi"), Citation("u", raw={"type": "url_citation", "url_citation": {"url": "u"}})]),
        ({"images": [{"image_url": {"url": "data:image/png;base64,AA"}}]}, [Image("image/png", "AA")]),
        ({"reasoning": "hm", "content": "Hi"}, [Reasoning("hm"), Text("Hi")]),
        ({"unknown": 1}, []),
    ],
)  # fmt: skip
def test_a_delta_means_what_it_holds(said: dict[str, Any], events: list[Event]) -> None:
    assert events == read({"choices": [{"index": 0, "delta": said}]})


def test_text_of_a_legacy_completion_is_text() -> None:
    assert [Text("Hi", 1)] == read({"choices": [{"index": 1, "text": "Hi", "finish_reason": None}]})


def test_reasoning_beside_the_delta_is_read_too() -> None:
    assert [Reasoning("hm")] == read({"choices": [{"index": 0, "delta": {}, "reasoning": "hm"}]})


@pytest.mark.parametrize(("index", "choice"), [(2, 2), (None, 0), (-1, 0), ("1", 0), (1.0, 1)])
def test_a_choice_without_a_usable_index_is_the_first(index: Any, choice: int) -> None:
    assert [Text("a", choice)] == read({"choices": [{"index": index, "delta": {"content": "a"}}]})


def test_several_choices_in_one_frame_are_told_in_order() -> None:
    choices = [{"index": i, "delta": {"content": t}} for i, t in enumerate("ab")]

    assert [Text("a", 0), Text("b", 1)] == read({"choices": choices})


@pytest.mark.parametrize(("native", "reason"), [*REASONS.items(), ("EOS", "stop"), ("new", "stop")])
def test_a_reason_is_normalised_and_kept(native: str, reason: str) -> None:
    assert [Finished(reason, native)] == delta(finish=native)


@pytest.mark.parametrize("native", [None, "", 5])
def test_a_stream_goes_on_where_there_is_no_reason(native: Any) -> None:
    assert [] == delta(finish=native)


def test_a_finish_chunk_may_lack_its_delta() -> None:
    assert [Finished("stop", "stop")] == read({"choices": [{"index": 0, "finish_reason": "stop"}]})


def test_a_choice_that_called_tools_did_not_just_stop() -> None:
    reading = Reading(stream=True, status=200)
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    reading.feed(orjson.dumps(chunk(tool_calls=[call])))
    choices = [{"index": i, "delta": {}, "finish_reason": "stop"} for i in (0, 1)]

    assert [Finished("tool_calls", "stop", 0), Finished("stop", "stop", 1)] == reading.feed(
        orjson.dumps({"choices": choices})
    )[1:]


def test_a_choice_that_called_tools_and_was_cut_was_cut() -> None:
    call = {"index": 0, "function": {"name": "f"}}

    assert Finished("length", "length") == delta(tool_calls=[call], finish="length")[-1]


@pytest.mark.parametrize(
    ("entry", "call"),
    [
        ({"index": 3, "id": "c", "function": {"name": "f", "arguments": "{"}}, ToolCall(3, "c", "f", "{", 1)),
        ({"function": {"arguments": "}"}}, ToolCall(7, "", "", "}", 1)),
        ({"index": "0", "id": None, "function": None}, ToolCall(7, choice=1)),
        ("nonsense", ToolCall(7, choice=1)),
    ],
)  # fmt: skip
def test_a_piece_of_a_tool_call_is_read_as_far_as_it_goes(entry: Any, call: ToolCall) -> None:
    assert call == read_tool_call(entry, 7, 1)


def test_arguments_that_are_an_object_are_told_as_json() -> None:
    told = read_tool_call({"function": {"name": "f", "arguments": {"a": True}}}, 0, 0)

    assert {"a": True} == orjson.loads(told.arguments)


def test_a_whole_reply_always_finishes() -> None:
    message = {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"id": "c", "function": {"name": "f"}}],
    }
    reply = {
        "choices": [{"index": 0, "message": message, "finish_reason": None}],
        "usage": {"prompt_tokens": 1},
    }

    events = read(reply, stream=False)

    assert [Text("Hi"), ToolCall(0, "c", "f"), Finished("tool_calls", "")] == events[:-1]
    assert isinstance(events[-1], Usage)


def test_a_whole_legacy_completion_is_read() -> None:
    assert [Text("Hi"), Finished("length", "length")] == read(
        {"choices": [{"index": 0, "text": "Hi", "finish_reason": "length"}]}, stream=False
    )


@pytest.mark.parametrize(
    ("document", "stream", "message"),
    [
        ([], True, "not JSON"),
        ("x", False, "not JSON"),
        (None, True, "not JSON"),
        ({"choices": []}, False, "without choices"),
        ({"choices": None}, False, "unknown shape"),
        ({"choices": {}}, False, "unknown shape"),
        ({}, False, "unknown shape"),
        ({"usage": {"prompt_tokens": 1}}, False, "unknown shape"),
        ({"choices": [None]}, True, "choice of an unknown shape"),
        ({"choices": [{"delta": []}]}, True, "choice of an unknown shape"),
        ({"choices": [{"delta": {"content": 5}}]}, True, "choice of an unknown shape"),
        ({"choices": [{"delta": {"content": {"a": 1}}}]}, True, "choice of an unknown shape"),
        ({"choices": [{"message": {"content": True}}]}, False, "choice of an unknown shape"),
        ({"choices": [{"message": None}]}, False, "choice of an unknown shape"),
        ({"choices": [{}]}, False, "choice of an unknown shape"),
        ({"choices": [{"text": 5}]}, False, "choice of an unknown shape"),
    ],
)
def test_a_reply_of_another_shape_is_a_failure(document: Any, stream: bool, message: str) -> None:
    assert message in failure(read(document, stream=stream))


@pytest.mark.parametrize(
    "frame", [b"", b"{", b"\xff", b'{"a":"\xff"}', b'"\\ud800"', b"NaN", b"[DONE] "]
)
def test_a_frame_that_is_not_json_is_a_failure(frame: bytes) -> None:
    assert "not JSON" in failure(Reading(stream=True, status=200).feed(frame))


def test_an_error_in_a_stream_is_a_failure() -> None:
    assert isinstance(read({"error": {"message": "boom"}})[0], Failed)


def test_a_status_that_says_failure_is_one_whatever_the_body() -> None:
    for body in (chunk("Hi"), "x"):
        assert isinstance(read(body, status=500)[0], Failed)
    assert isinstance(Reading(stream=False, status=404).feed(b"<html>")[0], Failed)


def test_a_few_chunks_without_choices_are_skipped() -> None:
    reading = Reading(stream=True, status=200)

    for _ in range(SHAPELESS_MAX):
        assert [] == reading.feed(b'{"ping":1}')
    assert "unknown shape" in failure(reading.feed(b'{"ping":1}'))


def test_a_chunk_of_usage_needs_no_choices() -> None:
    reading = Reading(stream=True, status=200)

    for _ in range(SHAPELESS_MAX + 1):
        events = reading.feed(b'{"usage":{"prompt_tokens":1}}')
        assert isinstance(events[-1], Usage)


@pytest.mark.parametrize("place", ["usage", "x_groq"])
def test_usage_is_found_where_hosts_put_it(place: str) -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 4}
    document = {"choices": [], place: counts if place == "usage" else {"usage": counts}}

    assert [read_usage(counts)] == read(document)


@pytest.mark.parametrize("usage", [None, [], 5, "x", {}])
def test_usage_that_is_none_is_left_out(usage: Any) -> None:
    assert [] == read({"choices": [], "usage": usage})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 7}, Usage(11, 7)),
        ({}, Usage()),
        ({"prompt_tokens": None, "completion_tokens": -1}, Usage()),
        ({"prompt_tokens": 2.0, "completion_tokens": COUNT_MAX + 1}, Usage(2, 0)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}, Usage(5, 0, 3)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(5, 0, 5)),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(5, 0, 4)),
        ({"prompt_tokens": 5, "prompt_tokens_details": None}, Usage(5)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cache_write_tokens": 2, "audio_tokens": 1}},
         Usage(5, cache_write_tokens=2, audio_tokens=1)),
        ({"completion_tokens": 9, "total_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4, "image_tokens": 2}},
         Usage(0, 9, reasoning_tokens=4, image_tokens=2)),
        ({"prompt_tokens": 291, "completion_tokens": 26, "total_tokens": 513,
          "completion_tokens_details": {"reasoning_tokens": 196}}, Usage(291, 222, reasoning_tokens=196)),
    ],
)  # fmt: skip
def test_usage_is_normalised_and_kept(raw: dict[str, Any], expected: Usage) -> None:
    expected.raw = raw

    assert expected == read_usage(raw)


def test_no_more_tokens_are_cached_and_written_than_the_prompt_has() -> None:
    details = {"cached_tokens": 6, "cache_write_tokens": 1_000_000}
    usage = read_usage({"prompt_tokens": 10, "prompt_tokens_details": details})

    assert usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens


def test_sources_that_every_chunk_repeats_are_told_once_and_change_nothing_more() -> None:
    reading = Reading(stream=True, status=200)
    frame = orjson.dumps({**chunk("Hi"), "citations": ["https://a.test", "https://b.test"]})
    kinds = [[type(e) for e in reading.feed(frame)] for _ in range(2)]

    assert [[Native, Text, Citation, Citation], [Native, Text]] == kinds


def test_a_signature_that_comes_alone_is_told_bugs_2_3_and_60() -> None:
    reading = Reading(stream=True, status=200)
    pieces = [{"text": "h"}, {"text": "m"}, {"text": "", "signature": "s", "format": "f-1"}]
    events = [
        event
        for piece in pieces
        for event in reading.feed(
            orjson.dumps(
                chunk(
                    reasoning=piece["text"] or None,
                    reasoning_details=[{"type": "reasoning.text", "index": 2, **piece}],
                )
            )
        )[1:]
    ]

    assert [
        Reasoning("h", 0, 2), Reasoning("m", 0, 2), ReasoningSealed(2, "s", format="f-1"),
    ] == events  # fmt: skip


def test_usage_beside_empty_choices_is_read_bug_44() -> None:
    assert [read_usage({"prompt_tokens": 3})] == read(
        {"choices": [], "usage": {"prompt_tokens": 3}}
    )


def test_an_error_in_a_stream_of_status_200_ends_it_bug_45() -> None:
    failed = read({"error": {"message": "x", "code": 503}, "choices": []})[0]

    assert isinstance(failed, Failed)
    assert 503 == failed.error.status


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "thinking"])
def test_thinking_is_found_by_any_of_its_names_bug_61(name: str) -> None:
    assert [Reasoning("hm")] == read({"choices": [{"delta": {name: "hm"}}]})


@pytest.mark.parametrize("native", ["content_filter", "error", "length", "ERROR", "SAFETY"])
def test_an_end_that_is_no_success_is_not_told_as_one_bug_63(native: str) -> None:
    assert "stop" != delta(finish=native)[0].reason  # type: ignore[union-attr]


def test_a_decoder_is_made_for_the_call_and_the_status() -> None:
    reading = decode_response(a_call(stream=False), an_endpoint(), 200)

    assert [Text("a"), Finished("stop", "stop")] == reading.feed(
        b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}'
    )[1:]


def test_plain_text_changes_no_state() -> None:
    reading, other = (Reading(stream=True, status=200) for _ in range(2))
    for _ in range(5):
        reading.feed(orjson.dumps(chunk("Hi")))

    assert vars(other) == vars(reading)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "text", "usage", "index", "tool_calls",
                 "function", "arguments", "finish_reason", "error", "reasoning", "x_groq", "code",
                 "reasoning_details", "annotations", "images", "citations", "refusal", "url"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    JSON | st.fixed_dictionaries({"choices": st.lists(st.fixed_dictionaries({"delta": JSON}))}),
    st.booleans(),
)
def test_whatever_a_provider_sends_is_events_and_never_an_exception(
    body: Any, stream: bool
) -> None:
    assert isinstance(Reading(stream=stream, status=200).feed(orjson.dumps(body)), list)


@given(st.binary(max_size=40))
def test_whatever_bytes_come_are_events_and_never_an_exception(frame: bytes) -> None:
    assert 1 >= len(Reading(stream=False, status=200).feed(frame))


@pytest.mark.parametrize(
    "frame",
    ['{"error":{"message":"x","code":"²"}}', '{"error":{"code":"%s"}}' % ("9" * 5000),
     '{"choices":[{"delta":{"content":%s}}]}' % ("[" * 300 + "]" * 300)],
    ids=["superscript", "5000 digits", "300 levels"],
)  # fmt: skip
def test_a_hostile_frame_is_events_and_never_an_exception(frame: str) -> None:
    assert isinstance(Reading(stream=True, status=200).feed(frame.encode()), list)
