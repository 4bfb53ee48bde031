"""A coded body's bytes, decoded in small pieces: what comes out is bounded by who asks for it.

Rule 1: one coding, of those that a bound can be put on here: gzip and deflate (zlib's format).
Rule 2: nothing may follow the end of the coded data, and the end must come.

Source: RFC 9110 section 8.4.1, RFC 1950, RFC 1952.
"""

import zlib

PIECE_BYTES = 65_536
"""Most that one step brings out: 0.1 ms of work, whatever the ratio."""
WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""zlib's window bits, which choose the format."""


class CodingError(Exception):
    """The body is not what its coding says; the message says how."""


class Inflater:
    """Decodes one body; `feed` what was received, then `take` until nothing comes."""

    __slots__ = ("_coded", "_zlib")

    def __init__(self, coding: bytes) -> None:
        """Raises: CodingError for a coding that is not in WINDOWS."""
        window = WINDOWS.get(coding.lower())
        if window is None:
            raise CodingError("its coding is unknown")
        self._zlib = zlib.decompressobj(window)
        self._coded = b""

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self._coded += data

    def take(self) -> bytes:
        """Up to PIECE_BYTES of what was fed, decoded; empty: feed more. Raises: CodingError."""
        if self._zlib.eof:
            self.end()
            return b""
        try:
            found = self._zlib.decompress(self._coded, PIECE_BYTES)
        except zlib.error:
            raise CodingError("it is damaged") from None
        # Behind the end zlib keeps what it did not read as unused.
        self._coded = self._zlib.unused_data or self._zlib.unconsumed_tail
        return found

    def end(self) -> None:
        """No more will come. Raises: CodingError where the coded data has not ended, or did before."""
        if not self._zlib.eof:
            raise CodingError("it is cut short")
        if self._coded:
            raise CodingError("it goes on behind its end")
