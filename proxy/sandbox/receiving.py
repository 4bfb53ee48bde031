"""Requests out of bytes, for the sandbox: a thin cover of the gateway's own parser; no I/O.

The only client is this gateway's own pool, so sizes are bounded, and what the parser refuses ends
the connection.
"""

from dataclasses import dataclass

from proxy.errors import InvalidRequestError
from proxy.model.head import RequestHead
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.parsers import FAST

BODY_BYTES_MAX = 32 * 1024 * 1024
"""The gateway's own default for request bodies."""
HEAD_BYTES_MAX = 256 * 1024
HEADERS_MAX = 1000

BAD, TOO_LARGE = 400, 413


class BadRequest(Exception):  # noqa: N818 - named as HTTP names it
    """What was sent cannot be delimited, or is too large; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request."""

    method: str
    path: str
    """Target without its query."""
    body: bytes
    keep_alive: bool


class Receiver:
    """Feed bytes, take requests."""

    def __init__(self) -> None:
        self._complete: list[Request] = []
        self._held = b""
        self._received = b""
        """Of a head that is not complete."""
        self._head: RequestHead | None = None
        """Of the request whose body is being read."""
        self._reader = BodyReader(chunked=False, length=0)
        self._body = bytearray()

    @property
    def holding(self) -> bool:
        """Is something kept for later?"""
        return bool(self._held)

    def hold(self, data: bytes) -> None:
        """Keep bytes of a later request until it is asked for."""
        self._held += data

    def next_request(self) -> Request | None:
        """The oldest complete request; None: more bytes are needed. Raises: BadRequest."""
        if not self._complete and self._held:
            data, self._held = self._held, b""
            self.feed(data)
        return self._complete.pop(0) if self._complete else None

    def feed(self, data: bytes) -> None:
        """Parse bytes. Raises: BadRequest."""
        while data or self._head is not None:
            if self._head is None:
                data = self._read_head(data)
            if self._head is None or not self._read_body(self._head, data):
                return
            data = self._reader.leftover
            self._head = None

    def _read_head(self, data: bytes) -> bytes:
        """Take bytes of a head; once it is complete, what follows it."""
        received = self._received + data
        end = received.find(b"\r\n\r\n") + 4
        if max(end, len(received) if end < 4 else 0) > HEAD_BYTES_MAX:
            raise BadRequest(TOO_LARGE, "The request is too large.")
        if end < 4:
            if not received[:1].isupper():
                raise BadRequest(BAD, "Not HTTP/1.1: no method.")
            self._received = received
            return b""
        try:
            self._head = head = FAST.request_head(received[:end], HEADERS_MAX)
        except InvalidRequestError as error:
            raise BadRequest(BAD, error.message) from None
        self._received = b""
        length = None if head.chunked else head.content_length
        self._reader, self._body = FAST.body(chunked=head.chunked, length=length), bytearray()
        return received[end:]

    def _read_body(self, head: RequestHead, data: bytes) -> bool:
        """Take bytes of a body; True: the request is whole."""
        try:
            data, spans = self._reader.feed(data)
        except FramingError as error:
            raise BadRequest(BAD, f"Malformed chunked body: {error}.") from None
        for start, end in spans:
            self._body += data[start:end]
        if len(self._body) > BODY_BYTES_MAX or head.content_length > BODY_BYTES_MAX:
            raise BadRequest(TOO_LARGE, "The request is too large.")
        if self._reader.done:
            body = bytes(self._body)
            self._complete.append(Request(head.method, head.path, body, head.keep_alive))
        return self._reader.done
