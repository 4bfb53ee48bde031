"""Bytes over a handed-over socket: whole and in order, and nobody is held up by a peer."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from proxy.config.settings import LimitSettings
from proxy.doors.handover import UNSENT_BYTES_MAX, HandedStream
from proxy.errors import ClientClosedError
from tests.fakes.h2_door import contexts, shake_hands

LIMITS = LimitSettings(reader_s=0.2)
LARGE = bytes(range(256)) * 16_384
"""4 MiB: more than sockets hold."""


@asynccontextmanager
async def pair(secure: bool = False, received: bytes = b"") -> AsyncIterator[tuple[Any, Any]]:
    """(our side, the peer's stream)."""
    ours, theirs = socket.socketpair()
    peer: trio.abc.Stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    ours.setblocking(False)
    if secure:
        server, client = contexts()
        ours = server.wrap_socket(ours, server_side=True, do_handshake_on_connect=False)
        peer = trio.SSLStream(peer, client, server_hostname="localhost", https_compatible=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shake_hands, ours)
            nursery.start_soon(peer.do_handshake)
    try:
        yield HandedStream(ours, received, LIMITS, trio.current_time), peer  # type: ignore[arg-type]
    finally:
        ours.close()
        await trio.aclose_forcefully(peer)


@pytest.mark.parametrize("secure", [False, True])
async def test_what_is_put_arrives_in_order_however_slowly_it_is_read(secure: bool) -> None:
    async with pair(secure) as (stream, peer), trio.open_nursery() as nursery:
        nursery.start_soon(stream.write_out)
        stream.put(LARGE)
        stream.put(b"the end")
        received = bytearray()
        with trio.fail_after(5):
            while len(received) < len(LARGE) + 7:
                received += await peer.receive_some(100_000)
            await stream.wait_sent()
        nursery.cancel_scope.cancel()

    assert LARGE + b"the end" == received


@pytest.mark.parametrize("secure", [False, True])
async def test_bytes_are_received_behind_those_that_were_read_before(secure: bool) -> None:
    async with pair(secure, b"first") as (stream, peer):
        await peer.send_all(b"second")
        assert [b"first", b"second"] == [await stream.receive_some(), await stream.receive_some()]
        await peer.aclose()
        assert b"" == await stream.receive_some()


async def test_whoever_sends_waits_for_room_and_may_be_cancelled() -> None:
    async with pair() as (stream, peer), trio.open_nursery() as nursery:
        await stream.wait_room()
        stream.put(LARGE)
        with trio.move_on_after(0.05) as waited:
            await stream.wait_room()
        assert waited.cancelled_caught

        nursery.start_soon(stream.write_out)
        received = bytearray()
        with trio.fail_after(5):
            while len(received) < len(LARGE) - UNSENT_BYTES_MAX:
                received += await peer.receive_some(100_000)
            await stream.wait_room()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_peer_that_takes_nothing_is_given_up(secure: bool) -> None:
    async with pair(secure) as (stream, _peer):
        stream.put(LARGE)
        begun = trio.current_time()
        with pytest.raises(ClientClosedError):
            await stream.write_out()
        assert 0.15 < trio.current_time() - begun < 2


async def test_a_peer_that_went_stops_nobody() -> None:
    async with pair() as (stream, peer):
        await peer.aclose()
        stream.put(LARGE)
        stream.put(LARGE)
        with trio.fail_after(1):
            await stream.wait_room()
            await stream.wait_sent()


@pytest.mark.parametrize("secure", [False, True])
async def test_the_last_words_arrive_though_the_peer_is_still_sending(secure: bool) -> None:
    async with pair(secure) as (stream, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.send_all, b"x" * 100_000)
        await trio.sleep(0.02)
        stream.farewell(b"goodbye")
        nursery.start_soon(stream.linger)
        received = b""
        with trio.fail_after(3):
            while data := await read_or_end(peer):
                received += data
        nursery.cancel_scope.cancel()

    assert b"goodbye" == received


async def read_or_end(peer: Any) -> bytes:
    """What comes next."""
    try:
        return bytes(await peer.receive_some(100))
    except (trio.BrokenResourceError, ssl.SSLError):
        return b""
