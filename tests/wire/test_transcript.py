"""Streams translated: the same meaning whatever the cuts, spliced or not, and no byte copied."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import proxy.wire.transcript
from proxy.model.meter import Delivered
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript
from tests.fakes.things import a_transcript, chunk, event, in_chunks, said

DONE = b"data: [DONE]\n\n"
USAGE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-1",
         "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(["gpt-4o", "assistant", "chat.completion.chunk", '"}', "\\", "\n\n", "data: ", "é",
                     "\U0001f600", '"},"logprobs":null', "\x7fhedgerow-splice\x7f", "", "a" * 300]),
    st.text(max_size=20).filter(lambda t: t.encode("utf-8", "ignore").decode() == t),
)  # fmt: skip


def a_stream(texts: list[str], *, ascii_only: bool = False) -> list[bytes]:
    documents = [chunk("", role="assistant"), *map(chunk, texts), chunk(finish="stop"), USAGE]
    return [*(event(d, ascii_only=ascii_only) for d in documents), DONE]


def run(transcript: Transcript, pieces: list[bytes]) -> bytes:
    sent = b"".join(b"".join(transcript.feed(piece)) for piece in pieces)
    return sent + b"".join(transcript.close())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({p % (len(data) + 1) for p in places}), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False) if a < b]


def text_of(documents: list[Any]) -> str:
    return "".join(d["choices"][0]["delta"].get("content") or "" for d in documents)


@settings(max_examples=150)
@given(
    st.lists(TEXTS, min_size=1, max_size=8),
    st.lists(st.integers(0, 9999), max_size=10),
    st.booleans(),
    st.booleans(),
)
def test_any_cut_of_any_text_gives_the_same_meaning_spliced_or_not(
    texts: list[str], places: list[int], ascii_only: bool, aligned: bool
) -> None:
    events = a_stream(texts, ascii_only=ascii_only)
    body = in_chunks(events if aligned else [b"".join(events)])
    whole, pieces = a_transcript(chunked()), a_transcript(chunked())
    expected = said(run(whole, [body]))

    actual = said(run(pieces, cut(body, places)))

    assert expected == actual
    assert "".join(texts) == text_of(actual)
    assert pieces.ended
    assert pieces.reusable
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy.wire.transcript, "LEARN_MAX", 0)
        assert expected == said(run(a_transcript(chunked()), [body]))


def chunked() -> BodyReader:
    return BodyReader(chunked=True, length=None)


def test_a_stream_may_be_cut_at_every_byte() -> None:
    body = in_chunks(a_stream(["Héllo ", "wörld", "\U0001f600", '"x"']))

    sent = run(a_transcript(chunked()), [body[i : i + 1] for i in range(len(body))])

    assert 'Héllo wörld\U0001f600"x"' == text_of(said(sent))


def test_spliced_text_is_a_view_of_the_very_bytes_received() -> None:
    delivered = Delivered()
    transcript = a_transcript(chunked(), delivered)
    body = in_chunks(a_stream(["First ", *[f"word{i} " for i in range(20)]]))

    views = [b for b in transcript.feed(body) if isinstance(b, memoryview)]

    assert 20 == len(views)
    assert all(view.obj is body for view in views)
    assert "".join(["First ", *[f"word{i} " for i in range(20)]]) == text_of(
        said(run(a_transcript(chunked()), [body]))
    )
    assert sum(len(f"word{i} ") for i in range(20)) + len("First ") == delivered.output_bytes


@pytest.mark.parametrize("length", [True, False])
def test_a_stream_need_not_be_chunked(length: bool) -> None:
    body = b"".join(a_stream(["one ", "two ", "three"]))
    transcript = a_transcript(BodyReader(chunked=False, length=len(body) if length else None))

    assert "one two three" == text_of(said(run(transcript, cut(body, [100, 200, 300, 400, 500]))))
    assert transcript.ended


def test_a_tool_call_after_text_goes_through_whole() -> None:
    call = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]
    more = [{"index": 0, "function": {"arguments": '{"a":1}'}, "extra_content": {"kept": True}}]
    documents = [
        chunk("Let me "),
        chunk("see"),
        chunk(tool_calls=call),
        chunk(tool_calls=more),
        chunk(finish="stop"),
    ]
    delivered = Delivered()

    sent = said(
        run(a_transcript(chunked(), delivered), [in_chunks([*map(event, documents), DONE])])
    )

    assert [call, more] == [
        d["choices"][0]["delta"]["tool_calls"]
        for d in sent
        if "tool_calls" in d["choices"][0]["delta"]
    ]
    assert ("tool_calls", "stop") == tuple(
        sent[-1]["choices"][0][k] for k in ("finish_reason", "native_finish_reason")
    )
    assert "tool_calls" == delivered.finish_reason


def test_reasoning_is_spliced_and_shown_under_both_names() -> None:
    documents = [chunk(reasoning_content=f"step {i} ") for i in range(4)] + [
        chunk("so"),
        chunk(finish="stop"),
    ]

    sent = said(run(a_transcript(chunked()), [in_chunks([*map(event, documents), DONE])]))

    for name in ("reasoning", "reasoning_content"):
        assert "step 0 step 1 step 2 step 3 " == "".join(
            d["choices"][0]["delta"].get(name, "") for d in sent
        )


def failure(pieces: list[bytes], body: BodyReader | None = None) -> str:
    transcript = a_transcript(body or chunked())
    sent = run(transcript, pieces)
    sent.decode()  # what a client gets is always valid UTF-8
    assert transcript.failure is not None
    assert not transcript.reusable
    return transcript.failure.message


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([event(chunk("a")), DONE], "early"),
        ([event(chunk("a"))], "early"),
        ([event(chunk("a")), b"data: {not json\n\n"], "not JSON"),
        ([event(chunk("a")), event(chunk("b")).replace(b"b", b"\xff", 1)], "event stream|not JSON"),
        ([event(chunk("aa")), event(chunk("ba")).replace(b'"ba"', b'"\xff"')], "not JSON"),
        ([event(chunk("a")), b"\x00\x01 garbage\n\n"], "no event stream"),
        ([event(chunk("a")), event({"error": {"message": "boom", "code": 500}})], "returned error"),
        ([event(chunk("a")), b"data: " + b"x" * 4_200_000 + b"\n\n"], "size limit"),
        ([event(chunk("a")), *[event({"x": 1})] * 4], "unknown shape"),
        ([event(chunk("a")), event({"choices": [5]})], "unknown shape"),
    ],
)
def test_a_stream_that_breaks_off_says_why(events: list[bytes], message: str) -> None:
    import re

    assert re.search(message, failure([in_chunks(events)]))


def test_a_lie_about_a_chunks_size_is_a_failure() -> None:
    body = in_chunks(a_stream(["one ", "two ", "three "])).replace(b"three ", b"three!! ")

    assert "framing" in failure([body])


def test_an_end_without_a_terminator_is_fine_behind_a_finish_reason() -> None:
    transcript = a_transcript(chunked())
    run(transcript, [in_chunks([event(chunk("a")), event(chunk(finish="stop"))])])

    assert transcript.ended
    assert transcript.failure is None


def test_what_follows_the_terminator_is_dropped_and_costs_the_connection() -> None:
    transcript = a_transcript(chunked())
    sent = run(
        transcript,
        [in_chunks([event(chunk("a")), event(chunk(finish="stop")), DONE, event(chunk("b"))])],
    )

    assert "a" == text_of(said(sent))
    assert not transcript.reusable


def test_a_terminator_without_its_blank_line_still_counts() -> None:
    transcript = a_transcript(BodyReader(chunked=False, length=None))
    run(transcript, [event(chunk("a")) + event(chunk(finish="stop")) + b"data: [DONE]\n"])

    assert transcript.ended


def test_the_usage_is_kept_for_the_bill_and_taken_out_of_the_stream() -> None:
    delivered = Delivered()
    last = {
        **chunk(finish="stop"),
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }

    sent = said(
        run(a_transcript(chunked(), delivered), [in_chunks([event(chunk("a")), event(last), DONE])])
    )

    assert delivered.usage is not None
    assert (3, 4) == (delivered.usage.prompt_tokens, delivered.usage.completion_tokens)
    assert not any("usage" in document for document in sent)
    assert json.dumps(sent)


# --- spliced or not, whole or in pieces, however framed: one meaning ----------------------------
