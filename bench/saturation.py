"""As much as a target can take: wrk on 32 connections, each kind of request; and the memory that needs."""

import time
from collections import defaultdict
from collections.abc import Iterator

from bench.clients import LATE_S
from bench.lanes import Bench, Lane, Run
from bench.load import SETTLE_S, Load, Loaded, saturate
from bench.machine import rss_kib
from bench.metrics import HALF, SATURATED, Reading
from bench.posts import Kind
from bench.servers import Target

CONNECTIONS = 32
AFTER_S = 3.0
"""Pause until memory is read again."""
WRK_START_S = 0.1


def loaded(bench: Bench, target: Target, kind: Kind, connections: int, seconds: int) -> Loaded:
    """One stretch of wrk; what was slow goes into the notes."""
    expected = bench.expected[target.name][kind]
    found = saturate(target, Load(expected, connections, seconds), bench.pins)
    where = f"({kind}, {connections} connections)"
    if not found.requests:
        bench.note(target, f"no whole reply within {seconds} s {where}")
    if found.late:
        bench.note(target, f"replies that took more than {LATE_S:.0f} s {where}")
    return found


def cost_s(seconds: int) -> float:
    """What a stretch takes, pauses included."""
    return seconds + SETTLE_S + WRK_START_S


class Saturation:
    """A round's stretches at full load."""

    def __init__(self, bench: Bench) -> None:
        """Nothing was measured yet."""
        self._bench = bench
        self.rates: dict[tuple[Kind, str], float] = {}
        """Requests per second by kind and target."""
        self._peaks: dict[str, float] = defaultdict(float)

    def lanes(self) -> Iterator[Lane]:
        """A lane per kind, then the pause until memory is read."""
        bench = self._bench
        for kind in self._kinds():
            cost = cost_s(bench.seconds)
            yield Lane(f"saturated, {kind}", cost, bench.able(kind), self._stretch(kind))
        if "memory" in bench.parts:
            cost = AFTER_S / len(bench.targets)
            yield Lane("memory after the load", cost, bench.targets, self._resident)

    def _kinds(self) -> list[Kind]:
        """Half load needs to know what a target can do, and memory needs a load."""
        parts = set(self._bench.parts)
        if "saturated" in parts:
            return list(SATURATED)
        return list(HALF) if parts & {"half", "memory"} else []

    def _stretch(self, kind: Kind) -> Run:
        def run(target: Target) -> Iterator[Reading]:
            found = loaded(self._bench, target, kind, CONNECTIONS, self._bench.seconds)
            self.rates[kind, target.name] = found.requests_per_s
            self._peaks[target.name] = max(self._peaks[target.name], found.rss_mib)
            if "saturated" in self._bench.parts and found.requests:
                yield from _readings(kind, target.name, found)

        return run

    def _resident(self, target: Target) -> Iterator[Reading]:
        """All of them wait together."""
        if target is self._bench.mock:
            time.sleep(AFTER_S)
        yield Reading("memory.loaded", target.name, self._peaks[target.name])
        yield Reading("memory.after", target.name, rss_kib(target.pid) / 1024)


def _readings(kind: Kind, target: str, found: Loaded) -> Iterator[Reading]:
    yield Reading(f"{kind}.rate", target, found.requests_per_s)
    yield Reading(f"{kind}.cpu", target, found.cpu_us_per_request)
    yield Reading(f"{kind}.p50", target, found.p50_us / 1e3)
    yield Reading(f"{kind}.p99", target, found.p99_us / 1e3)
    yield Reading(f"{kind}.busy", target, found.core_busy)
    if target != "direct":
        yield Reading(f"{kind}.taken", target, found.core_taken)
    yield Reading(f"{kind}.others", target, found.others)
    yield Reading(f"{kind}.rss", target, found.rss_mib)
