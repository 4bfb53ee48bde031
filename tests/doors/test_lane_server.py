"""Accepting and routing; one connection's bug is nobody else's."""

import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from proxy.doors import answer as answering, lane_server
from proxy.doors.listener import Listener
from tests.rig import chat_body, head, post, rig

SERVED = {"a/m": ("synthetic/text",), "a/slow": ("fault/slow-start?delay_s=0.3",)}
CHAT = "/api/v1/chat/completions"


async def test_connections_are_counted() -> None:
    async with rig(SERVED) as r, r.client() as client:
        await client.ask(post(chat_body("a/m")))
        reply = await client.ask(head("GET", "/metrics"), "GET")

    assert "connections" in reply.body.decode()


async def test_a_bug_is_a_masked_500_and_the_connection_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = answering.exchange
    turns = iter([True, False])

    async def buggy(*arguments: Any) -> int:
        if next(turns):
            await arguments[1].body(1 << 20)
            raise ZeroDivisionError("secret")
        return await real(*arguments)

    monkeypatch.setattr(answering, "exchange", buggy)
    with caplog.at_level(logging.ERROR):
        async with rig(SERVED, complaints=False) as r, r.client() as client:
            reply = await client.ask(post(chat_body("a/m")))
            assert (500, "server") == (reply.status, reply.error["metadata"]["error_type"])
            assert b"secret" not in reply.body
            assert 200 == (await client.ask(post(chat_body("a/m")))).status
    assert ["a request failed"] == [record.getMessage() for record in caplog.records]


async def test_a_bug_in_the_middle_of_a_stream_cuts_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def buggy(_gateway: object, downstream: Any, *_: object) -> int:
        await downstream.body(1 << 20)
        downstream.start(200, b"")
        downstream.write([b"some"])
        raise ZeroDivisionError

    monkeypatch.setattr(answering, "exchange", buggy)
    async with rig(SERVED, complaints=False) as r, r.client() as client:
        reply = await client.ask(post(chat_body("a/m")))
        assert (200, b"some", False) == (reply.status, reply.body, reply.whole)
        assert 200 == (await r.raw(head("GET", "/healthz/live"), "GET")).status


async def test_a_drain_answers_what_is_in_progress_and_lets_the_idle_go() -> None:
    async with rig(SERVED) as r, r.client() as busy, r.client() as idle:
        assert 200 == (await idle.ask(post(chat_body("a/m")))).status
        await busy.send(post(chat_body("a/slow", stream=True)))
        await r.one.wait_served(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.running.lane.drain)
            assert await idle.ended()
            reply = await busy.read()
        assert "[DONE]" == reply.data[-1]
        assert await busy.ended()
        with pytest.raises(OSError, match="connect"):
            await r.raw(head("GET", "/"), "GET")


async def test_a_drain_with_nobody_there_returns_at_once() -> None:
    async with rig(SERVED) as r:
        with trio.fail_after(0.5):
            await r.running.lane.drain()


async def test_who_takes_too_long_is_reaped() -> None:
    async with rig(SERVED, limits={"head_time_s": 0.1}) as r, r.client() as client:
        await client.send(b"POST / HT")
        with trio.fail_after(3):
            reply = await client.read()
        assert not reply.status or (408, "timeout") == (
            reply.status, reply.error["metadata"]["error_type"],
        )  # fmt: skip
        assert await client.ended()


async def test_of_a_crowd_that_comes_at_once_no_more_get_in_than_there_are_places() -> None:
    limits = {"connections_max": 8, "connections_per_address_max": 8}
    async with rig(SERVED, limits=limits) as r:
        host, _, port = r.url.removeprefix("http://").rpartition(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(40)]
        try:
            await trio.sleep(0.1)  # all wait in the backlog by now, and are accepted in one go
            for one in crowd:
                one.sendall(post(chat_body("a/slow"), CHAT))
            said = [await trio.to_thread.run_sync(one.recv, 12) for one in crowd]
        finally:
            for one in crowd:
                one.close()

    served = said.count(b"HTTP/1.1 200")
    assert 0 < served <= 8
    assert 40 - served == sum(one in {b"", b"HTTP/1.1 503", b"HTTP/1.1 429"} for one in said), said


async def test_running_out_of_descriptors_pauses_accepting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = iter([OSError(24, "too many open files")])

    class Socket:
        """Fails to accept once."""

        def __init__(self, real: socket.socket) -> None:
            self._real = real

        def accept(self) -> Any:
            error = next(failing, None)
            if error is not None:
                raise error
            return self._real.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    real: Callable[..., Awaitable[None]] = lane_server.Lane._accept  # type: ignore[assignment]

    async def accept(self: Any, listener: Listener, nursery: trio.Nursery) -> None:
        await real(self, replace(listener, sock=Socket(listener.sock)), nursery)  # type: ignore[arg-type]

    monkeypatch.setattr(lane_server.Lane, "_accept", accept)
    async with rig(SERVED) as r:
        assert 200 == (await r.chat("a/m")).status
