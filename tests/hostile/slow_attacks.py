"""Clients that take their time: what each sends and reads, and how it may end.

An attack is a function of a connection that sends or reads as slowly as it means to until it is
cancelled or the gateway ends it. Bytes per second are far below what limits ask for.

Sources: the modes of slowhttptest (slow headers, slow body, slow read), slowloris, and RFC 9112 9.5.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from tests.hostile.whole_attacks import LIVE, POSTED
from tests.rig import chat_body, head, post

STEP_S = 0.05
"""Between two writes of an attacker."""
READ_S = 1.0
"""Between two reads of one byte."""

Act = Callable[[trio.abc.Stream], Awaitable[None]]


@dataclass(frozen=True)
class Slow:
    """A slow client."""

    name: str
    act: Act
    limit: str
    """Which limit ends it: a name in `limits`."""
    status: int | None = None
    """What it is told last; None: nothing."""
    narrow: bool = False
    """Its receive buffer is as small as the system allows."""


def bytewise(data: bytes, before: bytes = b"") -> Act:
    """Send `before` at once, then byte by byte, again and again."""

    async def act(stream: trio.abc.Stream) -> None:
        if before:
            await stream.send_all(before)
        while True:
            for at in range(len(data)):
                await stream.send_all(data[at : at + 1])
                await trio.sleep(STEP_S)

    return act


def piecewise(*pieces: bytes) -> Act:
    """Send the first piece, then the others in turn, for ever."""

    async def act(stream: trio.abc.Stream) -> None:
        await stream.send_all(pieces[0])
        while True:
            for piece in pieces[1:]:
                await trio.sleep(STEP_S)
                await stream.send_all(piece)
            if len(pieces) == 1:
                await trio.sleep_forever()

    return act


def reading(data: bytes, read_s: float) -> Act:
    """Send a request, and read its answer byte by byte; inf: not at all."""

    async def act(stream: trio.abc.Stream) -> None:
        await stream.send_all(data)
        while True:
            await trio.sleep(read_s)
            if await stream.receive_some(1) == b"":
                return

    return act


async def silent(_stream: trio.abc.Stream) -> None:
    """Connect, and say nothing."""
    await trio.sleep_forever()


async def shaken(stream: trio.abc.Stream) -> None:
    """Shake hands, and say nothing."""
    assert isinstance(stream, trio.SSLStream)
    await stream.do_handshake()
    await trio.sleep_forever()


BODY = POSTED + b"Content-Length: 100000\r\n\r\n"
IN_CHUNKS = POSTED + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = post(chat_body("a/large"))
ENDLESS = post(chat_body("a/large", stream=True))
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)

SENDING = [
    Slow("a silent one", silent, "idle_connection_s"),
    Slow("a request and silence", piecewise(head("GET", "/healthz/live")), "idle_connection_s", 200),
    Slow("half a head", piecewise(LIVE), "head_time_s", 408),
    Slow("half a preface of HTTP/2", piecewise(b"PRI * HT"), "head_time_s", 408),
    Slow("slowloris, bytes", bytewise(head("GET", "/" + "a" * 500)), "head_time_s", 408),
    Slow("slowloris, lines", piecewise(LIVE, b"X-a: b\r\n"), "head_time_s", 408),
    Slow("blank lines for ever", piecewise(b"\r\n", b"\r\n"), "head_time_s"),
    Slow("half a line end for ever", piecewise(b"\r\n\r", b"\n\r"), "head_time_s", 408),
    Slow("a second head in bytes", bytewise(b"X" * 999, head("GET", "/healthz/live") + b"G"), "head_time_s", 408),
    Slow("a body that does not begin", piecewise(BODY), "body_grace_s", 408),
    Slow("a body that stops", piecewise(BODY + b"{"), "body_grace_s", 408),
    Slow("a body in bytes", bytewise(b" " * 999, BODY), "body_grace_s", 408),
    Slow("a body of 200 B/s", piecewise(BODY, b" " * 10), "body_grace_s", 408),
    Slow("chunks of one byte", piecewise(IN_CHUNKS, b"1\r\n \r\n"), "body_grace_s", 408),
    Slow("a chunk in bytes", bytewise(b" " * 999, IN_CHUNKS + b"ffff\r\n"), "body_grace_s", 408),
    Slow("a size line in bytes", bytewise(b"0" * 999, IN_CHUNKS), "body_grace_s", 408),
    Slow("an extension in bytes", bytewise(b"x" * 999, IN_CHUNKS + b"1;"), "body_grace_s", 408),
    Slow("trailers in lines", piecewise(IN_CHUNKS + b"0\r\n", b"X: y\r\n"), "body_grace_s", 408),
    Slow("an expected body", piecewise(POSTED + b"Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n"), "body_grace_s", 408),
    Slow("a body for nobody", piecewise(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n", b" "), "body_grace_s", 408),
    Slow("a body behind a 413", piecewise(POSTED + b"Content-Length: 99999999999\r\n\r\n", b" "), "linger", 413),
    Slow("bytes behind a 400", piecewise(b"X\r\n\r\n", b" "), "linger", 400),
]  # fmt: skip
"""Over clear text, and, within an established session, over TLS."""

READING = [
    Slow("a stream that is not read", reading(ENDLESS, 1e6), "reader_s", narrow=True),
    Slow("a stream read by the byte", reading(ENDLESS, READ_S), "reader_s", narrow=True),
    Slow("a reply that is not read", reading(LARGE, 1e6), "reader_s", narrow=True),
    Slow("a reply read by the byte", reading(LARGE, READ_S), "reader_s", narrow=True),
    Slow("a stream that is not read, wide", reading(ENDLESS, 1e6), "reader_s"),
]  # fmt: skip
"""The same; it is the reading that is slow, so they cannot tell when they were ended."""

SHAKING = [
    Slow("a silent one", silent, "head_time_s"),
    Slow("half a hello", piecewise(HELLO), "head_time_s"),
    Slow("a hello in bytes", bytewise(HELLO), "head_time_s"),
    Slow("half a record's head", piecewise(HELLO[:3]), "head_time_s"),
]
"""Over TCP, to a listener with TLS."""
