"""Whatever is cancelled, wherever it waits: no reply ever reaches another request, and nothing leaks.

A provider echoes each request's nonce in every piece of its reply. Requests go through the real
pool, attempts and replies, and are cancelled at the k-th step of their task, for every k there is,
and then at random: left for good, or taken up again. Some connections die in the provider's hands.
"""

import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

from proxy.config.settings import LimitSettings, Settings
from proxy.errors import ShedError
from proxy.gateway import Gateway
from proxy.model.endpoint import Endpoint
from proxy.model.outcome import Failure, Opened
from proxy.net.pool import Pool, Upstreams
from proxy.stages.attempt import Attempt
from tests.fakes.downstream import a_gateway
from tests.fakes.things import a_call, a_provider, an_endpoint, chunk, event, in_chunks

NONCE = re.compile(rb"<\d+>")
PIECES = 4
"""Events with content per stream."""
CONNECTIONS_MAX = 4
ROUNDS = 8
"""Requests that are cancelled at one and the same step; the n-th one, n times in a row."""
TASKS = 12
"""Requests at a time; most wait for a connection."""


# --- the provider ----------------------------------------------------------------------------------
class Echo:
    """Says a request's nonce back, in pieces, with pauses; may drop connections."""

    def __init__(self, seed: int, drops: float) -> None:
        self._draw = random.Random(seed)
        self._drops = drops
        """How often a connection dies: before, in or behind a reply."""
        self.open = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        self.open += 1
        try:
            async with stream:
                received = b""
                while request := await self._request(stream, received):
                    body, received = request
                    if not await self._answer(stream, json.loads(body)):
                        return
        except trio.BrokenResourceError:
            pass
        finally:
            self.open -= 1

    async def _request(
        self, stream: trio.SocketStream, received: bytes
    ) -> tuple[bytes, bytes] | None:
        while True:
            head, found, rest = received.partition(b"\r\n\r\n")
            if found:
                size = int(head.rpartition(b"content-length: ")[2])
                if len(rest) >= size:
                    return rest[:size], rest[size:]
            data = await stream.receive_some()
            if not data:
                return None
            received += data

    async def _answer(self, stream: trio.SocketStream, body: Any) -> bool:
        """Returns whether the connection goes on."""
        nonce = body["messages"][0]["content"]
        wire = streamed(nonce) if body["stream"] else whole(nonce)
        dies = self._draw.random() < self._drops
        cuts = sorted(self._draw.randrange(len(wire) + 1) for _ in range(self._draw.randrange(4)))
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            if dies and self._draw.random() < 0.5:
                return False
            await stream.send_all(wire[start:end])
            if self._draw.random() < 0.3:
                await trio.sleep(self._draw.random() * 0.001)
        return not dies


def whole(nonce: str) -> bytes:
    message = {"role": "assistant", "content": nonce * PIECES}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = json.dumps({"id": nonce, "choices": [choice], "usage": usage}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def streamed(nonce: str) -> bytes:
    events = [event(chunk(nonce)) for _ in range(PIECES)] + [event(chunk(finish="stop"))]
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + in_chunks([*events, b"data: [DONE]\n\n"])
    )


# --- cancelling at a step --------------------------------------------------------------------------
class Steps(trio.abc.Instrument):
    """Cancels a task's scope when the task has been scheduled so many times."""

    def __init__(self) -> None:
        self._due: dict[trio.lowlevel.Task, list[Any]] = {}

    def cancel_at(self, step: int, scope: trio.CancelScope) -> None:
        """Of the task that runs now, counted from now."""
        if step == 0:
            scope.cancel()
        else:
            self._due[trio.lowlevel.current_task()] = [step, scope]

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        due = self._due.get(task)
        if due is not None:
            due[0] -= 1
            if due[0] == 0:
                del self._due[task]
                due[1].cancel()

    def forget(self) -> None:
        self._due.pop(trio.lowlevel.current_task(), None)


