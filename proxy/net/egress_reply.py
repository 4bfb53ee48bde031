"""One reply from outside, read piece by piece within bounds of bytes, chunks and time.

Rule 1: every byte counts as received, framing included, and again after decompression.
Rule 2: the connection goes back only when the reply was read to its end and nothing came behind it;
after an error, a cancel or a `close` before that it is closed.
Rule 3: decoding goes in steps of 64 KiB, with a checkpoint between them: no bomb stops the loop.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import trio

from proxy.errors import UpstreamTimeoutError, UpstreamUnavailableError
from proxy.net.egress_pool import Slot
from proxy.units import Seconds
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.codings import CodingError, Inflater
from proxy.wire.rules import ResponseHead

CHUNKS_FREE = 1_000
CHUNK_BYTES_MIN = 256
"""Beyond CHUNKS_FREE chunks, they must have this many bytes on average: each costs us 1 us."""
DROPPED = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"set-cookie", b"transfer-encoding", b"te",
     b"trailer", b"upgrade")
)  # fmt: skip
"""Fields that are of the connection, and cookies, which we do not keep (several came as one line)."""


@dataclass(frozen=True, slots=True)
class EgressLimits:
    """Bounds of one request and its reply."""

    head_bytes_max: int = 32_768
    received_bytes_max: int = 16_777_216
    """Of the body, as received: framing included."""
    body_bytes_max: int = 16_777_216
    """Of the body, decoded."""
    request_bytes_max: int = 16_777_216
    connect_s: Seconds = Seconds(5.0)
    """Lookup, connection and TLS."""
    silence_s: Seconds = Seconds(10.0)
    """Without a byte of the reply."""
    total_s: Seconds = Seconds(30.0)
    """From asking, waiting for a connection included, to the last byte."""


class Deadlines:
    """The time that one request has left."""

    __slots__ = ("_clock", "_end")

    def __init__(self, clock: Callable[[], Seconds], total_s: Seconds) -> None:
        self._clock = clock
        self._end = clock() + total_s

    def within(self, span_s: Seconds | None = None) -> AbstractContextManager[trio.CancelScope]:
        """A scope of `span_s` at most, and never beyond the end; it raises trio.TooSlowError."""
        end = self._end if span_s is None else min(self._end, self._clock() + span_s)
        return trio.fail_at(end)


class EgressReply:
    """Status, header fields and a body yet to be read."""

    def __init__(
        self, slot: Slot, head: ResponseHead, *, bodiless: bool, limits: EgressLimits,
        deadlines: Deadlines,
    ) -> None:  # fmt: skip
        """Raises: UpstreamUnavailableError for a body that is too long or coded in an unknown way."""
        self.status = head.status
        self.received = 0
        """Bytes of the body so far, framing included."""
        self._slot = slot
        self._limits = limits
        self._deadlines = deadlines
        length = 0 if bodiless else head.content_length
        if length is not None and length > limits.received_bytes_max:
            raise too_long()
        self._keep_alive = head.keep_alive
        self._body = BodyReader(chunked=head.chunked and not bodiless, length=length)
        coding = head.headers.get(b"content-encoding", b"identity")
        self._inflater: Inflater | None = None
        dropped = DROPPED
        if coding.lower() != b"identity" and not self._body.done:
            self._inflater = _inflater(coding)
            dropped |= {b"content-encoding", b"content-length"}
        self.headers = [
            (name, value) for name, value in head.headers.items() if name not in dropped
        ]
        """Names in lower case; without what described a coding that is undone here."""
        self._decoded = self._chunks = 0
        self._ready = b""
        """Payload that is received and not handed out; never coded."""
        self._over = False

    def feed(self, data: bytes) -> None:
        """Take received bytes. Raises: UpstreamUnavailableError."""
        self.received += len(data)
        if self.received > self._limits.received_bytes_max:
            raise too_long()
        try:
            data, spans = self._body.feed(data)
        except FramingError as error:
            raise UpstreamUnavailableError(f"Source's reply is malformed: {error}.") from None
        self._chunks += len(spans)
        if self._chunks > CHUNKS_FREE + self.received // CHUNK_BYTES_MIN:
            raise UpstreamUnavailableError("Source's reply comes in too many small chunks.")
        payload = b"".join([data[start:end] for start, end in spans])
        if self._inflater is None:
            self._ready = payload
        else:
            self._inflater.feed(payload)

    async def piece(self) -> bytes:
        """The next bytes of the body, decoded; empty at its end, and then again.

        Raises: UpstreamUnavailableError, UpstreamTimeoutError; the connection is closed then.
        """
        if self._over:
            return b""
        try:
            with self._deadlines.within():
                await trio.lowlevel.checkpoint()
                while not (found := self._take()) and not self._ended():
                    await self._receive()
        except trio.TooSlowError:
            self.close()
            raise too_slow() from None
        except BaseException:
            self.close()
            raise
        if not found:
            self._finish()
        return found

    async def read(self) -> bytes:
        """The rest of the body, whole, and the end of the reply. Raises: as `piece`."""
        pieces = []
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Want no more; after the end nothing happens."""
        self._over = True
        self._ready = b""
        self._slot.drop()

    def _take(self) -> bytes:
        """What is there, within the bound. Raises: UpstreamUnavailableError."""
        if self._inflater is None:
            found, self._ready = self._ready, b""
        else:
            try:
                found = self._inflater.take()
            except CodingError as error:
                raise undecodable(error) from None
        self._decoded += len(found)
        if self._decoded > self._limits.body_bytes_max:
            raise too_long()
        return found

    def _ended(self) -> bool:
        """Whether nothing more will come. Raises: UpstreamUnavailableError for half a coding."""
        if self._body.done and self._inflater is not None:
            try:
                self._inflater.end()
            except CodingError as error:
                raise undecodable(error) from None
        return self._body.done

    async def _receive(self) -> None:
        connection = self._slot.connection
        assert connection is not None
        try:
            with self._deadlines.within(self._limits.silence_s):
                data = await connection.receive()
        except OSError:  # no end of anything, not even of a body without a length
            raise cut_short() from None
        if data:
            self.feed(data)
        elif not self._body.close():
            raise cut_short()

    def _finish(self) -> None:
        """The reply was read to its end."""
        self._over = True
        if self._keep_alive and not self._body.leftover:
            self._slot.give()
        else:
            self._slot.drop()


def _inflater(coding: bytes) -> Inflater:
    try:
        return Inflater(coding)
    except CodingError as error:
        raise undecodable(error) from None


def undecodable(error: CodingError) -> UpstreamUnavailableError:
    """A coded body that is not what it says."""
    return UpstreamUnavailableError(f"Source's reply cannot be decoded: {error}.")


def cut_short() -> UpstreamUnavailableError:
    """The connection ended before the body."""
    return UpstreamUnavailableError("Source's reply is cut short.")


def too_long() -> UpstreamUnavailableError:
    """A body beyond its bound."""
    return UpstreamUnavailableError("Source's reply exceeds the size limit.")


def too_slow() -> UpstreamTimeoutError:
    """A deadline passed."""
    return UpstreamTimeoutError("Source did not reply in time.")
