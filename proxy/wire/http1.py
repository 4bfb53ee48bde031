"""HTTP/1.1 heads: one in, one out, by the parser that is the default or by the one given.

What a head must be stands in `wire.rules`, who reads it in `wire.parsers`.
Source: RFC 9112.
"""

from proxy.errors import UpstreamUnavailableError
from proxy.wire.parsers import FAST, Parser
from proxy.wire.rules import HEAD_SHAPE, RESPONSE_FIELDS_MAX, RESPONSE_SHAPE, ResponseHead

__all__ = [
    "HEAD_SHAPE", "INTERIM_MAX", "RESPONSE_FIELDS_MAX", "RESPONSE_SHAPE", "ResponseHead",
    "ResponseHeadReader", "parse_request_head", "parse_response_head",
]  # fmt: skip

parse_request_head = FAST.request_head
"""Read one request head with the default parser. Raises: InvalidRequestError."""
parse_response_head = FAST.response_head
"""Read one response head with the default parser. Raises: UpstreamUnavailableError."""

INTERIM_MAX = 10
"""1xx responses accepted before the final one."""


class ResponseHeadReader:
    """Finds the final response head in received bytes, within a limit."""

    __slots__ = ("_interim", "_max", "_parse", "_received")

    def __init__(self, head_bytes_max: int, parser: Parser = FAST) -> None:
        self._max = head_bytes_max
        self._parse = parser.response_head
        self._received = b""
        self._interim = 0

    @property
    def started(self) -> bool:
        """A byte was received."""
        return bool(self._received) or self._interim > 0

    def feed(self, data: bytes) -> tuple[ResponseHead, bytes] | None:
        """Take received bytes; the head and what follows it, once complete.

        Raises: UpstreamUnavailableError.
        """
        received = self._received + data if self._received else data
        while True:
            end = received.find(b"\r\n\r\n") + 4
            if end > self._max or (end < 4 and len(received) > self._max):
                raise UpstreamUnavailableError("Provider's reply head exceeds the size limit.")
            if end < 4:
                self._received = received
                return None
            head, received = self._parse(received[:end]), received[end:]
            if head.status >= 200:
                return head, received
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise UpstreamUnavailableError("Provider sent no final reply.")
