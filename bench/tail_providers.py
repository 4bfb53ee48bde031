"""Three providers in one process, as slow as a world says, that remember what became of every request.

A reply begins half-way with its head and an event that names a role only, as many do: a gateway that took
that for an answer would be found out. Then come `PIECES` events with content, each tagged with the
provider's name. `GET` gives all attempts as JSON. The first request starts the world's time.
Run: `python -m bench.tail_providers < JSON`, see `Task`; it prints `listening PORT`.
"""

import gc
import heapq
import json
import random
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override

from bench.mock import Connection, Mock
from bench.tail_worlds import COMPLETION_TOKENS, PIECES, PROMPT_TOKENS, REST_S, WORLDS

SECONDS_MAX = 1_200.0
"""The process ends itself after this long, should its parent have died."""
_NUMBER = re.compile(rb"Request (\d+):")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


@dataclass(frozen=True, slots=True)
class Task:
    """How to behave."""

    world: str
    scale: float
    """Seconds here per second of the world."""
    span_s: float
    """How long requests come."""
    seed: int


class Attempt(NamedTuple):
    """What became of one request; times on the monotonic clock, 0: it did not happen."""

    number: int
    """Of the client's request; several attempts may have it."""
    provider: str
    at: float
    """When it came."""
    first_at: float
    """When the first token went out."""
    ended_at: float
    """When the last one did."""
    gone_at: float
    """When the connection was found closed, before the end."""
    pieces: int
    """Events with content that went out."""


class Served:
    """One request in progress."""

    __slots__ = ("at", "ended_at", "first_at", "gone_at", "number", "pieces", "plan", "provider")

    def __init__(self, number: int, provider: str, at: float, plan: Iterator[float]) -> None:
        """Args: plan: when each of the writes is due."""
        self.number, self.provider, self.at, self.plan = number, provider, at, plan
        self.first_at = self.ended_at = self.gone_at = 0.0
        self.pieces = -1
        """The first write has no content."""

    def attempt(self) -> Attempt:
        """What is known of it by now."""
        return Attempt(
            self.number, self.provider, self.at, self.first_at, self.ended_at, self.gone_at,
            max(self.pieces, 0),
        )  # fmt: skip


class Providers(Mock):
    """The mock, but slow in the way of a world."""

    def __init__(self, listener: socket.socket, task: Task) -> None:
        super().__init__(listener)
        self._task = task
        self._world = WORLDS[task.world]
        self._began_at = 0.0
        self._served: list[Served] = []
        self._serving: dict[int, Served] = {}
        """By descriptor."""
        self._said: dict[str, tuple[bytes, ...]] = {}

    @override
    def _reply(self, conn: Connection, data: bytes, end_head: int, end: int) -> None:
        if data[:4] == b"GET ":
            body = json.dumps([one.attempt() for one in self._served]).encode()
            self._send(conn, _JSON % (len(body), body))
            return
        now = time.monotonic()
        self._began_at = self._began_at or now
        path = data.find(b" /") + 2
        provider = data[path : data.find(b"/", path)].decode()
        found = _NUMBER.search(data, end_head, end)
        assert found is not None
        number = int(found[1])
        served = Served(number, provider, now, iter(self._plan(number, provider, now)))
        self._served.append(served)
        self._serving[conn.fd] = served
        said = self._said.get(provider) or self._said.setdefault(provider, replies(provider))
        conn.events = iter(said)
        self._schedule(conn, next(served.plan))

    def _plan(self, number: int, provider: str, now: float) -> list[float]:
        """The same request takes as long at a provider in every run of a seed."""
        task = self._task
        draw = random.Random(f"{task.seed} {number} {provider}")
        share = (now - self._began_at) / task.span_s
        first_s = self._world.first_token_s(provider, share, draw) * task.scale
        rest_s = REST_S * task.scale
        contents = [now + first_s + rest_s * n / (PIECES - 1) for n in range(PIECES)]
        return [now + first_s / 2, *contents]

    def _schedule(self, conn: Connection, when: float) -> None:
        self.events_paced += 1
        heapq.heappush(self.due, (when, self.events_paced, conn))

    @override
    def _next_event(self, conn: Connection, when: float) -> None:
        served = self._serving.get(conn.fd)
        assert served is not None
        assert conn.events is not None
        self._send(conn, next(conn.events))
        served.pieces += 1
        if served.pieces == 1:
            served.first_at = time.monotonic()
        due = next(served.plan, None)
        if due is not None:
            self._schedule(conn, due)
            return
        served.ended_at = time.monotonic()
        del self._serving[conn.fd]
        conn.events = None
        self._answer(conn)

    @override
    def _close(self, conn: Connection) -> None:
        if conn.open and (served := self._serving.pop(conn.fd, None)) is not None:
            served.gone_at = time.monotonic()
        super()._close(conn)


def replies(provider: str) -> tuple[bytes, ...]:
    """The writes of one reply."""
    texts = [f"<{provider}> piece {n} of what the hedge has to say. " for n in range(PIECES)]
    deltas = [{"content": text} for text in texts]
    begins = [_event({"role": "assistant", "content": ""}), *map(_event, deltas)]
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    }
    ends = _event({}, finish="stop") + _frame({**_CHUNK, "choices": [], "usage": usage})
    begins[0] = _HEAD + begins[0]
    begins[-1] += ends + _chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return tuple(begins)


_CHUNK = {
    "id": "chatcmpl-tail",
    "object": "chat.completion.chunk",
    "created": 1_753_000_000,
    "model": "plant-1",
}


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _frame({**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _frame(chunk: dict[str, object]) -> bytes:
    return _chunked(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def main() -> None:
    """Listen on loopback, say where, serve."""
    task = Task(**json.loads(sys.stdin.readline()))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    providers = Providers(listener, task)
    print(f"listening {listener.getsockname()[1]}", flush=True)
    gc.collect()
    gc.freeze()
    gc.disable()
    providers.run(time.monotonic() + SECONDS_MAX)


if __name__ == "__main__":
    main()
