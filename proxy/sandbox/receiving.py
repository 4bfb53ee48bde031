"""Requests out of bytes, for the sandbox: a thin cover of llhttp; no I/O.

The only client is this gateway's own pool, so the checks are few: sizes are bounded, and what llhttp
refuses ends the connection.
"""

from dataclasses import dataclass

import httptools

BODY_BYTES_MAX = 32 * 1024 * 1024
"""The gateway's own default for request bodies."""
HEAD_BYTES_MAX = 256 * 1024

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
        self._parser = httptools.HttpRequestParser(self)
        self._complete: list[Request] = []
        self._held = b""
        self._head_bytes = 0
        self._in_head = True
        self._url = b""
        self._body: list[bytes] = []
        self._body_bytes = 0

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
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise BadRequest(BAD, f"Not HTTP/1.1: {error}") from None
        if self._in_head:
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX or self._body_bytes > BODY_BYTES_MAX:
            raise BadRequest(TOO_LARGE, "The request is too large.")

    # --- called by llhttp ---------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """A new request."""
        self._url, self._body, self._body_bytes = b"", [], 0
        self._head_bytes, self._in_head = 0, True

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_headers_complete(self) -> None:
        """The head is over."""
        self._head_bytes, self._in_head = 0, False

    def on_body(self, data: bytes) -> None:
        """A piece of the body; beyond the limit it is counted, not kept."""
        self._body_bytes += len(data)
        if self._body_bytes <= BODY_BYTES_MAX:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._complete.append(
            Request(
                method=self._parser.get_method().decode("latin-1"),
                path=self._url.partition(b"?")[0].decode("latin-1"),
                body=b"".join(self._body),
                keep_alive=self._parser.should_keep_alive(),
            )
        )
        self._body = []
