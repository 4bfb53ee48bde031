"""The sandbox provider: HTTP/1.1 with keep-alive on one connected socket, answers from `personas`.

It stands where a provider would, behind one end of a socket pair, so that everything above (pool,
parser, race, relay) works as it does against the real thing.

Rule 1: one task per connection, and it ends quietly when the peer goes. While it waits to speak it
listens, so a departure is noticed at once. Rule 2: requests are served in order, one at a time.
"""

import logging
import socket
from itertools import count

import orjson
import trio

from proxy.model.call import Surface
from proxy.model.document import Document, Json, as_document
from proxy.sandbox.personas import Answer, Mishap, respond
from proxy.sandbox.receiving import BadRequest, Receiver, Request
from proxy.sandbox.wireform import DONE, beats, mishap_frame, refusal, whole

log = logging.getLogger(__name__)

READ_BYTES = 65_536
SURFACES: tuple[tuple[str, Surface], ...] = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
)
"""Path endings; the longer one first."""
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 413: b"Content Too Large",
           429: b"Too Many Requests", 500: b"Internal Server Error",
           503: b"Service Unavailable"}  # fmt: skip
CHUNKED = ("transfer-encoding", "chunked")
LAST = b"0\r\n\r\n"
"""Ends a chunked body."""

_served = count()
"""Numbers the requests of this process; flaky personas fail by it."""


async def serve_sandbox(sock: socket.socket) -> None:
    """Serve requests on `sock`, a connected stream socket that is ours from now on."""
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    async with stream:
        try:
            await _Connection(stream).serve()
        except (trio.BrokenResourceError, _PeerGone):
            return
        except Exception:
            # A guard site: the gateway's own nursery runs this task, and a fault in a stand-in must
            # cost one connection, not all of them. The peer sees it close.
            log.exception("sandbox: a connection failed")


class _PeerGone(Exception):  # noqa: N818 - an end, not an error
    """The peer closed, or sent its FIN."""


class _Connection:
    """One client: what it sent, and what it is told."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._receiver = Receiver()

    async def serve(self) -> None:
        """Answer until the peer goes, or says something that cannot be delimited."""
        while True:
            try:
                request = await self._next_request()
            except BadRequest as error:
                body = refusal(error.status, str(error), "bad_request")
                await self._reply(error.status, body, keep_alive=False)
                return
            await self._answer(request)
            if not request.keep_alive:
                return

    async def _next_request(self) -> Request:
        while (request := self._receiver.next_request()) is None:
            self._receiver.feed(await self._read())
        return request

    async def _read(self) -> bytes:
        data = bytes(await self._stream.receive_some(READ_BYTES))
        if not data:
            raise _PeerGone
        return data

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the peer goes. What it sends meanwhile belongs to its next request."""
        with trio.move_on_after(seconds):
            while not self._receiver.holding:
                self._receiver.hold(await self._read())
            await trio.sleep_forever()  # one read is held at most; more stays in the socket

    async def _answer(self, request: Request) -> None:
        surface = surface_of(request)
        document = _decode(request.body)
        if surface is None:
            status, body = 404, refusal(404, f"The sandbox has no {request.path}.", "not_found")
            await self._reply(status, body, keep_alive=request.keep_alive)
        elif document is None:
            body = refusal(400, "The body is not a JSON object.", "invalid_json")
            await self._reply(400, body, keep_alive=request.keep_alive)
        else:
            answer = respond(request.body, document, surface, count=next(_served))
            if isinstance(answer, Mishap):
                await self._fail(answer, request)
            elif document.get("stream") is True:
                await self._stream_out(answer, surface, document, request)
            else:
                wait_s, body = whole(answer, surface)
                await self._pause(wait_s)
                await self._reply(200, body, keep_alive=request.keep_alive)

    async def _fail(self, mishap: Mishap, request: Request) -> None:
        if mishap.in_stream:
            await self._start_stream(request)
            await self._pause(mishap.persona.first_token_s)
            await self._stream.send_all(_chunked(mishap_frame(mishap)) + _chunked(DONE) + LAST)
            return
        await self._pause(mishap.persona.first_token_s)
        body = refusal(mishap.status, mishap.message, mishap.code)
        await self._reply(
            mishap.status, body, keep_alive=request.keep_alive, headers=mishap.headers
        )

    async def _stream_out(
        self, answer: Answer, surface: Surface, document: Document, request: Request
    ) -> None:
        await self._start_stream(request)
        for beat in beats(answer, surface, include_usage=wants_usage(document)):
            if beat.wait_s > 0:
                await self._pause(beat.wait_s)
            await self._stream.send_all(_chunked(beat.frame))
        await self._stream.send_all(LAST)

    async def _start_stream(self, request: Request) -> None:
        head = _head(
            200,
            (("content-type", "text/event-stream"), CHUNKED),
            keep_alive=request.keep_alive,
        )
        await self._stream.send_all(head)

    async def _reply(
        self,
        status: int,
        body: bytes,
        *,
        keep_alive: bool,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        length = ("content-length", str(len(body)))
        fields = (("content-type", "application/json"), length, *headers)
        await self._stream.send_all(_head(status, fields, keep_alive=keep_alive) + body)


def surface_of(request: Request) -> Surface | None:
    """Which of the two routes was asked; None: neither."""
    if request.method != "POST":
        return None
    return next((surface for end, surface in SURFACES if request.path.endswith(end)), None)


def wants_usage(document: Document) -> bool:
    """Did the client ask for a usage chunk at the end of a stream?"""
    return as_document(document.get("stream_options")).get("include_usage") is True


def _decode(body: bytes) -> Document | None:
    try:
        value: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(status: int, fields: tuple[tuple[str, str], ...], *, keep_alive: bool) -> bytes:
    connection = ("connection", "keep-alive" if keep_alive else "close")
    lines = "".join(f"{name}: {value}\r\n" for name, value in (*fields, connection))
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, REASONS[status], lines.encode("latin-1"))
