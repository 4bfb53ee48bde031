"""The HTTP/1.1 door: one connection, request after request.

One task per connection reads a request, serves it and reads the next; that its client left is told
by `doors.departures`. How bytes come and go, in clear text or TLS, is `doors.transfer`.

Rule 1: after anything that cannot be delimited the connection closes; no second request is read.
Rule 2: a client's FIN or RST counts as leaving (as in nginx and Go); what it asked for is cancelled.
Rule 3: an unread body is never taken for the next request.
"""

import contextlib
import math
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import trio

from proxy.config.settings import LimitSettings
from proxy.doors.pace import BodyPace
from proxy.doors.quota import Idler
from proxy.doors.transfer import Transfer
from proxy.errors import (
    ClientClosedError,
    InvalidRequestError,
    PayloadTooLargeError,
    RequestTimeoutError,
)
from proxy.model.downstream import Buffer, Headers
from proxy.model.envelope import error_document
from proxy.model.head import RequestHead
from proxy.units import Seconds
from proxy.wire.body import FramingError
from proxy.wire.parsers import FAST, Parser

JOINED_BYTES = 16_384
"""Below this, copying a body behind its head is cheaper than a second buffer."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKS_FREE = 16_384
CHUNK_BYTES_MIN = 256
"""A body may come in CHUNKS_FREE chunks of any size, and one more per this many bytes: reading a chunk
costs a microsecond."""
LINGER_S = 1.0
"""How long an unread body is drained after an early answer, so that the answer is not lost to a RST."""
REASONS = {
    200: b"OK", 204: b"No Content", 400: b"Bad Request", 401: b"Unauthorized",
    402: b"Payment Required", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed",
    408: b"Request Timeout", 413: b"Content Too Large", 417: b"Expectation Failed",
    429: b"Too Many Requests", 431: b"Request Header Fields Too Large", 500: b"Internal Server Error",
    502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Gateway Timeout",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terms:
    """What all connections of one listener have in common."""

    limits: LimitSettings
    parser: Parser = FAST
    announce: bytes = b""
    """Header lines of every reply."""


NO_HEAD = RequestHead("GET", "/", b"", {})


class LaneConnection:
    """One client connection; also the `Downstream` of the request it is serving."""

    def __init__(
        self, transfer: Transfer, terms: Terms, clock: Callable[[], Seconds],
        *, local: bool, address: str = "", idle: dict[Idler, None] | None = None,
    ) -> None:  # fmt: skip
        """Speak HTTP over `transfer`.

        Args:
            local: whether the client is on this machine.
            address: the client's, without port.
            idle: where the connection notes itself while it is between two requests.
        """
        self.transfer = transfer
        self.fd = transfer.fd
        self.local = local
        self.address = address
        self.head = NO_HEAD
        self.started = False
        self.complete = False
        """The reply to the current request has been handed over whole."""
        self.left_early = False
        """The client left before it had its answer."""
        self.scope = trio.CancelScope()
        self._clock = clock
        self._limits = limits = terms.limits
        self._parser = terms.parser
        self._announce = terms.announce
        transfer.deadline = clock() + limits.idle_connection_s
        self._idle: dict[Idler, None] = {} if idle is None else idle
        self._requests_left = limits.requests_per_connection_max
        self._buffer = b""
        self._busy = False
        """A request is being answered."""
        self._body_read = True
        self._keep_alive = True
        self._chunked = False
        self._head_out = b""

    @property
    def sock(self) -> socket.socket:
        """As it is now: TLS puts another object around the same descriptor."""
        return self.transfer.sock

    # --- reading ---------------------------------------------------------------------------------
    def leave(self) -> None:
        """The client left: cancel what it asked for."""
        self.left_early = self._busy and not self.complete
        self.scope.cancel()

    def expire(self) -> None:
        """The deadline passed: say so if a request was on its way, and end the connection."""
        if not self.started and (self._busy or self._buffer):
            body = orjson.dumps(error_document(RequestTimeoutError("The request took too long.")))
            framing = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            self._keep_alive = False
            head = self._head_bytes(408, b"", framing, keep_alive=False)
            self.transfer.last_words(head + body)
        self.scope.cancel()

    def finish_up(self) -> None:
        """Answer the request in progress, if there is one, and no other."""
        self._keep_alive = False
        if not self._busy:
            self.scope.cancel()

    def make_way(self) -> None:
        """End this idle connection, because another needs the place."""
        self._keep_alive = False
        self.scope.cancel()

    async def establish(self, context: ssl.SSLContext) -> str:
        """Shake hands; returns what ALPN chose. Raises: ClientClosedError."""
        self.transfer.deadline = self._clock() + self._limits.head_time_s
        self._idle[self] = None
        try:
            return await self.transfer.establish(context)
        finally:
            self._idle.pop(self, None)

    def hand_over(self) -> None:
        """From now on another door reads, and minds the time."""
        self.transfer.deadline = math.inf
        self._busy = True

    async def begins_with(self, preface: bytes) -> bytes:
        """Read until it is clear whether the client's first bytes are `preface`.

        Returns: what was read if they are, else nothing: it is read as HTTP/1.1 then.
        Raises: ClientClosedError.
        """
        self.transfer.deadline = self._clock() + self._limits.idle_connection_s
        try:
            if not self._buffer:
                self._buffer = await self._first_bytes()
            self.transfer.deadline = self._clock() + self._limits.head_time_s
            while len(self._buffer) < len(preface) and preface.startswith(self._buffer):
                self._buffer += await self.transfer.receive()
        finally:
            self._idle.pop(self, None)
        if not self._buffer.startswith(preface):
            return b""
        received, self._buffer = self._buffer, b""
        return received

    async def next_request(self) -> bool:
        """Read the next head into `self.head`; False: the connection is over.

        Raises: InvalidRequestError (400, or 431 for size); the connection must then close.
        """
        if not (self._keep_alive and self._body_read):
            return False
        limit = self._limits.head_bytes_max
        self.started = self.complete = self._busy = False
        begun = bool(self._buffer)
        transfer = self.transfer
        transfer.deadline = self._clock() + (
            self._limits.head_time_s if begun else self._limits.idle_connection_s
        )
        try:
            if not begun:
                self._buffer = await self._first_bytes()
                transfer.deadline = self._clock() + self._limits.head_time_s
            end = await self._whole_head(limit)
        finally:
            self._idle.pop(self, None)
        raw, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        self._keep_alive = self._body_read = False  # until the head is understood
        self.head = head = self._parser.request_head(raw, self._limits.headers_max)
        self._requests_left -= 1
        self._keep_alive = head.keep_alive and self._requests_left > 0
        self._body_read = not head.chunked and head.content_length == 0
        self._chunked = not head.http_10
        self._busy = True
        transfer.deadline = math.inf
        return True

    async def _first_bytes(self) -> bytes:
        """Wait for a request; until its head is whole the connection may be told to make way."""
        self._idle[self] = None
        return await self.transfer.receive()

    async def _whole_head(self, limit: int) -> int:
        """Read until the head's end is in the buffer; where it is.

        Raises: InvalidRequestError (431) beyond `limit` bytes.
        """
        while True:
            blank = 0  # RFC 9112 2.2: be lenient about empty lines before a request
            while self._buffer.startswith(b"\r\n", blank):
                blank += 2
            if blank:
                self._buffer = self._buffer[blank:]
            end = self._buffer.find(b"\r\n\r\n", 0, limit + 4)
            if end >= 0:
                return end
            if len(self._buffer) > limit:
                self._keep_alive = self._body_read = False
                error = InvalidRequestError(f"The request's head exceeds {limit} bytes.")
                error.status = 431
                raise error
            self._idle.setdefault(self)  # keeps its place in the line
            data = await self.transfer.receive()
            self._buffer = self._buffer + data if self._buffer else data

    async def body(self, bytes_max: int) -> bytes:
        """Read the whole body. Raises: PayloadTooLargeError, InvalidRequestError."""
        head = self.head
        if self._body_read:
            return b""
        if head.content_length > bytes_max:
            raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
        length = head.content_length
        if not head.chunked and len(self._buffer) >= length:
            whole, self._buffer = self._buffer[:length], self._buffer[length:]
            self._body_read = True
            return whole
        if head.expects_continue and not self._buffer and not self.transfer.send([CONTINUE]):
            await self.transfer.drain()
        pace = BodyPace(self._clock(), bytes_max, self._limits)
        reader = self._parser.body(chunked=head.chunked, length=None if head.chunked else length)
        body = bytearray()  # not a list: a million tiny chunks would be a million objects
        chunks, data = 0, self._buffer
        self._buffer = b""
        while True:
            try:
                data, spans = reader.feed(data)
            except FramingError as error:
                raise InvalidRequestError(f"Malformed chunked body: {error}.") from None
            for start, end in spans:
                body += data[start:end]
            chunks += len(spans)
            size = len(body)
            if chunks > CHUNKS_FREE + size // CHUNK_BYTES_MIN:
                raise InvalidRequestError("The body comes in too many tiny chunks.")
            if size > bytes_max:
                raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
            if reader.done:
                break
            self.transfer.deadline = pace.deadline(self._clock(), size)
            data = await self.transfer.receive()
        self._buffer = reader.leftover
        self._body_read = True
        self.transfer.deadline = math.inf
        return bytes(body)

    # --- writing ---------------------------------------------------------------------------------
    def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed reply; the head leaves with the first `write`."""
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        self._head_out = self._head_bytes(status, headers, framing, keep_alive=self._chunked)
        self.started = True

    def write(self, buffers: list[Buffer]) -> bool:
        """Send a piece of a streamed reply; False: call `drain` before the next."""
        if self._chunked:
            size = sum(map(len, buffers))
            first = b"%b%x\r\n" % (self._head_out, size) if self._head_out else b"%x\r\n" % size
            buffers = [first, *buffers, b"\r\n"]
        elif self._head_out:
            buffers = [self._head_out, *buffers]
        self._head_out = b""
        return self.transfer.send(buffers)

    async def drain(self) -> None:
        """Send what is kept."""
        await self.transfer.drain()

    async def end(self, buffers: list[Buffer]) -> None:
        """Send the last piece of a streamed reply."""
        size = sum(map(len, buffers))
        if self._chunked:
            first = b"%b%x\r\n" % (self._head_out, size) if size else self._head_out
            buffers = [first, *buffers, b"\r\n0\r\n\r\n" if size else b"0\r\n\r\n"]
        elif self._head_out:
            buffers = [self._head_out, *buffers]
        self._head_out = b""
        self.complete = True
        if not self.transfer.send(buffers):
            await self.transfer.drain()

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole reply that was not started."""
        framing = b"" if status == 204 else b"content-length: %d\r\n" % len(body)
        head = self._head_bytes(status, headers, framing, keep_alive=True)
        self.started = self.complete = True
        if self.head.method == "HEAD":
            body = b""
        if not self.transfer.send([head + body] if len(body) < JOINED_BYTES else [head, body]):
            await self.transfer.drain()

    def _head_bytes(
        self, status: int, headers: Headers, framing: bytes, *, keep_alive: bool
    ) -> bytes:
        if not (keep_alive and self._keep_alive and self._body_read):
            self._keep_alive = False
            framing += b"connection: close\r\n"
        elif self.head.http_10:
            framing += b"connection: keep-alive\r\n"
        reason = REASONS.get(status, b"")
        return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (
            status, reason, headers, self._announce, framing,
        )  # fmt: skip

    async def linger(self) -> None:
        """Read on for a moment after an early answer, then let go."""
        if self._body_read or not self.complete:
            return
        self.transfer.half_close()
        with trio.move_on_after(LINGER_S), contextlib.suppress(ClientClosedError):
            while True:
                await self.transfer.receive()
