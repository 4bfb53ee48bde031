"""Time to first body byte under a steady, open load: a process of its own on the load's core.

Open: requests leave at times drawn beforehand (a Poisson process), whether or not earlier ones
were answered. The clock of a request starts when it is written; or, when every connection was
busy, when it should have been, so that a stalled proxy cannot hide its queue. It stops at the
wakeup that brought the first byte of the body. All targets see the same arrival times.
Run: `python -m bench.ttfb < JSON`, see `Plan`; the answer is JSON on standard output.
"""

import random
import select
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from bench import clients
from bench.checks import Expected
from bench.clients import LATE_S, percentile
from bench.machine import Pinning
from bench.peers.peer import HOST, BenchError
from bench.servers import Target
from bench.wire import Wire, wait

CONNECTIONS = 64
WARMUP_SHARE = 0.2
"""The part of the time, at the start, that is not counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the client is to do."""

    port: int
    request: str
    expected: Expected
    rate: float
    """Requests per second."""
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Ttfb:
    """What it saw; times in microseconds."""

    p50_us: float
    p99_us: float
    counted: int
    sent: int
    """Requests in all, warm-up included."""
    queued: int
    """Requests that had to wait for a connection."""
    rate: float
    """Requests per second in fact."""
    late_p99_us: float
    """How far behind its own plan the client was; large: the client is what was measured."""
    unanswered: int
    """Requests that had no whole answer after `LATE_S`."""


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """When requests leave, in seconds from the start."""
    rng = random.Random(seed)
    times = [rng.expovariate(rate)]
    while times[-1] < seconds:
        times.append(times[-1] + rng.expovariate(rate))
    return times[:-1]


class _Drive:
    """One stretch: who is free, who waits, what was seen."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._request = plan, plan.request.encode()
        self._epoll = select.epoll()
        self._wires: dict[int, Wire] = {}
        self._free = deque[Wire]()
        for _ in range(CONNECTIONS):
            wire = Wire(plan.port)
            self._wires[wire.sock.fileno()] = wire
            self._epoll.register(wire.sock.fileno(), select.EPOLLIN)
            self._free.append(wire)
        self._waiting = deque[float]()
        self._first, self._late = list[float](), list[float]()
        self._queued = 0
        self._replies = list[bytes]()

    def run(self) -> Ttfb:
        plan, clock, at = self._plan, time.perf_counter, 0
        start = clock() + 0.01
        times = [start + offset for offset in arrivals(plan.rate, plan.seconds, plan.seed)]
        warm = start + WARMUP_SHARE * plan.seconds
        deadline = start + plan.seconds + LATE_S
        while at < len(times) or self._waiting or len(self._free) < CONNECTIONS:
            if (now := clock()) > deadline:
                break
            while at < len(times) and times[at] <= now:
                self._send(times[at])
                at += 1
            ready = wait(self._epoll, times[at] - clock() if at < len(times) else 0.1)
            now = clock()
            for fd in ready:
                self._read(self._wires[fd], now, counted=now > warm)
        unanswered = len(self._waiting) + CONNECTIONS - len(self._free)
        clients.judge_all(plan.expected, self._replies)
        return Ttfb(
            percentile(self._first, 0.5),
            percentile(self._first, 0.99),
            len(self._first),
            len(times),
            self._queued,
            len(times) / plan.seconds,
            percentile(self._late, 0.99),
            unanswered,
        )

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close(self._epoll)
        self._epoll.close()

    def _send(self, due: float) -> None:
        if not self._free:
            self._waiting.append(due)
            self._queued += 1
            return
        sent = time.perf_counter()
        self._late.append((sent - due) * 1e6)
        self._free.popleft().ask(self._request, sent)

    def _read(self, wire: Wire, now: float, *, counted: bool) -> None:
        if wire.done:  # nothing was asked: the server lets go of an idle connection
            del self._wires[wire.sock.fileno()]
            wire.renew(self._epoll)
            self._wires[wire.sock.fileno()] = wire
            return
        if wire.read() and wire.began:
            if counted:
                self._first.append((now - wire.began) * 1e6)
            wire.began = 0.0
        if wire.done:
            self._replies.append(wire.raw())
            if self._waiting:
                wire.ask(self._request, self._waiting.popleft())
            else:
                self._free.append(wire)


def drive(plan: Plan) -> Ttfb:
    """Send the plan's requests, wait for the answers, judge them.

    Raises: BenchError where one is wrong.
    """
    with closing(_Drive(plan)) as stretch:
        return stretch.run()


def measure(target: Target, expected: Expected, rate: float, seconds: float, pins: Pinning) -> Ttfb:
    """Run the client as a process on the load's core."""
    request = target.post(expected.kind).encoded(f"{HOST}:{target.port}").decode()
    plan = Plan(target.port, request, expected, rate, seconds, seed=1)
    try:
        return clients.ask("ttfb", plan, Ttfb, pins, seconds=seconds)
    except BenchError as error:
        raise BenchError(f"{target.name}, {expected.kind}, steady rate: {error}") from error


def _drive(plan: dict[str, Any]) -> Ttfb:
    expected = Expected(**plan.pop("expected"))
    return drive(Plan(**plan, expected=expected))


if __name__ == "__main__":
    clients.serve(_drive)
