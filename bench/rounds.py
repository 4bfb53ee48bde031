"""Interleaved rounds: every target in turn, again and again, so that a noisy minute hits all.

A round yields readings: (metric, target, value). What they mean stands in `METRICS`.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import servers, ttfb
from bench.load import Load, Loaded, check, saturate
from bench.machine import Pinning, cpu_s
from bench.posts import KINDS, Kind
from bench.servers import Target

Part = Literal["nonstream", "stream", "ttfb", "paced", "coldstart"]
PARTS: tuple[Part, ...] = ("nonstream", "stream", "ttfb", "paced", "coldstart")
PART_OF: dict[Kind, Part] = {
    "plain": "nonstream",
    "burst": "stream",
    "each": "stream",
    "paced": "paced",
}

CONNECTIONS = 32
STREAMS_PACED = 200
"""Streams at once in paced mode: some 40,000 events a second."""
CLIENT_RATE_MAX: dict[Kind, float] = {"plain": 12_000.0, "burst": 4_000.0}
"""Requests per second the Python client sends without becoming what is measured."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the report."""

    name: str
    title: str
    unit: str
    ratio: bool = True
    """Whether value / nginx's value means anything."""
    budget: str = ""
    """What DESIGN.md section 4 allows a sidecar."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric at one target in one round."""

    metric: str
    target: str
    value: float


