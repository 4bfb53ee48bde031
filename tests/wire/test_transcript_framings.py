"""Streams in every framing, cut anywhere, with hostile text: spliced or not, the meaning is the same."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import proxy.wire.transcript
from proxy.model.meter import Delivered
from proxy.wire.body import BodyReader
from tests.fakes.scripts import SCRIPTS, told
from tests.fakes.things import a_transcript, chunk, event, in_chunks, said
from tests.wire.test_transcript import DONE, a_stream, chunked, cut, failure, run, text_of

Outcome = tuple[list[Any], bool, str, str, int, str]
"""(what the client reads, ended, failure, finish reason, output bytes, usage)."""


def outcome(pieces: list[bytes], body: BodyReader, *, spliced: bool = True) -> Outcome:
    delivered = Delivered()
    with pytest.MonkeyPatch.context() as patch:
        if not spliced:
            patch.setattr(proxy.wire.transcript, "LEARN_MAX", 0)
        transcript = a_transcript(body, delivered)
        read = said(run(transcript, pieces))
    failed = "" if transcript.failure is None else transcript.failure.message
    return (
        read,
        transcript.ended,
        failed,
        delivered.finish_reason,
        delivered.output_bytes,
        repr(delivered.usage),
    )


def framed(events: list[bytes], framing: str) -> tuple[bytes, BodyReader]:
    """A body in one of the ways that HTTP delimits one."""
    stream = b"".join(events)
    match framing:
        case "one frame a chunk":
            return in_chunks(events), chunked()
        case "three frames a chunk":
            return in_chunks(
                [b"".join(events[i : i + 3]) for i in range(0, len(events), 3)]
            ), chunked()
        case "chunks across frames":
            return in_chunks([stream[i : i + 97] for i in range(0, len(stream), 97)]), chunked()
        case "half and half":
            pieces = [part for e in events for part in (e[: len(e) // 2], e[len(e) // 2 :])]
            return in_chunks(pieces), chunked()
        case "known length":
            return stream, BodyReader(chunked=False, length=len(stream))
        case _:
            return stream, BodyReader(chunked=False, length=None)


FRAMINGS = ["one frame a chunk", "three frames a chunk", "chunks across frames", "half and half",
            "known length", "end of connection"]  # fmt: skip
SHORT = sorted(set(SCRIPTS) - {"long"})


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_scripted_stream_means_the_same_spliced_or_not(name: str, framing: str) -> None:
    events = list(told(SCRIPTS[name]).events)
    body, reader = framed(events, framing)
    plain = outcome([body], framed(events, framing)[1], spliced=False)

    assert plain == outcome([body], reader)
    assert plain[1]
    assert "".join(SCRIPTS[name].texts) == text_of(plain[0])


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", SHORT)
def test_a_scripted_stream_may_be_cut_at_every_byte(name: str, framing: str) -> None:
    events = list(told(SCRIPTS[name]).events)
    body, reader = framed(events, framing)

    assert outcome([body], framed(events, framing)[1]) == outcome(
        [body[i : i + 1] for i in range(len(body))], reader
    )


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", ["text", "reasoning"])
def test_a_scripted_stream_may_be_cut_once_anywhere(name: str, framing: str) -> None:
    events = list(told(SCRIPTS[name]).events)
    body = framed(events, framing)[0]
    whole = outcome([body], framed(events, framing)[1])

    for place in range(1, len(body), 3):
        assert whole == outcome([body[:place], body[place:]], framed(events, framing)[1]), place


# Hand-written frames: the text as a provider's encoder may have written it.
LITERALS = st.lists(
    st.sampled_from(
        ["a", " ", "é", "🌳", r"\"", r"\\", r"\/", r"\n", r"\u00e9", r"\u00E9", r"\ud83c\udf33",
         r"\uD83C\uDF33", r"\u0000", r"\u2028", "\u2028", "\x7f", "data: ", r"\n\n", "gpt-4o", "model-1",
         "assistant", "chat.completion.chunk", "maker/model", "gen-1-abc", "Acme", r"\"},\"logprobs\":null",
         r"\u007fhedgerow-splice\u007f", "\x7fhedgerow-splice\x7f", "[DONE]", "0", "null", "content", "}]}"]
    ),
    max_size=4,
).map("".join)  # fmt: skip
FRAMES = st.sampled_from(
    [
        '{"id":"c","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}',
        '{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"%s"}}],"obfuscation":"%s"}',
        '{"choices":[{"index":0,"delta":{"reasoning_content":"%s"}}]}',
        '{"choices":[{"index":0,"delta":{"reasoning":"%s","reasoning_content":"%s"}}]}',
        '{"choices":[{"index":1,"delta":{"content":"%s"}}]}',
        '{"choices":[{"delta":{"content":"%s"},"logprobs":{"content":[{"token":"%s","logprob":-0.5}]}}]}',
        '{"choices":[{"index":0,"delta":{"refusal":"%s"}}]}',
        '{ "choices" : [ {"index":0, "delta" : { "content" : "%s" } } ] }',
        '{"choices":[{"index":0,"delta":{"content":"%s","content":"%s"}}]}',
        '{"choices":[{"index":0,"delta":{"content":"%s"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}',
    ]
)
SEPARATORS = st.sampled_from(["data: %s\n\n", "data:%s\n\n", "data: %s\r\n\r\n", ": ping\n\ndata: %s\n\n",
                              "event: x\ndata: %s\n\n", "data: %s\n\r\n"])  # fmt: skip


@st.composite
def hand_written(draw: st.DrawFn) -> list[bytes]:
    """Runs of frames of one kind, since templates live on repetition."""
    events: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        frame, separator = draw(FRAMES), draw(SEPARATORS)
        for literal in draw(st.lists(LITERALS, min_size=1, max_size=4)):
            events.append(separator.replace("%s", frame.replace("%s", literal)))
    finish = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
    return [event.encode() for event in [*events, f"data: {finish}\n\n", "data: [DONE]\n\n"]]


@settings(max_examples=400, deadline=None)
@given(hand_written(), st.sampled_from(FRAMINGS), st.lists(st.integers(0, 9999), max_size=8))
def test_any_hand_written_stream_means_the_same_however_cut_and_spliced(
    events: list[bytes], framing: str, places: list[int]
) -> None:
    body = framed(events, framing)[0]
    plain = outcome([body], framed(events, framing)[1], spliced=False)

    assert plain == outcome([body], framed(events, framing)[1])
    assert plain == outcome(cut(body, places), framed(events, framing)[1])


BROKEN = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\\ud83d", b"\\udf33x", b"\\x", b"\x01",
          b"\\u12", b'"', b"\\"]  # fmt: skip


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("bad", BROKEN)
def test_text_that_is_no_text_never_reaches_the_client(bad: bytes, framing: str) -> None:
    texts = [event(chunk(f"word{i} ")) for i in range(4)]
    events = [*texts, event(chunk("@@")).replace(b"@@", b"ok " + bad), *texts, DONE]
    body, reader = framed(events, framing)
    transcript = a_transcript(reader)

    sent = run(transcript, [body])

    assert "word0 word1 word2 word3 " == text_of(said(sent))
    assert transcript.failure is not None
    assert not transcript.reusable


@pytest.mark.parametrize("framing", FRAMINGS)
def test_whatever_the_framing_spliced_text_is_a_view_of_the_bytes_received(framing: str) -> None:
    events = a_stream([f"word{i} " for i in range(20)])
    body, reader = framed(events, framing)
    learnt = body.index(b"word1") - body[: body.index(b"word1")][::-1].index(b"\n\n")
    transcript = a_transcript(reader)
    transcript.feed(body[:learnt])
    rest = body[learnt:]

    views = [b for b in transcript.feed(rest) if isinstance(b, memoryview)]

    if framing in {"one frame a chunk", "known length", "end of connection"}:
        assert 19 == len(views)
    assert all(view.obj is rest for view in views)


def test_text_written_with_escapes_is_a_view_too() -> None:
    events = a_stream(["first ", *['say "é"\n'] * 5], ascii_only=True)
    body = in_chunks(events)

    views = [b for b in a_transcript(chunked()).feed(body) if isinstance(b, memoryview)]

    assert [rb"say \"\u00e9\"\n"] * 5 == [bytes(view) for view in views]


def test_frames_that_change_kind_are_spliced_again_after_the_change() -> None:
    documents = [
        *(chunk(reasoning_content=f"step {i} ") for i in range(5)),
        *(chunk(f"word{i} ") for i in range(5)),
        chunk(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{}"}}]),
        *(chunk(f"more{i} ") for i in range(5)),
        chunk(finish="stop"),
    ]
    body = in_chunks([*map(event, documents), DONE])
    transcript = a_transcript(chunked())

    buffers = transcript.feed(body)

    assert sum(isinstance(b, memoryview) for b in buffers) >= 2 * 4 + 4 + 4
    assert outcome([body], chunked(), spliced=False) == outcome([body], chunked())


def test_a_stream_whose_frames_never_repeat_is_not_learnt_from_for_ever() -> None:
    documents = [{**chunk(f"word{i} "), "obfuscation": "x" * (i % 7 + i)} for i in range(40)]
    body = in_chunks([*map(event, documents), event(chunk(finish="stop")), DONE])
    transcript = a_transcript(chunked())
    sent = run(transcript, [body])

    assert "".join(f"word{i} " for i in range(40)) == text_of(said(sent))
    assert proxy.wire.transcript.LEARN_MAX == transcript._learned


@pytest.mark.parametrize("spliced", [True, False])
def test_an_empty_piece_of_text_is_no_content_spliced_or_not(spliced: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not spliced:
            patch.setattr(proxy.wire.transcript, "LEARN_MAX", 0)
        transcript = a_transcript(chunked())
        transcript.feed(in_chunks([event(chunk(text)) for text in ("a ", "b ", "", "", "")])[:-5])

    assert 2 == transcript.content


def test_an_event_that_is_too_large_does_not_swallow_those_before_it() -> None:
    small, large = event(chunk("a")), b"data: " + b"b" * 5_000_000 + b"\n\n"
    apart, together = a_transcript(chunked()), a_transcript(chunked())
    sent = run(apart, [in_chunks([small])[:-5], in_chunks([large])])

    assert "a" == text_of(said(sent))
    assert sent == run(together, [in_chunks([small + large])])
    assert apart.failure is not None
    assert together.failure is not None


def test_a_frame_nested_deeper_than_we_can_write_is_the_providers_failure() -> None:
    deep = (
        b'data: {"x":'
        + b"[" * 300
        + b"]" * 300
        + b',"choices":[{"index":0,"delta":{"content":"b"}}]}\n\n'
    )

    assert failure([in_chunks([event(chunk("a")), deep, DONE])])


@pytest.mark.parametrize("cuts", [1, 2, 3, 7])
def test_after_the_end_nothing_more_is_taken_in(cuts: int) -> None:
    transcript = a_transcript(chunked())
    body = in_chunks([event(chunk("a")), event(chunk(finish="stop")), DONE])
    run(transcript, [body])
    content = transcript.content

    assert [] == transcript.feed(in_chunks([event(chunk("b"))] * cuts))
    assert [] == transcript.close()
    assert content == transcript.content
    assert not transcript.reusable


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([b"data: ", b"\n\n", b"5\r\n", b"\r\n", b"{}"]),
        max_size=9,
    ),
    st.booleans(),
)
def test_whatever_bytes_come_end_as_valid_text_and_a_verdict(
    pieces: list[bytes], is_chunked: bool
) -> None:
    transcript = a_transcript(BodyReader(chunked=is_chunked, length=None))

    run(transcript, pieces).decode()

    assert transcript.ended or transcript.failure is not None


@pytest.mark.parametrize(
    "line",
    [b"+%x", b"0x%x", b" %x", b"-%x", b"%x_0", b"zz", b"", b"%x;a=b", b"0000%x", b"%x ", b"%X", b"123456789", b"00000000%x"],
)  # fmt: skip
def test_a_chunks_size_is_read_as_strictly_behind_a_template_as_without_one(line: bytes) -> None:
    frame = event(chunk("word "))
    odd = (line % len(frame) if b"%" in line else line) + b"\r\n" + frame + b"\r\n"
    head, end = in_chunks([frame, frame])[:-5], in_chunks([event(chunk(finish="stop")), DONE])
    body = head + odd + end

    assert outcome([body], chunked(), spliced=False)[:3] == outcome([body], chunked())[:3]


@pytest.mark.parametrize("shift", [-3, -2, -1, 1, 2, 3, 200])
def test_a_chunk_of_the_wrong_size_is_as_wrong_behind_a_template_as_without_one(shift: int) -> None:
    frame = event(chunk("word "))
    odd = b"%x\r\n%b\r\n" % (len(frame) + shift, frame)
    body = (
        in_chunks([frame, frame])[:-5] + odd + in_chunks([frame, event(chunk(finish="stop")), DONE])
    )

    assert outcome([body], chunked(), spliced=False) == outcome([body], chunked())


def test_another_field_that_equals_the_text_is_not_taken_for_it() -> None:
    frames = [b'data: {"id":"%b","choices":[{"index":0,"delta":{"content":"\\u0048i"}}]}\n\n' % name
              for name in (b"Hi", b"Ho", b"Hi")]  # fmt: skip
    body = in_chunks([*frames, event(chunk(finish="stop")), DONE])

    assert "HiHiHi" == text_of(outcome([body], chunked())[0])
    assert outcome([body], chunked(), spliced=False) == outcome([body], chunked())


def test_an_event_without_data_says_nothing() -> None:
    body = in_chunks([b"data:\n\n", b"data\n\n", b": ping\n\n", b"event: x\n\n", *a_stream(["a"])])

    assert "a" == text_of(outcome([body], chunked())[0])
    assert outcome([body], chunked())[1]


def test_a_reply_may_end_before_its_framing_does() -> None:
    transcript = a_transcript(chunked())
    body = in_chunks(a_stream(["a"]))
    transcript.feed(body[:-5])

    assert transcript.ended
    assert None is not transcript.tail
    transcript.feed(body[-5:])
    assert None is transcript.tail
    assert transcript.reusable
