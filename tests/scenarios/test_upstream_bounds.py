"""A provider that never stops: every kind of endlessness has a bound in bytes or in time."""

import json
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
import trio

from tests.fakes.things import chunk, event
from tests.rig import Reply, rig
from tests.scenarios.test_upstream_proxies import served

IDLE_S = 0.6
AMPLE_S = 8.0
"""Enough for any bound in bytes, on a machine that is busy."""
LIMITS = {
    "upstream_head_bytes_max": 20_000,
    "upstream_event_bytes_max": 200_000,
    "upstream_reply_bytes_max": 1_000_000,
    "upstream_stream_bytes_max": 2_000_000,
}
SLACK = 8_000_000
"""Bytes in the buffers of two sockets, which the kernel fills whatever we do."""

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
SSE = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BARE = OK + b"Content-Type: text/event-stream\r\n\r\n"
"""A stream up to the end of the connection."""


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


SAID = chunked(event(chunk("hi")))
ROLE = event({**chunk(role="assistant"), "padding": "x" * 100})

ENDLESS: dict[str, tuple[bytes, bytes, bool, int, str]] = {
    # kind: (begins, goes on with, streamed, status, words); a negative status is told in the stream
    "interim replies": (b"", b"HTTP/1.1 102 Processing\r\n\r\n", False, 502, "no final reply"),
    "header lines": (OK, b"X-Y: z\r\n", False, 502, ""),
    "one header": (OK + b"X: ", b"x" * 1000, False, 502, "size limit"),
    "no head at all": (b"", b"x" * 1000, False, 502, "size limit"),
    "chunk extension": (JSON + b"1;", b"x" * 1000, False, 502, "framing"),
    "trailers": (JSON + chunked(b"{}") + b"0\r\n", b"A: b\r\n", False, 502, "framing"),
    "one trailer": (JSON + chunked(b"{}") + b"0\r\nA: ", b"b" * 1000, False, 502, "framing"),
    "chunks of one byte": (JSON, b"1\r\n \r\n" * 1000, False, 502, "size limit"),
    "chunks": (JSON, chunked(b" " * 60_000), False, 502, "size limit"),
    "a promised size": (
        OK + b"Content-Length: 999999999999\r\n\r\n", b" " * 60_000, False, 502, "size limit"
    ),
    "a promised chunk": (JSON + b"ffffffff\r\n", b" " * 60_000, False, 502, "size limit"),
    "comments": (BARE, b": x\n\n" * 1000, True, 502, "size limit"),
    "slow comments": (BARE, b"", True, 504, "in time"),
    "comment lines without an end": (BARE, b": x\n" * 1000, True, 502, "size limit"),
    "events without content": (BARE, ROLE * 100, True, 502, "before its first content"),
    "one event": (BARE + b"data: ", b"x" * 1000, True, 502, "size limit"),
    "content": (SSE + SAID, SAID * 100, True, -502, "size limit"),
    "content in chunks of one byte": (
        SSE + SAID, b"".join(chunked(b"%c" % byte) for byte in event(chunk("x"))), True, -502,
        "size limit",
    ),
    "trailers of a stream": (SSE + SAID + b"0\r\n", b"A: b\r\n", True, -502, "framing"),
    "one event behind content": (
        SSE + SAID, chunked(b"data: " + b"x" * 900).replace(b"\n\n", b""), True, -502, ""
    ),
}  # fmt: skip


class Hostile:
    """Says `begins`, then the same thing for ever; knows how much was taken."""

    def __init__(self, begins: bytes, goes_on: bytes) -> None:
        self._pieces = (begins, goes_on)
        self.taken = 0
        self.let_go = trio.Event()

    def _all(self) -> Iterator[bytes]:
        begins, goes_on = self._pieces
        many = goes_on * (1 + 30_000 // len(goes_on)) if goes_on else b""
        return chain([begins] if begins else [], repeat(many))

    async def serve(self, stream: trio.SocketStream) -> None:
        try:
            await stream.receive_some()
            for piece in self._all():
                if not piece:
                    await trio.sleep(0.05)
                await stream.send_all(piece or b": x\n\n")
                self.taken += len(piece)
        except trio.BrokenResourceError:
            self.let_go.set()


async def ask(hostile: Hostile, *, stream: bool, idle_s: float = AMPLE_S, **limits: int) -> Reply:
    async with served(hostile.serve) as port:
        async with rig(
            {"a/m": ("m",)},
            urls={"one": f"http://127.0.0.1:{port}/v1"},
            timeouts={"first_token": idle_s, "idle": idle_s, "total": AMPLE_S},
            limits={**LIMITS, **limits},
        ) as r:
            with trio.fail_after(AMPLE_S):
                reply = await r.chat("a/m", stream=stream)
                await r.quiet()
                await hostile.let_go.wait()
    return reply


@pytest.mark.parametrize("kind", ENDLESS)
async def test_nothing_is_endless(kind: str) -> None:
    begins, goes_on, stream, status, words = ENDLESS[kind]
    hostile = Hostile(begins, goes_on)
    reply = await ask(hostile, stream=stream, idle_s=AMPLE_S if goes_on else IDLE_S)

    assert hostile.taken < LIMITS["upstream_stream_bytes_max"] + SLACK
    if status < 0:
        *_, last = reply.chunks
        assert (200, -status) == (reply.status, last["error"]["code"])
        assert words in last["error"]["message"]
    else:
        assert status == reply.status
        assert words in reply.error["message"]


async def test_a_whole_reply_in_chunks_of_one_byte_takes_the_memory_of_its_bytes() -> None:
    hostile = Hostile(JSON, b"2\r\n  \r\n" * 1000)
    tracemalloc.start()
    try:
        reply = await ask(hostile, stream=False, upstream_reply_bytes_max=300_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 502 == reply.status
    assert peak < 5_000_000  # of which the gateway and one read's spans are half


async def test_a_silent_stream_of_comments_ends_with_the_idle_deadline() -> None:
    hostile = Hostile(BARE + event(chunk("hi")), b"")
    started = trio.current_time()
    reply = await ask(hostile, stream=True, idle_s=IDLE_S)

    assert 504 == reply.chunks[-1]["error"]["code"]
    assert IDLE_S <= trio.current_time() - started < IDLE_S + 1
    assert json.dumps("hi") in reply.body.decode()
