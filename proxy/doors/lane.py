"""The HTTP/1.1 door: one connection, request after request, on a non-blocking socket.

One task per connection reads a request, serves it and reads the next; that its client left is told
by `doors.departures`. Deadlines are plain numbers that the door's one reaper looks at each second: a
cancel scope per wait would cost more than the parsing.

Rule 1: after anything that cannot be delimited the connection closes; no second request is read.
Rule 2: a client's FIN or RST counts as leaving (as in nginx and Go); what it asked for is cancelled.
Rule 3: an unread body is never taken for the next request.
"""

import contextlib
import math
import socket
from collections.abc import Callable

import orjson
import trio

from proxy.config.settings import LimitSettings
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
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.http1 import parse_request_head

RECEIVE_BYTES = 65_536
BUFFERS_MAX = 1000
"""Pieces per `sendmsg`; the kernel takes 1,024."""
JOINED_BYTES = 16_384
"""Below this, copying a body behind its head is cheaper than a second buffer."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
READ_S = 30.0
"""Longest time a client may take to accept what was sent, seconds."""
LINGER_S = 1.0
"""How long an unread body is drained after an early answer, so that the answer is not lost to a RST."""
REASONS = {
    200: b"OK", 204: b"No Content", 400: b"Bad Request", 401: b"Unauthorized",
    402: b"Payment Required", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed",
    408: b"Request Timeout", 413: b"Content Too Large", 429: b"Too Many Requests",
    431: b"Request Header Fields Too Large", 500: b"Internal Server Error", 502: b"Bad Gateway",
    503: b"Service Unavailable", 504: b"Gateway Timeout",
}  # fmt: skip


class LaneConnection:
    """One client connection; also the `Downstream` of the request it is serving."""

    def __init__(
        self,
        sock: socket.socket,
        limits: LimitSettings,
        clock: Callable[[], Seconds],
        *,
        local: bool,
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.local = local
        self.head = NO_HEAD
        self.started = False
        self.complete = False
        """The reply to the current request has been handed over whole."""
        self._clock = clock
        self.left_early = False
        """The client left before it had its answer."""
        self.deadline: float = clock() + limits.idle_connection_s
        """When the reaper cancels this connection; seconds on the loop's clock."""
        self.scope = trio.CancelScope()
        self._limits = limits
        self._buffer = b""
        self._busy = False
        """A request is being answered."""
        self._body_read = True
        self._keep_alive = True
        self._chunked = False
        self._head_out = b""
        self._unsent = b""

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
            with contextlib.suppress(OSError):
                self.sock.send(head + body)
        self.scope.cancel()

    def finish_up(self) -> None:
        """Answer the request in progress, if there is one, and no other."""
        self._keep_alive = False
        if not self._busy:
            self.scope.cancel()

    async def _more(self) -> bytes:
        """Wait for bytes. Raises: ClientClosedError at the end of the connection."""
        while True:
            await trio.lowlevel.wait_readable(self.fd)
            try:
                data = self.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                raise ClientClosedError("The client left.")
            return data

    async def next_request(self) -> bool:
        """Read the next head into `self.head`; False: the connection is over.

        Raises: InvalidRequestError (400, or 431 for size); the connection must then close.
        """
        if not (self._keep_alive and self._body_read):
            return False
        limit = self._limits.head_bytes_max
        self.started = self.complete = self._busy = False
        begun = bool(self._buffer)
        self.deadline = self._clock() + (
            self._limits.head_time_s if self._buffer else self._limits.idle_connection_s
        )
        while True:
            blank = 0  # RFC 9112 2.2: be lenient about empty lines before a request
            while self._buffer.startswith(b"\r\n", blank):
                blank += 2
            if blank:
                self._buffer = self._buffer[blank:]
            end = self._buffer.find(b"\r\n\r\n", 0, limit + 4)
            if end >= 0:
                break
            if len(self._buffer) > limit:
                self._keep_alive = False
                error = InvalidRequestError(f"The request's head exceeds {limit} bytes.")
                error.status = 431
                raise error
            data = await self._more()
            if not begun:
                begun, self.deadline = True, self._clock() + self._limits.head_time_s
            self._buffer = self._buffer + data if self._buffer else data
        raw, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        self._keep_alive = False  # until the head is understood
        self.head = head = parse_request_head(raw, self._limits.headers_max)
        self._keep_alive = head.keep_alive
        self._body_read = not head.chunked and head.content_length == 0
        self._chunked = not head.http_10
        self._busy = True
        self.deadline = math.inf
        return True

    async def body(self, bytes_max: int) -> bytes:
        """Read the whole body. Raises: PayloadTooLargeError, InvalidRequestError."""
        head = self.head
        if self._body_read:
            return b""
        if head.content_length > bytes_max:
            raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
        length = head.content_length
        if not head.chunked and len(self._buffer) >= length:
            body, self._buffer = self._buffer[:length], self._buffer[length:]
            self._body_read = True
            return body
        if head.expects_continue and not self._buffer and not self._send([CONTINUE]):
            await self.drain()
        self.deadline = self._clock() + body_time(bytes_max)
        reader = BodyReader(chunked=head.chunked, length=None if head.chunked else length)
        pieces: list[bytes] = []
        size, data = 0, self._buffer
        self._buffer = b""
        while True:
            try:
                data, spans = reader.feed(data)
            except FramingError as error:
                raise InvalidRequestError(f"Malformed chunked body: {error}.") from None
            for start, end in spans:
                pieces.append(data[start:end])
                size += end - start
            if size > bytes_max:
                raise PayloadTooLargeError(f"The request's body exceeds {bytes_max} bytes.")
            if reader.done:
                break
            data = await self._more()
        self._buffer = reader.leftover
        self._body_read = True
        self.deadline = math.inf
        return b"".join(pieces)

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
        return self._send(buffers)

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
        if not self._send(buffers):
            await self.drain()

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole reply that was not started."""
        framing = b"" if status == 204 else b"content-length: %d\r\n" % len(body)
        head = self._head_bytes(status, headers, framing, keep_alive=True)
        self.started = self.complete = True
        if self.head.method == "HEAD":
            body = b""
        if not self._send([head + body] if len(body) < JOINED_BYTES else [head, body]):
            await self.drain()

    def _head_bytes(
        self, status: int, headers: Headers, framing: bytes, *, keep_alive: bool
    ) -> bytes:
        if not (keep_alive and self._keep_alive and self._body_read):
            self._keep_alive = False
            framing += b"connection: close\r\n"
        elif self.head.http_10:
            framing += b"connection: keep-alive\r\n"
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, REASONS.get(status, b""), headers, framing)

    def _send(self, buffers: list[Buffer]) -> bool:
        if self._unsent:
            self._unsent += b"".join(buffers)
            return False
        if len(buffers) > BUFFERS_MAX:
            buffers = [b"".join(buffers)]
        try:
            sent = self.sock.send(buffers[0]) if len(buffers) == 1 else self.sock.sendmsg(buffers)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise ClientClosedError("The client left.") from None
        if sent == sum(map(len, buffers)):
            return True
        self._unsent = b"".join(buffers)[sent:]
        return False

    async def drain(self) -> None:
        """Send what is kept; a client that takes nothing for READ_S is taken for gone."""
        before = self.deadline
        unsent = memoryview(self._unsent)
        while unsent:
            self.deadline = self._clock() + READ_S
            await trio.lowlevel.wait_writable(self.fd)
            try:
                unsent = unsent[self.sock.send(unsent) :]
            except BlockingIOError:
                continue
            except OSError:
                raise ClientClosedError("The client left.") from None
        self._unsent = b""
        self.deadline = before

    async def linger(self) -> None:
        """Read on for a moment after an early answer, then let go."""
        if self._body_read or not self.complete:
            return
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        with trio.move_on_after(LINGER_S), contextlib.suppress(ClientClosedError):
            while True:
                await self._more()


def body_time(bytes_max: int) -> float:
    """Seconds a client may take for its body: 10, and what 64 KiB/s allows for the largest one."""
    return 10.0 + bytes_max / 65_536


NO_HEAD = RequestHead("GET", "/", b"", {})
