"""The rules that tell a right reply from a wrong one, whoever sent it."""

import json

import pytest

from bench.checks import Expected, WrongReplyError, judge, judge_raw, quoted, tail, unchunked
from bench.posts import KINDS, TRANSLATED, Kind
from bench.replies import CHUNKS_CONTENT, Replies, build
from tests.bench.mocks import PLAIN, STREAM, Spoil


def raw(replies: Replies, kind: Kind) -> bytes:
    """What the mock answers itself."""
    if kind in {"plain", "large"}:
        return replies.plain
    if kind in TRANSLATED:
        return replies.message if kind == "translate" else b"".join(replies.message_paced)
    return replies.burst


def events(*chunks: object) -> bytes:
    lines = [c if isinstance(c, str) else json.dumps(c) for c in chunks]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def chunk(text: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if text is None else {"content": text}
    return {"choices": [{"delta": delta, "finish_reason": finish}], **more}


def texts() -> list[str]:
    """The pieces of the first variant's stream."""
    writes = build(variants=1)[0].paced[:CHUNKS_CONTENT]
    lines = [write[write.index(b"data: ") + 6 :].split(b"\n")[0] for write in writes]
    return [json.loads(line)["choices"][0]["delta"]["content"] for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_mock_says_is_right(kind: Kind) -> None:
    for replies in build():
        assert judge_raw(Expected(kind, anthropic=kind in TRANSLATED), raw(replies, kind))


@pytest.mark.parametrize("spoil", PLAIN)
def test_a_wrong_reply_is_found(spoil: Spoil) -> None:
    with pytest.raises(WrongReplyError):
        judge_raw(Expected("plain"), spoil(build()[0]).plain)


@pytest.mark.parametrize("spoil", STREAM)
def test_a_wrong_stream_is_found(spoil: Spoil) -> None:
    with pytest.raises(WrongReplyError):
        judge_raw(Expected("chunks"), spoil(build()[0]).burst)


def test_what_gateways_may_change_is_let_be() -> None:
    usage = {"completion_tokens": CHUNKS_CONTENT}
    pieces = [chunk(text) for text in texts()]
    begin, end = chunk(""), chunk(None, "stop", usage=usage)
    stream = b": waiting\n\n" + events(begin, *pieces, chunk(None), end, "[DONE]")

    assert judge(Expected("chunks"), 200, stream)


def test_a_stream_without_usage_is_told_apart() -> None:
    stream = events(*map(chunk, texts()), chunk(None, "stop"), "[DONE]")

    assert not judge(Expected("chunks", usage=False), 200, stream)
    with pytest.raises(WrongReplyError, match="no usage"):
        judge(Expected("chunks"), 200, stream)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (events("[DONE]"), "0 pieces of text instead of 64"),
        (events(*map(chunk, texts()), "[DONE]"), "no reason to finish"),
        (events(*map(chunk, texts()), chunk(None, "stop")), "no last event"),
        (events(*map(chunk, texts()), chunk(None, "stop"), "[DONE]", chunk("more")), "follows"),
        (events(chunk(None, "stop"), *map(chunk, texts()), "[DONE]"), "text after the finish"),
        (events(*map(chunk, reversed(texts())), chunk(None, "stop"), "[DONE]"), "another text"),
        (events("{"), "not readable"),
        (b"data: [DONE]", "not whole"),
    ],
)
def test_it_is_said_what_is_wrong_with_a_stream(stream: bytes, why: str) -> None:
    with pytest.raises(WrongReplyError, match=why):
        judge(Expected("chunks", usage=False), 200, stream)


def test_framing_is_read_to_the_letter() -> None:
    assert b"abcd" == unchunked(b"2\r\nab\r\n2;x=y\r\ncd\r\n0\r\n\r\n")
    for wrong in (
        b"",
        b"2\r\nab\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"0\r\n\r\nx",
        b"-2\r\nab\r\n0\r\n\r\n",
    ):
        with pytest.raises(WrongReplyError):
            unchunked(wrong)
    with pytest.raises(WrongReplyError, match="not what its head says"):
        judge_raw(Expected("plain"), build()[0].plain + b"\n")
    with pytest.raises(WrongReplyError, match="no HTTP"):
        judge_raw(Expected("plain"), b"hello")


def test_the_end_of_a_reply_is_its_closing_signs() -> None:
    assert '"}' == tail(b'{"a":"b1"}')
    assert "}}" == tail(b'{"a":{"b":1}}')


def test_a_long_reply_is_quoted_in_part() -> None:
    assert "b'short'" == quoted(b"short")
    assert quoted(b"x" * 1000).endswith(" and 400 bytes more")
