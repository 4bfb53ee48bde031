"""Interleaved rounds: every target in turn, again and again, so that a noisy minute hits all.

A round yields readings: (metric, target, value). What they mean stands in `metrics`.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import servers, ttfb
from bench.load import Load, Loaded, check, saturate
from bench.machine import Others, Pinning, cpu_s
from bench.metrics import STREAMS_PACED, Reading
from bench.posts import KINDS, Kind
from bench.servers import Target

Part = Literal["nonstream", "stream", "rate", "paced", "coldstart"]
PARTS: tuple[Part, ...] = ("nonstream", "stream", "rate", "paced", "coldstart")
PART_OF: dict[Kind, Part] = {
    "plain": "nonstream",
    "chunks": "stream",
    "burst": "stream",
    "paced": "paced",
}

CONNECTIONS = 32
CLIENT_RATE_MAX: dict[Kind, float] = {"plain": 6_000.0, "chunks": 400.0, "burst": 2_500.0}
"""Requests per second the Python client sends without becoming what is measured."""


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
    if "rate" in bench.parts:
        for kind, limit in CLIENT_RATE_MAX.items():
            rate = min([limit, *(found / 2 for found in saturated[kind])])
            yield from _equal_rate(bench, kind, rate, say)


def _kinds(parts: tuple[Part, ...]) -> Iterator[Kind]:
    """Which loads to run; equal rates need to know the saturated ones."""
    for kind in KINDS:
        if PART_OF[kind] in parts or ("rate" in parts and kind in CLIENT_RATE_MAX):
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
    yield Reading(f"{kind}.others", target, loaded.others)
    yield Reading(f"{kind}.rss", target, loaded.rss_mib)


def _equal_rate(
    bench: Bench, kind: Kind, rate: float, say: Callable[[str], None]
) -> Iterator[Reading]:
    """The same rate for everyone: half of what the slowest proxy can do.

    CPU per request differs from that at saturation: a proxy that sleeps between requests finds one
    event per wakeup, and on a virtual machine each send to a sleeping peer pays to wake its core.
    """
    direct: ttfb.Ttfb | None = None
    for target in bench.targets:
        say(f"equal rate, {kind}, {rate:.0f}/s: {target.name}")
        cpu, others = cpu_s(target.pid), Others()
        seen = ttfb.measure(target, kind, rate, bench.seconds, bench.pins)
        cpu, busy = cpu_s(target.pid) - cpu, others.cores()
        direct = direct or seen
        name = f"rate.{kind}"
        yield Reading(f"{name}.rate", target.name, seen.rate)
        yield Reading(f"{name}.cpu", target.name, cpu * 1e6 / seen.sent)
        yield Reading(f"{name}.p50", target.name, seen.p50_us)
        yield Reading(f"{name}.p99", target.name, seen.p99_us)
        yield Reading(f"{name}.others", target.name, busy)
        yield Reading(f"{name}.late", target.name, seen.late_p99_us)
        if target in bench.proxies:
            yield Reading(f"{name}.added_p50", target.name, seen.p50_us - direct.p50_us)
            yield Reading(f"{name}.added_p99", target.name, seen.p99_us - direct.p99_us)


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
