"""A gateway under attack, with those who must not notice: a neighbour who streams, and honest clients.

    async with arena(tmp_path) as a:
        outcome = await a.fire(data, "clear")

The neighbour reads slow streams, one after the other, from the block's begin to its end; each must be
whole, and no wait for its next bytes longer than `GAP_S`. What an attacker gets is read here by a
reader of its own that is strict: answers one behind the other and nothing else.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio
import trustme
from typing_extensions import override

from tests.fakes.replay import serve_replay
from tests.fakes.scripts import SCRIPTS, TEXTS, Script
from tests.rig import Client, Rig, Served, chat_body, head, models_of, post, rig

SERVED: Served = {
    "a/m": ("synthetic/text",),
    "a/echo": ("echo",),
    "a/large": ("large",),
}
NEIGHBOUR = "a/neighbour"
TEXT = "".join(TEXTS)
LONG = "".join(SCRIPTS["long"].texts)
PACE_S = 0.002
"""Between two events of the neighbour's stream, of which there are some 500."""
GAP_S = 1.0
"""Longest the neighbour may wait for its next bytes; the machine may be busy with other things."""
END_S = 8.0
"""Longest an attacked connection is watched for its end."""
READ_BYTES = 1 << 20
LARGE_PIECES = 1500
"""Of 8 KiB, in the replies of a/large: more than the buffers of two sockets hold."""
CA = trustme.CA()


