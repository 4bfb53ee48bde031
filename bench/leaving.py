"""Clients that leave: how long until the provider's connection is closed. A process on the load's core.

Each asks for a paced stream, closes its socket on the first event, and then the mock says when it found the
connection of that stream closed; both clocks are the machine's monotonic one. The mock would go on for
five seconds; whatever is still open after two was kept. Clients come 10 ms apart, so that no target has to close
all at once.
Run: `python -m bench.leaving < JSON`, see `Plan`; the answer is JSON on standard output.
"""

import http.client
import itertools
import json
import select
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from bench import clients
from bench.clients import LATE_S, percentile
from bench.lanes import CLIENT_START_S, Bench, Lane
from bench.machine import Pinning
from bench.metrics import Reading
from bench.mock import LEAVER, LEAVER_DIGITS
from bench.peers.peer import HOST, BenchError
from bench.servers import Target
from bench.wire import Wire, wait

LEAVERS = 200
"""Of each target, in each round."""
APART_S = 0.01
KEPT_S = 2.0
"""After so long a connection counts as kept."""
_PLACE = b"You are a helpful"
"""The first words of the question, which make room for the number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the clients are to do."""

    port: int
    mock: int
    """The mock's port."""
    request: str
    clients: int
    first: int
    """The number of the first of them; the mock wants each once."""


@dataclass(frozen=True, slots=True)
class Left:
    """What became of it."""

    p50_ms: float
    p99_ms: float
    """Of the connections that were closed at all; 0 where none was."""
    closed: int
    """Within `KEPT_S`."""
    kept: float
    """Share of the connections that were not."""
    unanswered: int
    """Clients whose first event did not come within `LATE_S`."""


class _Drive:
    """Those who are there, and when the others left."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._request = plan, plan.request.encode()
        self._epoll = select.epoll()
        self._wires: dict[int, Wire] = {}
        self.left: dict[int, float] = {}

    @property
    def here(self) -> int:
        return len(self._wires)

    def run(self) -> None:
        """Come and leave; who has no event after `LATE_S` stays."""
        plan, clock, come = self._plan, time.monotonic, 0
        start = clock()
        deadline = start + plan.clients * APART_S + LATE_S
        while (come < plan.clients or self._wires) and (now := clock()) < deadline:
            while come < plan.clients and start + come * APART_S <= now:
                self._come(plan.first + come)
                come += 1
            next_at = start + come * APART_S if come < plan.clients else now + 0.1
            for fd in wait(self._epoll, next_at - clock()):
                self._read(fd)

    def _come(self, number: int) -> None:
        wire = Wire(self._plan.port)
        wire.owner = number
        self._wires[wire.sock.fileno()] = wire
        self._epoll.register(wire.sock.fileno(), select.EPOLLIN)
        wire.ask(self._request.replace(_PLACE, _mark(number), 1), time.monotonic())

    def _read(self, fd: int) -> None:
        wire = self._wires[fd]
        if b"data: {" in wire.read() or wire.done:
            _look(wire.raw())
            del self._wires[fd]
            wire.close(self._epoll)
            self.left[wire.owner] = time.monotonic()

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close(self._epoll)
        self._epoll.close()


def drive(plan: Plan) -> Left:
    """Come, leave, and ask the mock.

    Raises: BenchError where a first event is no part of a good reply.
    """
    with closing(_Drive(plan)) as visit:
        visit.run()
        time.sleep(KEPT_S + 0.1)
        return _result(visit.left, _found(plan.mock), unanswered=visit.here)


def _mark(number: int) -> bytes:
    return LEAVER + f"{number:0{LEAVER_DIGITS}d}".encode()


def _look(raw: bytes) -> None:
    """A reply that just began cannot be judged whole; it can be seen to be one."""
    if not raw.startswith(b"HTTP/1.1 200 ") or b"chat.completion.chunk" not in raw:
        raise BenchError(f"a wrong reply: no chunk of a stream: {raw[:600]!r}")


def _found(mock: int) -> dict[int, float]:
    """When the mock found connections closed, by the client's number."""
    connection = http.client.HTTPConnection(HOST, mock, timeout=10)
    try:
        connection.request("GET", "/left")
        found = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return {int(number): when for number, when in found.items()}


def _result(left: dict[int, float], found: dict[int, float], *, unanswered: int) -> Left:
    took = [found[n] - when for n, when in left.items() if n in found]
    took = [max(0.0, seconds) * 1e3 for seconds in took if seconds <= KEPT_S]
    kept = 1 - len(took) / len(left) if left else 0.0
    return Left(percentile(took, 0.5), percentile(took, 0.99), len(took), kept, unanswered)


def measure(target: Target, mock: Target, count: int, first: int, pins: Pinning) -> Left:
    """Run the clients as a process on the load's core."""
    post = target.post("paced")
    if len(_mark(first)) != len(_PLACE) or _PLACE not in post.body:
        raise BenchError(f"the question of {target.name} has no room for a number")
    request = post.encoded(f"{HOST}:{target.port}").decode()
    plan = Plan(target.port, mock.port, request, count, first)
    try:
        return clients.ask("leaving", plan, Left, pins, seconds=count * APART_S + KEPT_S)
    except BenchError as error:
        raise BenchError(f"{target.name}, clients that leave: {error}") from error


def lanes(bench: Bench, number: int) -> Iterator[Lane]:
    """The one lane of round `number`."""
    cost = LEAVERS * APART_S + KEPT_S + CLIENT_START_S
    coming = itertools.count(number * 1_000_000, LEAVERS)

    def run(target: Target) -> Iterator[Reading]:
        found = measure(target, bench.mock, LEAVERS, next(coming), bench.pins)
        if found.unanswered:
            words = f"{found.unanswered} of {LEAVERS} clients that meant to leave saw no event"
            bench.note(target, f"{words} within {LATE_S:.0f} s")
        if found.closed:
            yield Reading("leaving.p50", target.name, found.p50_ms)
            yield Reading("leaving.p99", target.name, found.p99_ms)
        yield Reading("leaving.kept", target.name, found.kept)

    yield Lane("clients that leave", cost, bench.able("paced"), run)


def _drive(plan: dict[str, Any]) -> Left:
    return drive(Plan(**plan))


if __name__ == "__main__":
    clients.serve(_drive)
