"""HTTP/2 frames counted before anything reads them: a peer that sends too much of something is cut.

HTTP/2 makes some frames cheaper to send than to answer; each of them has an allowance here, and what
exceeds it never reaches the library behind. Pure: bytes and the time go in, an error comes out.
Sources: RFC 9113 10.5; CVE-2019-9511 to 9518, CVE-2023-44487 (rapid reset), CVE-2024-27316
(CONTINUATION), CVE-2025-8671 (resets that the server is made to send).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from proxy.config.settings import LimitSettings
from proxy.units import Seconds

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a client begins (RFC 9113 3.4)."""
HEAD_BYTES = 9
FRAME_BYTES_MAX = 16_384
"""Largest payload, as our settings say (RFC 9113 4.2)."""
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 8, 9
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
CONTINUATIONS_MAX = 8
"""Per header block: `head_bytes_max` fits in two."""
SETTINGS_BYTES_MAX = 360
"""60 settings of 6 bytes; ten are defined."""
SMALL_BYTES = 64
"""A DATA frame with less costs more to handle than to send."""
DRIBBLE_BYTES = 16
"""DATA of ours with less was cut by a window that the peer opens byte by byte."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many of something a peer may send."""

    burst: int
    """At once."""
    per_s: float
    """Per second, after that."""


CONTROL = Allowance(100, 10.0)
"""SETTINGS, PING, PRIORITY, GOAWAY and frames that nobody knows; each request adds two."""
RESETS = Allowance(100, 10.0)
"""RST_STREAM of theirs; each complete answer adds one, so a busy client may change its mind often."""
RESETS_SENT = Allowance(100, 10.0)
"""RST_STREAM that we are made to send; each complete answer adds one."""
WINDOWS = Allowance(1_000, 10.0)
"""WINDOW_UPDATE; each DATA frame of ours adds four: naive clients send two for each."""
EMPTY = Allowance(100, 10.0)
"""DATA without a byte that does not end its stream."""
SMALL = Allowance(1_000, 100.0)
"""DATA below SMALL_BYTES that does not end its stream."""


class FloodError(Exception):
    """The connection must be cut; `kind` is a reason of `observe.statistics.CUTS`."""

    def __init__(self, what: str, kind: str = "flood") -> None:
        super().__init__(what)
        self.kind = kind


class Bucket:
    """An allowance being used up."""

    __slots__ = ("_allowance", "_at", "_left")

    def __init__(self, allowance: Allowance, now: Seconds) -> None:
        self._allowance = allowance
        self._left: float = allowance.burst
        self._at = now

    def take(self, now: Seconds) -> bool:
        """Use one; False: there is none left."""
        gained = (now - self._at) * self._allowance.per_s
        self._left = min(self._left + gained, self._allowance.burst) - 1
        self._at = now
        return self._left >= 0

    def earn(self, count: int) -> None:
        """Allow `count` more, up to the burst."""
        self._left = min(self._left + count, self._allowance.burst)


class FrameHead(NamedTuple):
    """What is known of a frame before its payload is here."""

    length: int
    """Bytes of payload."""
    kind: int
    flags: int
    stream: int
    padding: int
    """Bytes of padding with its length byte; of DATA only."""


class FrameScanner:
    """Finds the frames in bytes, however they are cut."""

    __slots__ = ("_partial", "_skip")

    def __init__(self) -> None:
        self._partial = b""
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[FrameHead]:
        """Take bytes; every frame whose head is complete now. Use the iterator up."""
        if self._partial:
            data = self._partial + data
            self._partial = b""
        at, end = self._skip, len(data)
        while at < end:
            stop = at + HEAD_BYTES
            if stop > end:
                self._partial = data[at:]
                at = end
                break
            length = int.from_bytes(data[at : at + 3], "big")
            kind, flags = data[at + 3], data[at + 4]
            padding = 0
            if kind == DATA and flags & PADDED and length:
                if stop == end:
                    self._partial = data[at:]
                    at = end
                    break
                padding = min(data[stop] + 1, length)
            stream = int.from_bytes(data[at + 5 : stop], "big") & 0x7FFF_FFFF
            yield FrameHead(length, kind, flags, stream, padding)
            at = stop + length
        self._skip = at - end


class FloodGuard:
    """The counters of one connection."""

    def __init__(self, limits: LimitSettings, now: Seconds) -> None:
        self._block_max = limits.head_bytes_max
        self._preface = PREFACE
        self._in, self._out = FrameScanner(), FrameScanner()
        self._control = Bucket(CONTROL, now)
        self._resets = Bucket(RESETS, now)
        self._resets_sent = Bucket(RESETS_SENT, now)
        self._windows = Bucket(WINDOWS, now)
        self._empty = Bucket(EMPTY, now)
        self._small = Bucket(SMALL, now)
        self._block_bytes = self._continuations = 0
        self.greeted = False
        """The preface and a first frame have come."""

    def received(self, data: bytes, now: Seconds) -> None:
        """Count what the peer sent. Raises: FloodError; `data` must then not be read."""
        if self._preface:
            count = min(len(self._preface), len(data))
            if not self._preface.startswith(data[:count]):
                raise FloodError("no HTTP/2 preface", "malformed")
            self._preface, data = self._preface[count:], data[count:]
        for frame in self._in.feed(data):
            self.greeted = True
            if frame.length > FRAME_BYTES_MAX:
                raise FloodError(f"a frame of {frame.length} bytes", "malformed")
            self._count(frame, now)

    def _count(self, frame: FrameHead, now: Seconds) -> None:
        kind = frame.kind
        if kind == DATA:
            size = frame.length - frame.padding
            if size < SMALL_BYTES and not frame.flags & END_STREAM:
                self._use(self._small if size else self._empty, now, "small DATA")
        elif kind in {HEADERS, CONTINUATION}:
            self._count_block(frame)
        elif kind == RST_STREAM:
            self._use(self._resets, now, "RST_STREAM")
        elif kind == WINDOW_UPDATE:
            self._use(self._windows, now, "WINDOW_UPDATE")
        else:
            if kind == SETTINGS and frame.length > SETTINGS_BYTES_MAX:
                raise FloodError("too many settings")
            self._use(self._control, now, "control frames")

    def _count_block(self, frame: FrameHead) -> None:
        """One header block: a HEADERS frame and what continues it."""
        if frame.kind == HEADERS:
            self._block_bytes = self._continuations = 0
            self._control.earn(2)
        else:
            self._continuations += 1
        self._block_bytes += frame.length
        if self._continuations > CONTINUATIONS_MAX or self._block_bytes > self._block_max:
            raise FloodError("an endless header block")

    def sent(self, data: bytes, now: Seconds) -> None:
        """Count what we send. Raises: FloodError."""
        for frame in self._out.feed(data):
            if frame.kind == RST_STREAM:
                self._use(self._resets_sent, now, "streams that had to be reset")
            elif frame.kind in {DATA, HEADERS}:
                ends = frame.flags & END_STREAM
                if ends:
                    self._resets.earn(1)
                    self._resets_sent.earn(1)
                if ends or frame.length >= DRIBBLE_BYTES:
                    self._windows.earn(4)

    @staticmethod
    def _use(bucket: Bucket, now: Seconds, what: str) -> None:
        if not bucket.take(now):
            raise FloodError(f"too many {what}")