@dataclass(frozen=True)
class Answer:
    """One answer on an attacked connection."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Outcome:
    """What became of an attack."""

    received: bytes = b""
    answers: list[Answer] = field(default_factory=list)
    rest: bytes = b""
    """What came and is no whole answer."""
    ended: bool = False
    """The gateway ended the connection."""
    after_s: float = 0.0
    """Seconds from the first byte sent to the end."""

    @property
    def statuses(self) -> list[int]:
        """In the order of the answers."""
        return [answer.status for answer in self.answers]


@dataclass
class Neighbour:
    """What a client saw that streamed all the time."""

    streams: int = 0
    gap_s: float = 0.0
    """Its longest wait for bytes."""


class Arena:
    """A gateway with a clear-text and a TLS listener."""

    def __init__(self, running: Rig, trust: ssl.SSLContext) -> None:
        self.rig = running
        self.trust = trust
        self.urls = dict(zip(("clear", "tls"), running.running.urls, strict=True))
        self.neighbour = Neighbour()

    async def dial(
        self, door: str, *, raw: bool = False, source: str = "127.0.0.1", window: int = 0
    ) -> trio.abc.Stream:
        """A connection to the listener "clear" or "tls".

        Args:
            raw: without TLS in either case.
            source: the client's address.
            window: bytes of the receive buffer; 0: as the system likes.
        """
        host, _, port = self.urls[door].rpartition("/")[2].partition(":")
        sock = trio.socket.socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        await sock.bind((source, 0))
        await sock.connect((host, int(port)))
        stream = trio.SocketStream(sock)
        if raw or door == "clear":
            return stream
        return trio.SSLStream(stream, self.trust, server_hostname=host, https_compatible=True)

    async def fire(
        self, *pieces: bytes, door: str, raw: bool = False, pause_s: float = 0.0, bare: bool = False
    ) -> Outcome:
        """Send the pieces over a fresh connection, and watch it to its end.

        Args:
            bare: the first request is a HEAD, whose answer has no body.
        """
        outcome = Outcome()
        began = trio.current_time()
        async with await self.dial(door, raw=raw) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, pieces, pause_s)
            with trio.move_on_after(END_S):
                outcome.received, outcome.ended = await read_out(stream)
            outcome.after_s = trio.current_time() - began
            nursery.cancel_scope.cancel()
        outcome.answers, outcome.rest = split_answers(outcome.received, bare=bare)
        return outcome

    async def honest(self, door: str) -> str:
        """One inference over a fresh connection; "" or what was wrong with the answer."""
        async with await self.dial(door) as stream:
            await stream.send_all(
                post(chat_body("a/m"), "/v1/chat/completions", "Connection: close")
            )
            with trio.move_on_after(END_S):
                answers, _ = split_answers((await read_out(stream))[0])
                whole = len(answers) == 1 and TEXT.encode() in answers[0].body
                return "" if whole and answers[0].status == 200 else f"honest got {answers}"
        return "honest got nothing"

    async def metric(self, name: str) -> int:
        """A number on the page of metrics."""
        page = (
            await self.fire(head("GET", "/metrics", "Connection: close"), door="clear")
        ).received
        return int(float(page.split(b"\n%b " % name.encode())[1].split()[0]))

    async def open_connections(self) -> int:
        """How many clients the gateway has, by its own count; the one that asks included."""
        return await self.metric("hedgerow_open_connections")

    async def stream_on(self) -> None:
        """Be the neighbour until cancelled; a cut or wrong stream fails at once."""
        async with self.rig.client(self.urls["clear"]) as client:
            while True:
                watched = Watched(client.stream, self.neighbour)
                neighbour = Client(watched)
                reply = await neighbour.ask(post(chat_body(NEIGHBOUR, stream=True)))
                assert (200, True) == (reply.status, reply.whole), reply.body[-300:]
                assert reply.text == LONG
                self.neighbour.streams += 1


class Watched(trio.abc.Stream):
    """A stream that notes the longest wait for its bytes."""

    def __init__(self, stream: trio.abc.Stream, neighbour: Neighbour) -> None:
        self._stream = stream
        self._neighbour = neighbour

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        began = trio.current_time()
        data = await self._stream.receive_some(max_bytes)
        self._neighbour.gap_s = max(self._neighbour.gap_s, trio.current_time() - began)
        return bytes(data)

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def arena(
    folder: Path,
    *,
    parser: str = "fast",
    http2: bool | None = None,
    limits: Mapping[str, object] | None = None,
) -> AsyncIterator[Arena]:
    """Run the gateway, and the neighbour beside the block; then check that nobody noticed.

    Args:
        folder: where the certificate is kept.
        parser: of both listeners.
        http2: whether both speak HTTP/2, too, to clients that want it; None: as settings default.
        limits: the table of that name.
    """
    pem = folder / "both.pem"
    CA.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    trust = ssl.create_default_context()
    CA.configure_trust(trust)
    trust.set_alpn_protocols(["http/1.1"])
    clear: dict[str, object] = {"address": "127.0.0.1:0", "parser": parser}
    if http2 is not None:
        clear["http2"] = http2
    slow = models_of({NEIGHBOUR: ("synthetic/long", "synthetic/long")})
    slow[0]["endpoints"] = slow[0]["endpoints"][1:]
    async with (
        serve_replay(delay_s=PACE_S) as paced,
        rig(
            SERVED,
            bind=(clear, {**clear, "tls_cert": str(pem)}),
            trust=trust,
            urls={"two": f"{paced.url}/v1"},
            limits=dict(limits or {}),
            models=[*models_of(SERVED), *slow],
        ) as r,
    ):
        r.one.script("large", Script(texts=("x" * 8192,) * LARGE_PIECES))
        a = Arena(r, trust)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.stream_on)
            yield a
            seen = a.neighbour.streams
            with trio.fail_after(30):
                while a.neighbour.streams == seen:
                    await trio.sleep(0.02)
            nursery.cancel_scope.cancel()
        assert a.neighbour.gap_s < GAP_S, a.neighbour
        await r.quiet()


async def _send(stream: trio.abc.Stream, pieces: tuple[bytes, ...], pause_s: float) -> None:
    """Send on while the gateway listens."""
    try:
        for piece in pieces:
            await stream.send_all(piece)
            if len(pieces) > 1:
                await trio.sleep(pause_s)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def read_out(stream: trio.abc.Stream) -> tuple[bytes, bool]:
    """Everything until the end; whether there was one. A reset is an end, too."""
    received = b""
    try:
        while data := await stream.receive_some(READ_BYTES):
            received += data
    except trio.BrokenResourceError:
        pass
    return received, True


def split_answers(data: bytes, *, bare: bool = False) -> tuple[list[Answer], bytes]:
    """Whole final answers, one behind the other, and what is left over.

    Args:
        bare: the first answer has no body, whatever its length says.
    """
    answers: list[Answer] = []
    while data.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in data:
        start, rest = data.split(b"\r\n\r\n", 1)
        line, *fields = start.decode("latin-1").split("\r\n")
        status = int(line[9:12])
        headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}
        if status >= 200:
            body, rest, whole = _body(headers, rest, empty=bare and not answers)
            if not whole:
                break
            answers.append(Answer(status, headers, body))
        data = rest
    return answers, data


def _body(headers: dict[str, str], rest: bytes, *, empty: bool) -> tuple[bytes, bytes, bool]:
    if empty:
        return b"", rest, True
    if "content-length" in headers:
        length = int(headers["content-length"])
        return rest[:length], rest[length:], len(rest) >= length
    if headers.get("transfer-encoding") != "chunked":
        return rest, b"", headers.get("connection") == "close"
    body = b""
    while True:
        line, _, rest = rest.partition(b"\r\n")
        if not line:
            return body, rest, False
        size = int(line, 16)
        body += rest[:size]
        if rest[size : size + 2] != b"\r\n":
            return body, rest, False
        rest = rest[size + 2 :]
        if not size:
            return body, rest, True