@dataclass
class Site:
    """Gateway and provider."""

    gateway: Gateway
    endpoint: Endpoint
    pool: Pool
    echo: Echo
    steps: Steps
    draw: random.Random
    nonces: int = 0
    completed: int = 0
    cancelled: int = 0
    """Waits that a cancel ended."""
    outcomes: dict[str, int] = field(default_factory=dict)

    async def request(self, *, stream: bool, cancels: list[int | float], leaves: bool) -> bool:
        """One request. Returns: whether the very first cancel found nothing to cancel.

        Args:
            cancels: when, one after the other: steps of this task (int) or seconds (float).
            leaves: the first cancel is the last: whoever asked has gone.
        """
        self.nonces += 1
        nonce = f"<{self.nonces}>"
        call = a_call(stream=stream, messages=[{"role": "user", "content": nonce}])
        try:
            attempt = Attempt(call, self.endpoint, self.gateway)
        except ShedError:
            self._count("shed")
            await trio.lowlevel.checkpoint()
            return False
        heard: list[bytes] = []
        opened: Opened | None = None
        left = list(cancels)
        try:
            while True:
                with trio.CancelScope() as scope:
                    if left:
                        self._arm(left[0], scope)
                    if opened is None:
                        opened = await self._open(attempt)
                        if opened is None:
                            return left == cancels != []
                        heard.append(b"".join(opened.held))
                    while not opened.reply.done():
                        heard.append(b"".join(await opened.reply.receive()))
                self.steps.forget()
                if scope.cancelled_caught:
                    self.cancelled += 1
                    left.pop(0)
                    if leaves:
                        self._count("left")
                        return False
                    continue
                self._judge(nonce, opened, b"".join(heard), stream=stream)
                return left == cancels != []
        finally:
            self.steps.forget()
            attempt.close()
            if opened is not None:
                opened.reply.close()
                said = b"".join(heard) + repr(opened.events).encode()
                assert {nonce.encode()} >= set(NONCE.findall(said)), "another request's reply"

    def _arm(self, when: int | float, scope: trio.CancelScope) -> None:
        if isinstance(when, int):
            self.steps.cancel_at(when, scope)
        else:
            scope.deadline = trio.current_time() + when

    async def _open(self, attempt: Attempt) -> Opened | None:
        while True:
            if self.draw.random() < 0.1:
                attempt.wake_at(trio.current_time())  # the watch interrupts a wait
            result = await attempt.drive()
            if isinstance(result, Failure):
                self._count(f"failed: {result.error.message}")
                return None
            if result is not None:
                return result

    def _judge(self, nonce: str, opened: Opened, heard: bytes, *, stream: bool) -> None:
        """What was read to its end is all that was said, once."""
        if opened.reply.failure is not None:
            self._count(f"broke: {opened.reply.failure.message}")
            return
        said = heard if stream else repr(opened.events[1]).encode()
        assert [nonce.encode()] * PIECES == NONCE.findall(said)
        self.completed += 1

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


@asynccontextmanager
async def site(*, seed: int = 1, drops: float = 0.0) -> AsyncIterator[Site]:
    """Run it all; at the end nothing may be left in use, waiting, watched or open."""
    clock: Any = trio.current_time
    limits = LimitSettings(
        upstream_connections_max=CONNECTIONS_MAX, upstream_waiters_max=TASKS - CONNECTIONS_MAX - 1
    )
    upstreams = Upstreams(str, clock=clock, diallers={}, limits=limits, environ={})
    echo, steps = Echo(seed, drops), Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, echo.serve, listeners)
            nursery.start_soon(upstreams.watch.run)
            endpoint = an_endpoint(a_provider(base_url=f"http://127.0.0.1:{port}/v1"))
            gateway = a_gateway(settings=Settings(limits=limits), upstreams=upstreams)
            pool = upstreams.of(endpoint).pool
            yield Site(gateway, endpoint, pool, echo, steps, random.Random(seed))
            assert pool.open == pool.idle <= CONNECTIONS_MAX
            assert (0, set()) == (pool.waiting, upstreams.watch.waits)
            upstreams.close()
            assert 0 == pool.open
            with trio.fail_after(2):  # a socket that is still open keeps the provider waiting
                while echo.open:
                    await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    finally:
        trio.lowlevel.remove_instrument(steps)


