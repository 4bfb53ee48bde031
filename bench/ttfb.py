"""Time to first body byte under a steady, open load: a process of its own on the load's core.

Open: requests leave at times drawn beforehand (a Poisson process), whether or not earlier ones
were answered. The clock of a request starts when it is written; or, when every connection was
busy, when it should have been, so that a stalled proxy cannot hide its queue. It stops at the
wakeup that brought the first byte of the body. All targets see the same arrival times.
Run: `python -m bench.ttfb < JSON`, see `Plan`; the answer is JSON on standard output.
"""

import gc
import json
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass

from bench.machine import ROOT, Pinning
from bench.posts import Kind
from bench.servers import HOST, BenchError, Target

CONNECTIONS = 64
WARMUP_SHARE = 0.2
"""The part of the time, at the start, that is not counted."""
GRACE_S = 5.0
"""How long answers may come after the last request left."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the client is to do."""

    port: int
    request: str
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


class Wire:
    """One keep-alive connection and the reply it is reading."""

    __slots__ = ("began", "inbox", "length", "sock")

    def __init__(self, port: int) -> None:
        """Connect."""
        self.sock = socket.create_connection((HOST, port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.began: float | None = None
        self.inbox = b""
        self.length: int | None = None

    def ask(self, request: bytes, began: float) -> None:
        """Send a request; it fits any socket buffer."""
        self.inbox, self.length, self.began = b"", None, began
        self.sock.send(request)

    def first_byte(self, now: float) -> float | None:
        """Read; the seconds until the first body byte if this read brought it."""
        data = self.sock.recv(262_144)
        if not data:
            raise BenchError("the target closed a connection")
        known, self.inbox = self.length is not None, self.inbox + data
        if known:
            if self.length == -1:  # a stream: only its end is looked at
                self.inbox = self.inbox[-5:]
            return None
        end = self.inbox.find(b"\r\n\r\n")
        if end < 0 or len(self.inbox) == end + 4:
            return None
        head = self.inbox[:end].lower()
        if b" 200 " not in head[:16]:
            raise BenchError(f"the target answered {self.inbox[:200]!r}")
        at = head.find(b"\r\ncontent-length:")
        self.length = -1 if at < 0 else end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
        assert self.began is not None
        return now - self.began

    def done(self) -> bool:
        """Whether the reply is whole: by length, or by the last chunk."""
        if self.length is None:
            return False
        if self.length < 0:
            return self.inbox.endswith(b"0\r\n\r\n")
        return len(self.inbox) >= self.length


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """When requests leave, in seconds from the start."""
    rng = random.Random(seed)
    times = [rng.expovariate(rate)]
    while times[-1] < seconds:
        times.append(times[-1] + rng.expovariate(rate))
    return times[:-1]


def percentile(values: list[float], share: float) -> float:
    """The value at `share` (0 to 1) of the sorted list; 0 for an empty one."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def drive(plan: Plan) -> Ttfb:
    """Send the plan's requests; raise unless all are answered."""
    wires = {wire.sock.fileno(): wire for wire in (Wire(plan.port) for _ in range(CONNECTIONS))}
    epoll = select.epoll()
    for fd in wires:
        epoll.register(fd, select.EPOLLIN)
    times = arrivals(plan.rate, plan.seconds, plan.seed)
    request, free, waiting = plan.request.encode(), deque(wires.values()), deque[float]()
    warm, seen, queued, at, open_count = WARMUP_SHARE * plan.seconds, list[float](), 0, 0, 0
    clock, late = time.perf_counter, list[float]()
    start = clock() + 0.01
    times = [start + offset for offset in times]
    deadline = start + plan.seconds + GRACE_S
    while at < len(times) or open_count or waiting:
        now = clock()
        if now > deadline:
            raise BenchError(f"{open_count + len(waiting)} requests without an answer")
        while at < len(times) and times[at] <= now:
            if free:
                sent = clock()
                late.append((sent - times[at]) * 1e6)
                free.popleft().ask(request, sent)
                open_count += 1
            else:
                waiting.append(times[at])
                queued += 1
            at += 1
        _sleep(epoll, times[at] - clock() if at < len(times) else 0.1)
        ready = epoll.poll(0, CONNECTIONS)
        now = clock()
        for fd, _ in ready:
            wire = wires[fd]
            took = wire.first_byte(now)
            if took is not None and now - start > warm:
                seen.append(took * 1e6)
            if wire.done():
                if waiting:
                    wire.ask(request, waiting.popleft())
                else:
                    free.append(wire)
                    open_count -= 1
    for wire in wires.values():
        wire.sock.close()
    rate, late_p99 = len(times) / plan.seconds, percentile(late, 0.99)
    return Ttfb(
        percentile(seen, 0.5), percentile(seen, 0.99), len(seen), len(times), queued, rate, late_p99
    )


def _sleep(epoll: select.epoll, seconds: float) -> None:
    """Until something is ready; `select` counts microseconds where `epoll` counts milliseconds."""
    if seconds > 0:
        select.select([epoll], [], [], min(seconds, 0.1))


def measure(target: Target, kind: Kind, rate: float, seconds: float, pins: Pinning) -> Ttfb:
    """Run the client as a process on the load's core."""
    request = target.post(kind).encoded(f"{HOST}:{target.port}").decode()
    plan = Plan(target.port, request, rate, seconds, seed=1)
    done = subprocess.run(
        [*pins.prefix(pins.load), sys.executable, "-m", "bench.ttfb"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_S + 30,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise BenchError(f"{target.name}, first byte: {done.stderr.strip()[-500:]}")
    return Ttfb(**json.loads(done.stdout))


def main() -> None:
    """Read a plan, carry it out, print what was seen."""
    plan = Plan(**json.load(sys.stdin))
    gc.disable()
    try:
        print(json.dumps(asdict(drive(plan))))
    except (BenchError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