METRICS = (
    Metric("plain.rate", "non-streamed, saturated", "requests/s"),
    Metric("plain.cpu", "  CPU per request", "us", budget="<= 6x"),
    Metric("plain.p50", "  latency p50", "ms"),
    Metric("plain.p99", "  latency p99", "ms"),
    Metric("plain.busy", "  core used", "share", ratio=False),
    Metric("plain.taken", "  core taken by others", "share", ratio=False),
    Metric("plain.rss", "  memory after", "MiB", ratio=False),
    Metric("burst.rate", "streamed, one write, saturated", "streams/s", budget=">= 0.75x"),
    Metric("burst.cpu", "  CPU per stream", "us"),
    Metric("burst.p50", "  whole stream p50", "ms"),
    Metric("burst.p99", "  whole stream p99", "ms"),
    Metric("burst.busy", "  core used", "share", ratio=False),
    Metric("burst.taken", "  core taken by others", "share", ratio=False),
    Metric("burst.rss", "  memory after", "MiB", ratio=False),
    Metric("each.rate", "streamed, a write per event", "streams/s"),
    Metric("each.cpu", "  CPU per stream", "us"),
    Metric("each.p50", "  whole stream p50", "ms"),
    Metric("each.p99", "  whole stream p99", "ms"),
    Metric("each.busy", "  core used", "share", ratio=False),
    Metric("each.taken", "  core taken by others", "share", ratio=False),
    Metric("each.rss", "  memory after", "MiB", ratio=False),
    Metric("ttfb.plain.rate", "first byte, non-streamed, at", "requests/s", ratio=False),
    Metric("ttfb.plain.p50", "  p50", "us"),
    Metric("ttfb.plain.p99", "  p99", "us"),
    Metric("ttfb.plain.late", "  client late by, p99", "us", ratio=False),
    Metric("ttfb.plain.cpu", "  CPU per request, about", "us"),
    Metric("ttfb.plain.added_p50", "  added to direct, p50", "us", budget="<= 400 us"),
    Metric("ttfb.plain.added_p99", "  added to direct, p99", "us", budget="<= 2000 us"),
    Metric("ttfb.burst.rate", "first byte, streamed, at", "streams/s", ratio=False),
    Metric("ttfb.burst.p50", "  p50", "us"),
    Metric("ttfb.burst.p99", "  p99", "us"),
    Metric("ttfb.burst.late", "  client late by, p99", "us", ratio=False),
    Metric("ttfb.burst.cpu", "  CPU per stream, about", "us"),
    Metric("ttfb.burst.added_p50", "  added to direct, p50", "us", budget="<= 400 us"),
    Metric("ttfb.burst.added_p99", "  added to direct, p99", "us", budget="<= 2000 us"),
    Metric("paced.rate", f"{STREAMS_PACED} streams paced at 5 ms", "events/s"),
    Metric("paced.cpu", "  CPU per event", "us"),
    Metric("paced.p50", "  whole stream p50", "ms"),
    Metric("paced.p99", "  whole stream p99", "ms"),
    Metric("paced.busy", "  core used", "share", ratio=False),
    Metric("paced.taken", "  core taken by others", "share", ratio=False),
    Metric("paced.rss", "  memory after", "MiB", ratio=False),
    Metric("coldstart.ready", "cold start to ready", "ms"),
    Metric("coldstart.first", "  to first answer", "ms", budget="<= 1000 ms"),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything a round needs: who is measured, how long, on which cores."""

    mock: Target
    proxies: tuple[Target, ...]
    seconds: int
    pins: Pinning
    parts: tuple[Part, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The mock itself first."""
        return (self.mock, *self.proxies)


def preflight(bench: Bench) -> None:
    """One request of each kind to each target, before anything is timed."""
    for target in bench.targets:
        for kind in KINDS:
            check(target, kind)


def one_round(bench: Bench, say: Callable[[str], None]) -> Iterator[Reading]:
    """All parts asked for, each over all targets in turn."""
    saturated: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    for kind in _kinds(bench.parts):
        for target in bench.targets:
            say(f"{kind}: {target.name}")
            load = Load(kind, STREAMS_PACED if kind == "paced" else CONNECTIONS, bench.seconds)
            loaded = saturate(target, bench.mock, load, bench.pins)
            if target in bench.proxies:
                saturated[kind].append(loaded.requests_per_s)
            if PART_OF[kind] in bench.parts:
                yield from _readings(kind, target.name, loaded)
    if "ttfb" in bench.parts:
        for kind in ("plain", "burst"):
            limit = min([CLIENT_RATE_MAX[kind], *(rate / 2 for rate in saturated[kind])])
            yield from _first_bytes(bench, kind, limit, say)


def _kinds(parts: tuple[Part, ...]) -> Iterator[Kind]:
    """Which loads to run; first bytes need to know the saturated rates of two."""
    for kind in KINDS:
        if PART_OF[kind] in parts or ("ttfb" in parts and kind in CLIENT_RATE_MAX):
            yield kind


def _readings(kind: Kind, target: str, loaded: Loaded) -> Iterator[Reading]:
    paced = kind == "paced"
    yield Reading(f"{kind}.rate", target, loaded.events_per_s if paced else loaded.requests_per_s)
    yield Reading(
        f"{kind}.cpu", target, loaded.cpu_us_per_event if paced else loaded.cpu_us_per_request
    )
    yield Reading(f"{kind}.p50", target, loaded.p50_ms)
    yield Reading(f"{kind}.p99", target, loaded.p99_ms)
    yield Reading(f"{kind}.busy", target, loaded.core_busy)
    if target != "direct":
        yield Reading(f"{kind}.taken", target, loaded.core_taken)
    yield Reading(f"{kind}.rss", target, loaded.rss_mib)


def _first_bytes(
    bench: Bench, kind: Kind, rate: float, say: Callable[[str], None]
) -> Iterator[Reading]:
    """The same rate for everyone: half of what the slowest proxy can do."""
    direct: ttfb.Ttfb | None = None
    for target in bench.targets:
        say(f"first byte, {kind}, {rate:.0f}/s: {target.name}")
        cpu = cpu_s(target.pid)
        seen = ttfb.measure(target, kind, rate, bench.seconds, bench.pins)
        cpu = cpu_s(target.pid) - cpu
        direct = direct or seen
        yield Reading(f"ttfb.{kind}.rate", target.name, seen.rate)
        yield Reading(f"ttfb.{kind}.p50", target.name, seen.p50_us)
        yield Reading(f"ttfb.{kind}.p99", target.name, seen.p99_us)
        yield Reading(f"ttfb.{kind}.late", target.name, seen.late_p99_us)
        yield Reading(f"ttfb.{kind}.cpu", target.name, cpu * 1e6 / (seen.rate * bench.seconds))
        if target in bench.proxies:
            yield Reading(f"ttfb.{kind}.added_p50", target.name, seen.p50_us - direct.p50_us)
            yield Reading(f"ttfb.{kind}.added_p99", target.name, seen.p99_us - direct.p99_us)


def cold_start(bench: Bench, name: str) -> Iterator[Reading]:
    """Start a proxy in an empty folder; time until it is ready, then until it answered a call."""
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as place:
        folder, port = Path(place), servers.free_port()
        command = servers.COMMANDS[name](bench.mock.port, port, folder, bench.pins)
        began = time.perf_counter()
        with servers.spawned(name, command, folder) as child:
            servers.wait_for(name, child, port, "/healthz/ready", folder)
            ready = time.perf_counter() - began
            check(Target(name, port, child.pid), "plain")
            first = time.perf_counter() - began
    yield Reading("coldstart.ready", name, ready * 1e3)
    yield Reading("coldstart.first", name, first * 1e3)