# --- the proof -------------------------------------------------------------------------------------
@pytest.mark.parametrize("leaves", [True, False], ids=["left", "resumed"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("state", ["cold", "warm", "full"])
async def test_at_every_step_a_request_can_be_cancelled(
    state: str, stream: bool, leaves: bool
) -> None:
    async with site() as s, trio.open_nursery() as nursery:
        step, over = 0, 0
        while over < 3 * ROUNDS:  # no step is left to cancel at, three times in a row
            if state == "cold":
                s.pool.close()
            others = trio.Event()
            if state == "full":
                for _ in range(CONNECTIONS_MAX):
                    nursery.start_soon(occupy, s, others)
                await trio.testing.wait_all_tasks_blocked()
                assert CONNECTIONS_MAX == s.pool.open
                nursery.start_soon(release, others)
            with trio.fail_after(5):
                cancels: list[int | float] = [step // ROUNDS] * (1 + step % ROUNDS)
                unused = await s.request(stream=stream, cancels=cancels, leaves=leaves)
            over = over + 1 if unused else 0
            step += 1
            assert {nonce for nonce in s.outcomes if nonce != "left"} == set(), s.outcomes
            with trio.fail_after(2):
                while s.pool.open != s.pool.idle:
                    await trio.sleep(0)
        assert step > 4 * ROUNDS, "there was nothing to cancel"


async def occupy(s: Site, release: trio.Event) -> None:
    """Hold a connection until told, then give it back or close it."""
    connection = s.pool.take() or s.pool.fresh()
    assert connection is not None
    await release.wait()
    if connection.ready and s.draw.random() < 0.5:
        s.pool.give(connection)
    else:
        s.pool.discard(connection)


async def release(others: trio.Event) -> None:
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    others.set()


async def storm(cancellations: int, *, seed: int, drops: float) -> Site:
    """Many at once, cancelled at random, until so many cancellations have happened."""
    async with site(seed=seed, drops=drops) as s:

        async def ask() -> None:
            while s.cancelled < cancellations:
                draw = s.draw
                cancels: list[int | float] = [
                    draw.randrange(25) if draw.random() < 0.7 else draw.random() * 0.01
                    for _ in range(draw.randrange(4))
                ]
                with trio.fail_after(10):
                    await s.request(
                        stream=draw.random() < 0.5, cancels=cancels, leaves=draw.random() < 0.5
                    )

        async with trio.open_nursery() as nursery:
            for _ in range(TASKS):
                nursery.start_soon(ask)
    assert s.completed > cancellations / 10, s.outcomes
    assert s.outcomes["left"] > cancellations / 10, s.outcomes
    allowed = {"left", "shed"}
    if drops:
        allowed |= {
            "failed: Provider reset the connection.", "failed: Provider ended its reply early.",
            "broke: Provider ended its reply early.", "broke: Provider reset the connection.",
            "failed: Provider sent something that is not JSON.",  # an event that was cut off
            "broke: Provider sent something that is not JSON.",
        }  # fmt: skip
    assert allowed >= set(s.outcomes), s.outcomes
    return s


@pytest.mark.parametrize("drops", [0.0, 0.1], ids=["sound", "dropping"])
async def test_no_reply_reaches_another_request_and_nothing_leaks(drops: float) -> None:
    s = await storm(800, seed=7, drops=drops)
    assert s.cancelled >= 800


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
async def test_a_hundred_thousand_cancellations(seed: int) -> None:
    s = await storm(10_000, seed=seed, drops=0.05)
    assert s.cancelled >= 10_000
