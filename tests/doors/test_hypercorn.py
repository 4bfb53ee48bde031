"""The second door as a whole: HTTP/2 in clear text and TLS, from the first frame to the last."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from proxy.doors.listener import require_http3
from proxy.errors import ConfigError
from tests.fakes.h2_client import H2Client, open_stream
from tests.fakes.h2_door import Doorway, doorway
from tests.hostile.h2_attacks import GREETING, get, request, settings
from tests.rig import chat_body, head, post

SERVED = {
    "maker/text": ("synthetic/text",),
    "maker/stall": ("fault/stall-mid-body",),
    "maker/flow": ("fault/slow-bytes?delay_s=0.001",),
}
CHAT = post(chat_body("maker/text", stream=True))
LIVE = head("GET", "/healthz/live")
CANCEL, REFUSED_STREAM = 8, 7


@pytest.fixture(params=[False, True], ids=["clear", "tls"])
def secure(request: pytest.FixtureRequest) -> Iterator[bool]:
    yield request.param


BOTH_SLOW = pytest.mark.parametrize(
    "secure", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["clear", "tls"]
)
"""In TLS only where all tests run: these wait for time to pass."""


async def tasks_at_rest() -> int:
    """How many tasks there are once none has ended for a while."""
    counts = [-1]
    with trio.fail_after(3):
        while len(counts) < 4 or len(set(counts[-3:])) > 1:
            await trio.sleep(0.05)
            counts.append(trio.lowlevel.current_statistics().tasks_living)
    return counts[-1]


async def nobody(door: Any) -> None:
    """Wait until no connection is open."""
    with trio.fail_after(3):
        while door._connections:
            await trio.sleep(0.005)


async def test_many_requests_share_one_connection(secure: bool) -> None:
    async with doorway(SERVED, secure=secure) as d, d.client() as client:
        replies = []

        async def ask(data: bytes) -> None:
            replies.append(await client.ask(data))

        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(ask, CHAT)
            nursery.start_soon(ask, post(chat_body("maker/none")))
            nursery.start_soon(ask, head("GET", "/api/v1/models"))
            nursery.start_soon(ask, post(b"{", "/v1/chat/completions/"))

        assert [200] * 41 + [400] * 2 == sorted(reply.status for reply in replies)
        assert all(reply.whole for reply in replies)
        assert (40, 0) == d.rig.settled
        assert 100 == client.h2.remote_settings.max_concurrent_streams


async def test_a_caller_from_elsewhere_is_not_served() -> None:
    async with doorway(SERVED, local=False) as d, d.client() as client:
        assert 403 == (await client.ask(CHAT)).status


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_leaves_takes_its_request_along(secure: bool, how: str) -> None:
    async with doorway(SERVED, secure=secure) as d:
        async with d.client() as client:
            await client.ask(CHAT)
        before = await tasks_at_rest()
        async with d.client() as client:
            stream_id = await client.send(post(chat_body("maker/stall", stream=True)))
            await client.body_of(stream_id, 1)
            if how == "reset":
                await client.reset(stream_id)
                assert 200 == (await client.ask(CHAT)).status
            else:
                await trio.aclose_forcefully(client.stream)
            with trio.fail_after(1):
                await d.rig.one.log[1].closed.wait()
        await d.rig.quiet()
        await nobody(d.door)
        assert before >= await tasks_at_rest()


@BOTH_SLOW
async def test_an_early_answer_neither_blocks_nor_leaks(secure: bool) -> None:
    async with doorway(SERVED, secure=secure, keys=["0" * 64]) as d:
        before = await tasks_at_rest()
        async with d.client() as client:
            for _ in range(3):
                refused = await client.ask(post(b"x" * 1_000_000))
                assert (401, True) == (refused.status, refused.whole)
            assert 413 == (await client.ask(post(b"x" * 70_000, "/x"))).status
            assert 200 == (await client.ask(LIVE)).status
            unfinished = await client.send(post(b"x" * 9)[:-5])
            assert 401 == (await client.answer(unfinished)).status
            await trio.sleep(1.2)
            assert 0 == client.streams[unfinished].reset  # NO_ERROR: stop sending
            assert 200 == (await client.ask(LIVE)).status
        await nobody(d.door)
        assert before == await tasks_at_rest()


@BOTH_SLOW
async def test_draining_finishes_what_runs_and_refuses_what_comes(secure: bool) -> None:
    async with doorway(SERVED, secure=secure, pacing="delay_s=0.02") as d:
        async with d.client() as client, d.client() as idle, trio.open_nursery() as nursery:
            assert 200 == (await idle.ask(LIVE)).status
            running = await client.send(CHAT)
            await client.body_of(running, 1)
            nursery.start_soon(d.door.drain)
            assert await idle.ended()
            assert client.went_away is None or client.went_away.last_stream_id == running
            late = await late_request(client)
            assert REFUSED_STREAM == late
            assert (await client.answer(running)).text.startswith("Hedgerows grow")
            assert await client.ended()
        with trio.fail_after(1):
            await d.door.drain()


async def late_request(client: H2Client) -> int | None:
    """The error code for a request that did not know that the server is leaving."""
    asked = await client.send(LIVE)
    await client.answer(asked)
    return client.streams[asked].reset


async def test_an_idle_connection_ends_and_a_silent_one_sooner() -> None:
    limits = {"idle_connection_s": 0.4, "head_time_s": 0.15}
    async with doorway(SERVED, limits=limits, pacing="delay_s=0.02") as d:
        begun = trio.current_time()
        async with await open_stream(d.url) as silent:
            await silent.receive_some(1000)
            while await silent.receive_some(1000):
                pass
            assert 0.1 < trio.current_time() - begun < 0.38
        async with d.client() as client:
            reply = await client.ask(CHAT)  # takes longer than an idle connection may
            assert reply.whole
            begun = trio.current_time()
            await client.ping()
            assert await client.ended()
            assert 0.3 < trio.current_time() - begun < 1
            assert client.went_away is not None
            assert 0 == client.went_away.error_code


async def test_a_connection_serves_so_many_requests() -> None:
    limits = {"requests_per_connection_max": 3}
    async with doorway(SERVED, limits=limits) as d, d.client() as client:
        for _ in range(2):
            assert (await client.ask(CHAT)).whole
            assert client.went_away is None
        last = await client.send(CHAT)
        assert (await client.answer(last)).whole
        assert await client.ended()
        assert client.went_away is not None
        assert last == client.went_away.last_stream_id


@BOTH_SLOW
@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_client_that_does_not_read_cannot_hold_us(secure: bool, cancelled: bool) -> None:
    """Its window is wide open, its socket is not: frames pile up before it."""
    limits = {"reader_s": 60.0 if cancelled else 0.3}
    async with doorway(SERVED, secure=secure, limits=limits) as d:
        async with deaf(d) as stream:
            stuck = False
            with trio.move_on_after(3):
                while not stuck:
                    await trio.sleep(0.01)
                    stuck = any(len(c.stream._unsent) > 65_536 for c in d.door._connections)
            assert stuck
            begun = trio.current_time()
            if not cancelled:
                await nobody(d.door)
                assert b'hedgerow_connections_cut_total{reason="slow"} 1.0' in (
                    d.rig.gateway.statistics.render()
                )
            await trio.aclose_forcefully(stream)
        if cancelled:
            return
    assert trio.current_time() - begun < 2


def deaf(d: Doorway) -> Any:
    """A connection that asks for much and reads nothing."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened() -> Any:
        stream: Any = await open_stream(d.url)
        if d.trust is not None:
            stream = trio.SSLStream(stream, d.trust, server_hostname="localhost")
            await stream.do_handshake()
        models = request(path="/metrics")
        wide = (
            settings((4, 2**31 - 1)) + b"\0\0\4\x08\0\0\0\0\0" + (2**31 - 65_536).to_bytes(4, "big")
        )
        await stream.send_all(GREETING + wide)
        async with trio.open_nursery() as nursery:

            async def pour() -> None:
                try:
                    for number in range(1, 19_000, 2):
                        await stream.send_all(get(models, stream=number))
                        await trio.sleep(0.0005)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return

            nursery.start_soon(pour)
            yield stream
            nursery.cancel_scope.cancel()
            await trio.aclose_forcefully(stream)

    return opened()


@BOTH_SLOW
async def test_a_stream_whose_window_stays_shut_is_reset_and_no_other(secure: bool) -> None:
    limits = {"reader_s": 0.3}
    async with doorway(SERVED, secure=secure, limits=limits) as d, d.client(window=100) as client:
        client.acknowledge = False
        stuck = await client.send(CHAT)
        with trio.fail_after(3):
            await client.streams[stuck].over.wait()
        assert 100 == len(client.streams[stuck].reply.body)
        assert client.streams[stuck].reset is not None
        assert 200 == (await client.ask(LIVE)).status
        await d.rig.quiet()


def test_without_its_library_http_3_is_a_setting_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_http3()
    monkeypatch.setitem(sys.modules, "aioquic", None)

    with pytest.raises(ConfigError, match=r"hedgerow\[http3\]"):
        require_http3()
