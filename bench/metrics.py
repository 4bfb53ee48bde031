"""The rows of the report, as data: what each metric is called, its unit, and the part of the run it is from.

Rule 1: every metric of a run has a row here; readings carry only its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from bench.posts import STREAMS, Kind

Part: TypeAlias = Literal["saturated", "ladder", "half", "paced", "memory", "coldstart", "leaving"]
PARTS: tuple[Part, ...] = get_args(Part)
Better: TypeAlias = Literal["lower", "higher"]

SATURATED: dict[Kind, str] = {
    "plain": "small request",
    "large": "long document",
    "chunks": "stream, a write per event",
    "burst": "stream, one write",
    "translate": "another dialect",
    "translate_stream": "another dialect, streamed",
}
HALF: dict[Kind, str] = {kind: SATURATED[kind] for kind in ("plain", "chunks")}
LADDER = (1, 2, 4, 8, 16, 32, 64, 128)
"""Connections, step by step."""
ADDED_AT = (1, 8, 64)
"""The steps whose added latency is a row of the table, and all there are of a brief ladder."""
WITHIN_MS = (1, 5, 25)
"""Bounds on p99 under which the highest rate is looked for."""
STREAMS_PACED = (32, 200)
"""Streams at once."""
NEEDS: dict[Part, frozenset[Kind]] = {
    "saturated": frozenset(SATURATED),
    "ladder": frozenset({"plain"}),
    "half": frozenset(HALF),
    "paced": frozenset({"paced"}),
    "memory": frozenset(HALF),
    "coldstart": frozenset({"plain"}),
    "leaving": frozenset({"paced"}),
}
"""Kinds of request in each part."""
LOADED: frozenset[Part] = frozenset({"saturated", "ladder", "half", "memory"})
"""Parts in which targets are loaded by wrk."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the report."""

    name: str
    title: str
    unit: str
    part: Part
    ratio: bool = True
    """Whether value / nginx's value means anything."""
    better: Better = "lower"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric at one target in one round."""

    metric: str
    target: str
    value: float


def _saturated(kind: Kind, title: str) -> Iterator[Metric]:
    per = "stream" if kind in STREAMS else "request"
    whole = "whole stream" if kind in STREAMS else "latency"
    yield Metric(f"{kind}.rate", title, f"{per}s/s", "saturated", better="higher")
    yield Metric(f"{kind}.cpu", f"  CPU per {per}", "us", "saturated")
    yield Metric(f"{kind}.p50", f"  {whole} p50", "ms", "saturated")
    yield Metric(f"{kind}.p99", f"  {whole} p99", "ms", "saturated")
    yield Metric(f"{kind}.busy", "  core used", "share", "saturated", ratio=False)
    yield Metric(f"{kind}.taken", "  core taken by others", "share", "saturated", ratio=False)
    yield Metric(f"{kind}.others", "  cores busy with others", "cores", "saturated", ratio=False)
    yield Metric(f"{kind}.rss", "  most memory", "MiB", "saturated", ratio=False)


def _ladder() -> Iterator[Metric]:
    """wrk again: a closed loop, so a slow target is asked less often."""
    for step in ADDED_AT:
        title = f"added to direct, {step} connection{'s' if step > 1 else ''}"
        yield Metric(f"ladder.added_p50.c{step}", f"{title}, p50", "us", "ladder")
        yield Metric(f"ladder.added_p99.c{step}", "  p99", "us", "ladder")
    yield Metric("ladder.others", "  cores busy with others", "cores", "ladder", ratio=False)
    for bound in WITHIN_MS:
        title = f"highest rate with p99 within {bound} ms"
        yield Metric(f"tail.rate_{bound}ms", title, "requests/s", "ladder", better="higher")


def _half(kind: Kind, title: str) -> Iterator[Metric]:
    name, per = f"half.{kind}", "stream" if kind in STREAMS else "request"
    yield Metric(f"{name}.rate", f"half load: {title}", f"{per}s/s", "half", False, "higher")
    yield Metric(f"{name}.cpu", f"  CPU per {per}", "us", "half")
    yield Metric(f"{name}.p50", "  first byte p50", "us", "half")
    yield Metric(f"{name}.p99", "  first byte p99", "us", "half")
    yield Metric(f"{name}.added_p50", "  added to direct, p50", "us", "half")
    yield Metric(f"{name}.added_p99", "  added to direct, p99", "us", "half")
    yield Metric(f"{name}.others", "  cores busy with others", "cores", "half", ratio=False)
    yield Metric(f"{name}.late", "  client late by, p99", "us", "half", ratio=False)


def _paced(streams: int) -> Iterator[Metric]:
    name = f"paced.{streams}"
    title = f"{streams} streams, an event every 20 ms"
    yield Metric(f"{name}.rate", title, "events/s", "paced", better="higher")
    yield Metric(f"{name}.cpu_event", "  CPU per event", "us", "paced")
    yield Metric(f"{name}.ttfb_p50", "  first content p50", "us", "paced")
    yield Metric(f"{name}.ttfb_p99", "  first content p99", "us", "paced")
    yield Metric(f"{name}.gap_p50", "  gap between events p50", "ms", "paced")
    yield Metric(f"{name}.gap_p99", "  gap between events p99", "ms", "paced")
    yield Metric(f"{name}.added_ttfb_p50", "  added to direct, first p50", "us", "paced")
    yield Metric(f"{name}.added_ttfb_p99", "  added to direct, first p99", "us", "paced")
    yield Metric(f"{name}.added_gap_p99", "  added to direct, gap p99", "ms", "paced", ratio=False)
    yield Metric(f"{name}.others", "  cores busy with others", "cores", "paced", ratio=False)


METRICS: tuple[Metric, ...] = (
    *(metric for kind, title in SATURATED.items() for metric in _saturated(kind, title)),
    *_ladder(),
    *(metric for kind, title in HALF.items() for metric in _half(kind, title)),
    *(metric for streams in STREAMS_PACED for metric in _paced(streams)),
    Metric("memory.idle", "memory after start", "MiB", "memory"),
    Metric("memory.loaded", "  most under load", "MiB", "memory"),
    Metric("memory.after", "  3 s after the load", "MiB", "memory"),
    Metric("memory.stream", "memory per idle stream", "KiB", "memory"),
    Metric("coldstart.ready", "cold start to ready", "ms", "coldstart"),
    Metric("coldstart.first", "  to first answer", "ms", "coldstart"),
    Metric("leaving.p50", "client gone to upstream closed, p50", "ms", "leaving"),
    Metric("leaving.p99", "  p99", "ms", "leaving"),
    Metric("leaving.kept", "  still open after 2 s", "share", "leaving", ratio=False),
)
