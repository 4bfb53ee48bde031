"""Many clients of `bench.tail` in one process: open-loop, streaming, patient.

Open: requests leave at times drawn beforehand (a Poisson process), whether or not earlier ones were
answered, and a request's clock starts at that time. It stops at the first piece of content; heads, roles
and comments do not count. All modes see the same arrival times.
Run: `python -m bench.tail_client < JSON`, see `Task`; the answer is JSON on standard output.
"""

import gc
import json
import re
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass

from bench.posts import HEADERS
from bench.servers import HOST, BenchError
from bench.tail_settings import MODEL, OUTPUT_TOKENS_MAX
from bench.tail_worlds import PROMPT_TOKENS, PROVIDERS
from bench.ttfb import arrivals, percentile
from proxy.model.document import Document
from proxy.policy.pricing import BYTES_PER_TOKEN

PATH = "/api/v1/chat/completions"
_TAG = re.compile("|".join(f"<{name}>" for name in PROVIDERS).encode())
_END = b"0\r\n\r\n"
_TEXT = "A hedgerow is a line of closely spaced shrubs and trees, planted to form a barrier. "


@dataclass(frozen=True, slots=True)
class Task:
    """What to ask."""

    port: int
    rate: float
    """Requests per second."""
    seconds: float
    seed: int
    preferences: Document
    """The `provider` object of every request."""
    grace_s: float
    """How long answers may come after the last request left."""


@dataclass(slots=True)
class Seen:
    """What came back; lists are by the number of the request."""

    ats: list[float]
    """When it was due, seconds from the start."""
    waits: list[float]
    """From then to the first content, seconds; -1: there was none."""
    errors: int = 0
    mixed: int = 0
    """Replies with content of two providers."""
    late_p99_ms: float = 0.0
    """How far behind its own plan this process was."""


class Wire:
    """One keep-alive connection and the reply it is reading."""

    __slots__ = ("inbox", "number", "sock")

    def __init__(self, port: int) -> None:
        """Connect."""
        self.sock = socket.create_connection((HOST, port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.inbox = b""
        self.number = -1
        """Of the request in progress; -1: there is none."""


class Clients:
    """All of them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        ats = arrivals(task.rate, task.seconds, task.seed)
        self.seen = Seen(ats, [-1.0] * len(ats))
        self._epoll = select.epoll()
        self._wires: dict[int, Wire] = {}
        self._free: list[Wire] = []
        self._open = 0
        self._began_at = 0.0

    def run(self) -> Seen:
        """Ask everything, hear everything. Raises: BenchError where an answer stays away."""
        seen, late, at = self.seen, list[float](), 0
        clock = time.perf_counter
        start = self._began_at = clock() + 0.01
        deadline = start + self._task.seconds + self._task.grace_s
        while at < len(seen.ats) or self._open:
            now = clock()
            if now > deadline:
                raise BenchError(f"{self._open} requests without an answer")
            while at < len(seen.ats) and start + seen.ats[at] <= now:
                late.append((clock() - start - seen.ats[at]) * 1e3)
                self._ask(at)
                at += 1
            wait_s = start + seen.ats[at] - clock() if at < len(seen.ats) else 0.1
            if wait_s > 0:  # `select` counts microseconds where `epoll` counts milliseconds
                select.select([self._epoll], [], [], min(wait_s, 0.1))
            ready = self._epoll.poll(0, 1024)
            now = clock()
            for fd, _ in ready:
                self._hear(self._wires[fd], now)
        seen.late_p99_ms = percentile(late, 0.99)
        return seen

    def _ask(self, number: int) -> None:
        wire = self._free.pop() if self._free else self._connect()
        wire.number, wire.inbox = number, b""
        self._open += 1
        wire.sock.send(request(number, self._task.port, self._task.preferences))

    def _connect(self) -> Wire:
        wire = Wire(self._task.port)
        fd = wire.sock.fileno()
        self._wires[fd] = wire
        self._epoll.register(fd, select.EPOLLIN)
        return wire

    def _hear(self, wire: Wire, now: float) -> None:
        seen, number = self.seen, wire.number
        try:
            data = wire.sock.recv(65_536)
        except ConnectionError:
            data = b""
        wire.inbox += data
        if (
            number < 0 or not data
        ):  # an idle connection that the gateway has closed, or a broken reply
            self._drop(wire)
            return
        if not wire.inbox.startswith(b"HTTP/1.1 200"[: len(wire.inbox)]):
            self._drop(wire)
            return
        if seen.waits[number] < 0 and _TAG.search(wire.inbox):
            seen.waits[number] = now - self._began_at - seen.ats[number]
        if wire.inbox.endswith(_END):
            seen.mixed += len(set(_TAG.findall(wire.inbox))) > 1
            seen.errors += seen.waits[number] < 0
            wire.number = -1
            self._open -= 1
            self._free.append(wire)

    def _drop(self, wire: Wire) -> None:
        del self._wires[wire.sock.fileno()]
        wire.sock.close()
        if wire.number < 0:
            self._free.remove(wire)
        else:
            self.seen.errors += 1
            self.seen.waits[wire.number] = -1.0
            self._open -= 1


def request(number: int, port: int, preferences: Document) -> bytes:
    """The bytes of a request whose body is as long as its tokens are said to be."""
    words = f"Request {number}: "
    call: Document = {"model": MODEL, "stream": True, "max_tokens": OUTPUT_TOKENS_MAX}
    if preferences:
        call["provider"] = preferences
    empty = len(json.dumps(call | {"messages": [{"role": "user", "content": words}]}))
    missing = max(PROMPT_TOKENS * BYTES_PER_TOKEN - empty, 0)
    words += (_TEXT * (missing // len(_TEXT) + 1))[:missing]
    body = json.dumps(call | {"messages": [{"role": "user", "content": words}]}).encode()
    fields = {"Host": f"{HOST}:{port}", **HEADERS, "Content-Length": str(len(body))}
    lines = [f"POST {PATH} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def main() -> None:
    """Read a task, carry it out, print what was seen."""
    task = Task(**json.load(sys.stdin))
    gc.disable()
    try:
        print(json.dumps(asdict(Clients(task).run())))
    except (BenchError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
