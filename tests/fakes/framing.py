"""Bytes on the wire, planned: an answer is a tuple of steps that a connection performs.

This file is pure. Each `Send` is one write to the socket (TCP_NODELAY is on), so a test
decides where the reader may see a boundary: between body pieces, within HTTP chunk framing
or within the head.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

Header = tuple[str, str]

PIECE_BYTES_MAX = 200
LAST_CHUNK = b"0\r\n\r\n"
EVENT_STREAM: tuple[Header, ...] = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-cache"),
)
JSON_TYPE: tuple[Header, ...] = (("Content-Type", "application/json"),)


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes in one call."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, then go on; 0 lets other tasks run."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more and keep the connection until the peer closes it."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Send RST (SO_LINGER 0)."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Send FIN."""


Step = Send | Pause | Stall | Reset | Hangup
Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Pacing:
    """How an answer is split and spread over time."""

    seed: int = 0
    """Seeds the random splits of a body whose chunking was not kept."""
    cut_every: int | None = None
    """Split the body into HTTP chunks of n bytes, and the framed bytes at every n again."""
    delay_s: float = 0.0
    """Seconds between pieces."""


def head_of(status: int, headers: Iterable[Header]) -> bytes:
    """Status line and header lines of an HTTP/1.1 response."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def chunk_of(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def cut(data: bytes, every: int) -> list[bytes]:
    """Split at every n bytes."""
    return [data[start : start + every] for start in range(0, len(data), every)]


def random_pieces(data: bytes, seed: int) -> list[bytes]:
    """Split into 1..PIECE_BYTES_MAX bytes each; the same seed gives the same pieces."""
    source = random.Random(seed)
    pieces: list[bytes] = []
    start = 0
    while start < len(data):
        end = start + source.randint(1, PIECE_BYTES_MAX)
        pieces.append(data[start:end])
        start = end
    return pieces


def pieces_of(body: bytes, kept: Sequence[bytes] | None, pacing: Pacing) -> list[bytes]:
    """The pieces of a body: cut if asked, else as recorded, else at random."""
    if pacing.cut_every is not None:
        return cut(body, pacing.cut_every)
    if kept:
        return list(kept)
    return random_pieces(body, pacing.seed)


def spread(writes: Iterable[bytes], pacing: Pacing) -> Steps:
    """One write each, pauses only between them; `cut_every` cuts the whole anew instead."""
    if pacing.cut_every is not None:
        writes = cut(b"".join(writes), pacing.cut_every)
    steps: list[Step] = []
    for write in writes:
        steps += (Pause(pacing.delay_s), Send(write))
    return tuple(steps[1:])


def streamed(
    pieces: Sequence[bytes],
    pacing: Pacing,
    *,
    status: int = 200,
    headers: Iterable[Header] = EVENT_STREAM,
    end: bytes = LAST_CHUNK,
) -> Steps:
    """A chunked response, one HTTP chunk per piece; without `end` it stays unfinished."""
    head = head_of(status, [*headers, ("Transfer-Encoding", "chunked")])
    writes = [head, *(chunk_of(piece) for piece in pieces if piece)]
    if end:
        writes.append(end)
    return spread(writes, pacing)


def counted(
    body: bytes,
    pacing: Pacing,
    *,
    status: int = 200,
    headers: Iterable[Header] = JSON_TYPE,
    length: int | None = None,
) -> Steps:
    """A response with Content-Length; `length` states another one than the body's."""
    stated = len(body) if length is None else length
    head = head_of(status, [*headers, ("Content-Length", str(stated))])
    return spread([head, body] if body else [head], pacing)
