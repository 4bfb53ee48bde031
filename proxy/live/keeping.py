"""The board as bytes, so that statistics survive a restart; what is in them ages by the pause.

A file begins with a line that names format, version and byte order, and a checksum. Its times are on a
clock that is gone: they are moved to where they would be on the present one.

Rule 1: pure: reading and writing files is the caller's. Rule 2: `restore` takes all of a file or
raises; a file that is cut off, foreign or too large harms nothing. Rule 3: counts of ends begin anew,
as counters do after a restart; those of the last five minutes are kept.
"""

import sys
import zlib

import msgspec

from proxy.live.board import Board
from proxy.live.uptime import MINUTES, Uptime
from proxy.live.vitals import Vitals
from proxy.live.window import HALF_HOUR_S, Slice
from proxy.units import Seconds

MAGIC = f"hedgerow board 1 {sys.byteorder}\n".encode()
"""Grows with every change of what follows."""
CHECKSUM_BYTES = 4
FILE_BYTES_MAX = 67_108_864
"""64 MiB; 2,000 endpoints with some traffic take 11 (`bench.live`)."""
AROUND_BYTES = 1_024
"""More than what stands around the endpoints."""


class UnusableBoardError(ValueError):
    """Kept statistics that cannot be used; the message says why."""


class KeptFigures(msgspec.Struct, frozen=True, array_like=True):
    """Slices and rows of an endpoint that has traffic."""

    ttft: list[Slice]
    throughput: list[Slice]
    total: list[Slice]
    money: list[list[int]]


class KeptVitals(msgspec.Struct, frozen=True, array_like=True):
    """One endpoint."""

    endpoint_id: str
    provider: str
    last_at: Seconds
    uptime: bytes
    """One byte per minute, the newest last."""
    ends: list[list[int]]
    figures: KeptFigures | None


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What follows the checksum."""

    unix: float
    """When it was written, seconds since 1970."""
    now: Seconds
    """The same moment on the clock of all times in it."""
    endpoints: list[msgspec.Raw]
    """`KeptVitals` each; those that were busy last come first."""


def dump(board: Board, unix: float, now: Seconds) -> bytes:
    """Everything but totals since the start; of too much, the endpoints that were busy last.

    Args:
        unix: seconds since 1970; `now` is the same moment on the monotonic clock.
    """
    parts: list[msgspec.Raw] = []
    room = FILE_BYTES_MAX - AROUND_BYTES
    for name, vitals in sorted(board.vitals.items(), key=lambda item: -item[1].last_at):
        part = msgspec.msgpack.encode(_kept(name, vitals, now))
        room -= len(part)
        if room < 0:
            break
        parts.append(msgspec.Raw(part))
    body = msgspec.msgpack.encode(Kept(unix, now, parts))
    return MAGIC + _checksum(body) + body


def restore(board: Board, data: bytes, unix: float, now: Seconds) -> None:
    """Give `board` what `dump` wrote, as old as it has become, and make its standings.

    Raises: UnusableBoardError; the board is then as it was.
    """
    if len(data) > FILE_BYTES_MAX:
        raise UnusableBoardError(f"larger than {FILE_BYTES_MAX} bytes")
    if not data.startswith(MAGIC):
        raise UnusableBoardError("of another format, version or machine")
    start = len(MAGIC) + CHECKSUM_BYTES
    body = data[start:]
    if data[len(MAGIC) : start] != _checksum(body):
        raise UnusableBoardError("damaged: its checksum is wrong")
    try:
        kept = msgspec.msgpack.decode(body, type=Kept)
        then = Seconds(now - max(unix - kept.unix, 0.0))
        parts = [msgspec.msgpack.decode(part, type=KeptVitals) for part in kept.endpoints]
        found = [(part.endpoint_id, _vitals(part, kept.now, then, now)) for part in parts]
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise UnusableBoardError(f"damaged: {error}") from None
    for name, vitals in found:
        if vitals.figures is not None or any(vitals.uptime.kept()):
            board.adopt(name, vitals)
    board.refresh(now)


def _kept(name: str, vitals: Vitals, now: Seconds) -> KeptVitals:
    vitals.uptime.turn(now)
    figures = vitals.figures
    began_at = now if figures is None else figures.opened_at
    return KeptVitals(
        name,
        vitals.provider,
        vitals.last_at,
        vitals.uptime.kept(),
        vitals.ends.kept(began_at),
        None
        if figures is None
        else KeptFigures(
            figures.ttft.kept(began_at),
            figures.throughput.kept(began_at),
            figures.total.kept(began_at),
            figures.money.kept(began_at),
        ),
    )


def _vitals(kept: KeptVitals, written_at: Seconds, then: Seconds, now: Seconds) -> Vitals:
    """An endpoint again; `written_at` is the moment of writing on its own clock, `then` on `now`'s."""
    later = Seconds(then - written_at)
    if len(kept.uptime) != MINUTES:
        raise ValueError("a day has another number of minutes")
    vitals = Vitals(kept.provider, Seconds(kept.last_at + later))
    vitals.uptime = Uptime(then, kept.uptime)
    vitals.uptime.turn(now)
    vitals.ends.restore(kept.ends, later, now)
    if kept.figures is not None and now - vitals.last_at < HALF_HOUR_S:
        figures = vitals.begin(now)
        figures.ttft.restore(kept.figures.ttft, later, now)
        figures.throughput.restore(kept.figures.throughput, later, now)
        figures.total.restore(kept.figures.total, later, now)
        figures.money.restore(kept.figures.money, later, now)
    return vitals


def _checksum(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little")
