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
from bench.machine import Pinning
from bench.posts import Kind
from bench.servers import Target

Part = Literal["nonstream", "stream", "ttfb", "paced", "coldstart"]
PARTS: tuple[Part, ...] = ("nonstream", "stream", "ttfb", "paced", "coldstart")

CONNECTIONS = 32
STREAMS_PACED = 200
"""Streams at once in paced mode: some 40,000 events a second."""
CLIENT_RATE_MAX: dict[Kind, float] = {"plain": 8_000.0, "burst": 2_500.0, "paced": 0.0}
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
    Metric("nonstream.rate", "non-streamed, saturated", "requests/s"),
    Metric("nonstream.cpu", "  CPU per request", "us", budget="<= 6x"),
    Metric("nonstream.p50", "  latency p50", "ms"),
    Metric("nonstream.p99", "  latency p99", "ms"),
    Metric("nonstream.busy", "  core used", "share", ratio=False),
    Metric("nonstream.rss", "  memory after", "MiB", ratio=False),
    Metric("stream.rate", "streamed, one write, saturated", "streams/s", budget=">= 0.75x"),
    Metric("stream.cpu", "  CPU per stream", "us"),
    Metric("stream.p50", "  whole stream p50", "ms"),
    Metric("stream.p99", "  whole stream p99", "ms"),
    Metric("stream.busy", "  core used", "share", ratio=False),
    Metric("stream.rss", "  memory after", "MiB", ratio=False),
    Metric("ttfb.plain.rate", "first byte, non-streamed, at", "requests/s", ratio=False),
    Metric("ttfb.plain.p50", "  p50", "us"),
    Metric("ttfb.plain.p99", "  p99", "us"),
    Metric("ttfb.plain.added_p50", "  added to direct, p50", "us", budget="<= 400 us"),
    Metric("ttfb.plain.added_p99", "  added to direct, p99", "us", budget="<= 2000 us"),
    Metric("ttfb.burst.rate", "first byte, streamed, at", "streams/s", ratio=False),
    Metric("ttfb.burst.p50", "  p50", "us"),
    Metric("ttfb.burst.p99", "  p99", "us"),
    Metric("ttfb.burst.added_p50", "  added to direct, p50", "us", budget="<= 400 us"),
    Metric("ttfb.burst.added_p99", "  added to direct, p99", "us", budget="<= 2000 us"),
    Metric("paced.rate", f"{STREAMS_PACED} streams paced at 5 ms", "events/s"),
    Metric("paced.cpu", "  CPU per event", "us"),
    Metric("paced.p50", "  whole stream p50", "ms"),
    Metric("paced.p99", "  whole stream p99", "ms"),
    Metric("paced.busy", "  core used", "share", ratio=False),
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
    kinds: tuple[Kind, ...] = ("plain", "burst", "paced")
    for target in bench.targets:
        for kind in kinds:
            check(target, kind)


def one_round(bench: Bench, say: Callable[[str], None]) -> Iterator[Reading]:
    """All parts asked for, each over all targets in turn."""
    saturated: dict[Kind, list[float]] = {"plain": [], "burst": []}
    for part, kind in _stretches(bench.parts):
        for target in bench.targets:
            say(f"{part}: {target.name}")
            load = Load(kind, STREAMS_PACED if kind == "paced" else CONNECTIONS, bench.seconds)
            loaded = saturate(target, bench.mock, load, bench.pins)
            if target in bench.proxies:
                saturated.setdefault(kind, []).append(loaded.requests_per_s)
            if part in bench.parts:
                yield from _readings(part, target.name, loaded)
    if "ttfb" in bench.parts:
        for kind in ("plain", "burst"):
            limit = min([CLIENT_RATE_MAX[kind], *(rate / 2 for rate in saturated[kind])])
            yield from _first_bytes(bench, kind, limit, say)


def _stretches(parts: tuple[Part, ...]) -> Iterator[tuple[Part, Kind]]:
    """Which loads to run; first bytes need to know the saturated rates."""
    if "nonstream" in parts or "ttfb" in parts:
        yield "nonstream", "plain"
    if "stream" in parts or "ttfb" in parts:
        yield "stream", "burst"
    if "paced" in parts:
        yield "paced", "paced"


def _readings(part: Part, target: str, loaded: Loaded) -> Iterator[Reading]:
    paced = part == "paced"
    rate = loaded.events_per_s if paced else loaded.requests_per_s
    cpu = loaded.cpu_us_per_event if paced else loaded.cpu_us_per_request
    yield Reading(f"{part}.rate", target, rate)
    yield Reading(f"{part}.cpu", target, cpu)
    yield Reading(f"{part}.p50", target, loaded.p50_ms)
    yield Reading(f"{part}.p99", target, loaded.p99_ms)
    yield Reading(f"{part}.busy", target, loaded.core_busy)
    yield Reading(f"{part}.rss", target, loaded.rss_mib)


def _first_bytes(
    bench: Bench, kind: Kind, rate: float, say: Callable[[str], None]
) -> Iterator[Reading]:
    """The same rate for everyone: half of what the slowest proxy can do."""
    direct: ttfb.Ttfb | None = None
    for target in bench.targets:
        say(f"first byte, {kind}, {rate:.0f}/s: {target.name}")
        seen = ttfb.measure(target, kind, rate, bench.seconds, bench.pins)
        direct = direct or seen
        yield Reading(f"ttfb.{kind}.rate", target.name, seen.rate)
        yield Reading(f"ttfb.{kind}.p50", target.name, seen.p50_us)
        yield Reading(f"ttfb.{kind}.p99", target.name, seen.p99_us)
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
