"""Where a message body ends inside the bytes of a connection; payload stays where it was received.

`feed` returns the received bytes and spans into them, so that a relay can pass views on.
Source: RFC 9112 sections 6 and 7; chunk extensions are read over, trailers dropped.
"""

import re
from typing import TypeAlias

from proxy.wire.rules import FRAMING, TOKEN

CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*|;[\t\x20-\x7e\x80-\xff]*)")
"""No space before the ";", though RFC 9112 7.1.1 would have it read over: parsers differ there."""
TRAILER_LINE = re.compile(
    rb"(?!(?:%b):)%b++:[\t\x20-\x7e\x80-\xff]*" % (b"|".join(FRAMING), TOKEN), re.IGNORECASE
)
"""A header field, and none that would have delimited or addressed the message (RFC 9110 6.5.1)."""
CHUNK_LINE_BYTES_MAX = 1024
TRAILER_BYTES_MAX = 8192
SIZES_MAX = 512
"""Size lines remembered per body: a stream repeats a few dozen, and a look-up is 0.05 us."""

Spans: TypeAlias = list[tuple[int, int]]
"""(start, end) of payload, in order."""

SIZE, DATA, AFTER, TRAILERS = range(4)


class FramingError(Exception):
    """The body cannot be delimited; the connection is of no further use."""


class BodyReader:
    """Delimits one body: chunked, of known length, or up to the end of the connection."""

    __slots__ = ("_carry", "_chunked", "_left", "_phase", "_sizes", "_trailers", "done", "leftover")

    def __init__(self, *, chunked: bool, length: int | None) -> None:
        self._chunked = chunked
        self._left = 0 if chunked else -1 if length is None else length
        """Payload bytes still to come in this chunk or body; -1: until the connection ends."""
        self._phase = SIZE
        self._carry = b""
        self._trailers = 0
        """Bytes of trailers read over."""
        self._sizes: dict[bytes, int] = {}
        self.done = not chunked and length == 0
        self.leftover = b""
        """Bytes behind the end: the next message, or a reason to drop the connection."""

    def feed(self, data: bytes) -> tuple[bytes, Spans]:
        """Take received bytes; return the bytes that spans point into, and the spans of payload.

        Raises: FramingError.
        """
        data = self.join(data)
        spans: Spans = []
        position = 0
        while position < len(data):
            start, end, position = self.step(data, position)
            if start < end:
                spans.append((start, end))
        return data, spans

    def join(self, data: bytes) -> bytes:
        """Received bytes, behind what was left of the last ones; what `step` is to be given."""
        if self._carry:
            data, self._carry = self._carry + data, b""
        return data

    @property
    def between_chunks(self) -> bool:
        """The next byte begins a chunk's size line."""
        return self._chunked and self._phase == SIZE and not self._carry and not self.done

    def step(self, data: bytes, position: int) -> tuple[int, int, int]:
        """Read on at `position`: at most one span of payload, and where to read on.

        Returns: (start, end, next position); start == end where there is no payload.
        Raises: FramingError.
        """
        if self.done:
            self.leftover += data[position:]
            return 0, 0, len(data)
        if self._chunked:
            return self._step_chunked(data, position)
        if self._left < 0:
            return position, len(data), len(data)
        end = min(position + self._left, len(data))
        self._left -= end - position
        self.done = self._left == 0
        return position, end, end

    def close(self) -> bool:
        """The connection ended: True if the body is complete."""
        if not self._chunked and self._left < 0:
            self.done = True
        return self.done

    def _step_chunked(self, data: bytes, position: int) -> tuple[int, int, int]:
        size, phase = len(data), self._phase
        while position < size:
            if phase == DATA:
                end = position + self._left
                if end > size:
                    self._left = end - size
                    return position, size, size
                self._phase = AFTER
                if data.startswith(b"\r\n", end):
                    self._phase = SIZE
                    return position, end, end + 2
                return position, end, end
            if phase == AFTER:
                if size - position == 1:
                    break
                if not data.startswith(b"\r\n", position):
                    raise FramingError("a chunk is longer than its size says")
                position += 2
                phase = self._phase = SIZE
                continue
            eol = data.find(b"\r\n", position, position + TRAILER_BYTES_MAX)
            if eol < 0:
                break
            if phase == SIZE:
                line = data[position:eol]
                left = self._left = (
                    self._sizes[line] if line in self._sizes else self._read_size(line)
                )
                phase = self._phase = DATA if left else TRAILERS
            elif self._is_last(data, position, eol):
                self.leftover = data[eol + 2 :]
                return 0, 0, size
            position = eol + 2
        self._keep(data[position:])
        return 0, 0, size

    def _is_last(self, data: bytes, start: int, end: int) -> bool:
        """Check and count a line of the trailers; an empty one ends the body."""
        self.done = start == end
        if not (self.done or TRAILER_LINE.fullmatch(data, start, end)):
            raise FramingError("malformed trailer")
        self._trailers += end - start
        if self._trailers > TRAILER_BYTES_MAX:
            raise FramingError("the trailers are too long")
        return self.done

    def _read_size(self, line: bytes) -> int:
        if len(line) > CHUNK_LINE_BYTES_MAX:
            raise FramingError("a chunk size line is too long")
        found = CHUNK_LINE.fullmatch(line)
        if found is None:
            raise FramingError("malformed chunk size")
        size = int(found[1], 16)
        if len(self._sizes) < SIZES_MAX:
            self._sizes[line] = size
        return size

    def _keep(self, rest: bytes) -> None:
        """Remember an incomplete line, within bounds."""
        limit = TRAILER_BYTES_MAX if self._phase == TRAILERS else CHUNK_LINE_BYTES_MAX
        if len(rest) >= limit:
            raise FramingError("a chunk size line or the trailers are too long")
        self._carry = rest
