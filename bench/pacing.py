"""Many streams at once at the pace of a model that writes: a process of its own on the load's core.

The mock writes an event every 20 ms to each stream. The streams begin evenly spread over the time that one
takes, and each that ends is followed by the next on its connection. After that first while the client notes for
`seconds` how long the first content took, and how far apart the events of a stream came. Events that
come in one read have no gap between them; the read before them was followed by a longer one.
Run: `python -m bench.pacing < JSON`, see `Plan`; the answer is JSON on standard output.
"""

import select
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from bench import clients
from bench.checks import Expected
from bench.clients import LATE_S, percentile
from bench.lanes import CLIENT_START_S, Bench, Lane, Run
from bench.machine import Others, Pinning, cpu_s
from bench.metrics import STREAMS_PACED, Reading
from bench.mock import PACE_S
from bench.peers.peer import HOST, BenchError
from bench.replies import EVENTS_PER_STREAM
from bench.servers import Target
from bench.wire import Wire, wait

STREAM_S = PACE_S * (EVENTS_PER_STREAM - 1)
"""How long the mock takes for one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the client is to do."""

    port: int
    request: str
    expected: Expected
    streams: int
    """At once."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What it saw."""

    ttfb_p50_us: float
    ttfb_p99_us: float
    gap_p50_ms: float
    gap_p99_ms: float
    events: int
    """In all, also while nothing was noted."""
    events_per_s: float
    """While it was."""
    unanswered: int
    """Streams that were not whole after `LATE_S`."""


@dataclass(frozen=True, slots=True)
class Paced:
    """That, and what the target used for it."""

    pace: Pace
    cpu_us_per_event: float
    others: float
    """Cores that processes not ours kept busy."""


class _Drive:
    """One stretch: a wire for each stream."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._request = plan, plan.request.encode()
        self._epoll = select.epoll()
        self._wires: dict[int, Wire] = {}
        self._last: dict[Wire, float] = {}
        """When its last event came."""
        self._first, self._gaps = list[float](), list[float]()
        self._events = self._noted_events = 0
        self._replies = list[bytes]()
        self._from = self._until = 0.0

    def run(self) -> Pace:
        plan, clock = self._plan, time.perf_counter
        start = clock()
        self._from = start + STREAM_S
        self._until = self._from + plan.seconds
        begins = [start + STREAM_S * n / plan.streams for n in range(plan.streams)]
        deadline = self._until + LATE_S
        while begins or self._wires:
            if (now := clock()) > deadline:
                break
            while begins and begins[0] <= now:
                self._begin()
                begins.pop(0)
            ready = wait(self._epoll, begins[0] - clock() if begins else 0.1)
            now = clock()
            for fd in ready:
                self._read(self._wires[fd], now)
        unanswered = len(self._wires)
        clients.judge_all(plan.expected, self._replies)
        return Pace(
            percentile(self._first, 0.5) * 1e6,
            percentile(self._first, 0.99) * 1e6,
            percentile(self._gaps, 0.5) * 1e3,
            percentile(self._gaps, 0.99) * 1e3,
            self._events,
            self._noted_events / plan.seconds,
            unanswered,
        )

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close(self._epoll)
        self._epoll.close()

    def _begin(self) -> None:
        wire = Wire(self._plan.port)
        self._wires[wire.sock.fileno()] = wire
        self._epoll.register(wire.sock.fileno(), select.EPOLLIN)
        wire.ask(self._request, time.perf_counter())

    def _read(self, wire: Wire, now: float) -> None:
        if (events := wire.read().count(b"\n\n")) > 0:
            self._events += events
            last = self._last.get(wire)
            if self._from <= now < self._until:
                self._noted_events += events
                if last is None:
                    self._first.append(now - wire.began)
                else:
                    self._gaps.append(now - last)
                self._gaps.extend([0.0] * (events - 1))
            self._last[wire] = now
        if wire.done:
            self._end(wire, now)

    def _end(self, wire: Wire, now: float) -> None:
        self._replies.append(wire.raw())
        self._last.pop(wire, None)
        if now < self._until:
            wire.ask(self._request, time.perf_counter())
        else:
            del self._wires[wire.sock.fileno()]
            wire.close(self._epoll)


def drive(plan: Plan) -> Pace:
    """Keep the plan's streams going, then judge what they said.

    Raises: BenchError where one is wrong.
    """
    with closing(_Drive(plan)) as stretch:
        return stretch.run()


def measure(
    target: Target, expected: Expected, streams: int, seconds: float, pins: Pinning
) -> Paced:
    """Run the client as a process on the load's core."""
    request = target.post("paced").encoded(f"{HOST}:{target.port}").decode()
    plan = Plan(target.port, request, expected, streams, seconds)
    cpu, others = cpu_s(target.pid), Others()
    try:
        pace = clients.ask("pacing", plan, Pace, pins, seconds=seconds + 2 * STREAM_S)
    except BenchError as error:
        raise BenchError(f"{target.name}, {streams} paced streams: {error}") from error
    cpu, busy = cpu_s(target.pid) - cpu, others.cores()
    return Paced(pace, cpu * 1e6 / max(pace.events, 1), busy)


def lanes(bench: Bench) -> Iterator[Lane]:
    """A lane per number of streams."""
    for streams in STREAMS_PACED:
        cost = bench.seconds + 2 * STREAM_S + CLIENT_START_S
        yield Lane(f"{streams} paced streams", cost, bench.able("paced"), _run(bench, streams))


def _run(bench: Bench, streams: int) -> Run:
    seen = list[Pace]()

    def run(target: Target) -> Iterator[Reading]:
        expected = bench.expected[target.name]["paced"]
        found = measure(target, expected, streams, bench.seconds, bench.pins)
        seen.append(found.pace)
        if found.pace.unanswered:
            words = f"{found.pace.unanswered} of {streams} paced streams were not whole"
            bench.note(target, f"{words} after {LATE_S:.0f} s")
        yield from _readings(f"paced.{streams}", target.name, found)
        if target is not bench.mock:
            yield from _added(f"paced.{streams}", target.name, found.pace, seen[0])

    return run


def _readings(name: str, target: str, found: Paced) -> Iterator[Reading]:
    pace = found.pace
    yield Reading(f"{name}.rate", target, pace.events_per_s)
    yield Reading(f"{name}.cpu_event", target, found.cpu_us_per_event)
    yield Reading(f"{name}.ttfb_p50", target, pace.ttfb_p50_us)
    yield Reading(f"{name}.ttfb_p99", target, pace.ttfb_p99_us)
    yield Reading(f"{name}.gap_p50", target, pace.gap_p50_ms)
    yield Reading(f"{name}.gap_p99", target, pace.gap_p99_ms)
    yield Reading(f"{name}.others", target, found.others)


def _added(name: str, target: str, pace: Pace, direct: Pace) -> Iterator[Reading]:
    """What the target adds to the mock's own, in this round."""
    yield Reading(f"{name}.added_ttfb_p50", target, pace.ttfb_p50_us - direct.ttfb_p50_us)
    yield Reading(f"{name}.added_ttfb_p99", target, pace.ttfb_p99_us - direct.ttfb_p99_us)
    yield Reading(f"{name}.added_gap_p99", target, pace.gap_p99_ms - direct.gap_p99_ms)


def _drive(plan: dict[str, Any]) -> Pace:
    expected = Expected(**plan.pop("expected"))
    return drive(Plan(**plan, expected=expected))


if __name__ == "__main__":
    clients.serve(_drive)
