"""Bytes over one socket, in clear text and in TLS: all of them, in order, and never for ever."""

import contextlib
import math
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trustme

from proxy.config.settings import LimitSettings
from proxy.doors.transfer import BUFFERS_MAX, TlsTransfer, Transfer
from proxy.errors import ClientClosedError
from proxy.units import Seconds

LIMITS = LimitSettings(reader_s=5.0, reader_rate_min=1000)
CA = trustme.CA()
KINDS = pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])


def now() -> Seconds:
    return Seconds(trio.current_time())


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's)."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    CA.configure_trust(client)
    server.set_alpn_protocols(["http/1.1", "h2"])
    client.set_alpn_protocols(["h2"])
    return server, client


@asynccontextmanager
async def joined(*, tls: bool) -> AsyncIterator[tuple[Transfer, trio.abc.Stream]]:
    """Our side of a connection, and the client's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stream: trio.abc.Stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    if not tls:
        transfer = Transfer(ours, LIMITS, now)
        assert "" == await transfer.establish(None)
    else:
        server, client = contexts()
        transfer = TlsTransfer(ours, LIMITS, now)
        inside = trio.SSLStream(stream, client, server_hostname="localhost")
        stream = inside
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inside.do_handshake)
            assert "h2" == await transfer.establish(server)
    try:
        yield transfer, stream
    finally:
        transfer.close()
        with trio.move_on_after(0.1):
            await trio.aclose_forcefully(stream)


async def read(stream: trio.abc.Stream, size: int) -> bytes:
    """Exactly `size` bytes."""
    data = b""
    with trio.fail_after(5):
        while len(data) < size:
            data += await stream.receive_some(1 << 16)
    return data


@KINDS
async def test_bytes_come_as_they_were_sent(tls: bool) -> None:
    async with joined(tls=tls) as (transfer, stream):
        await stream.send_all(b"one")
        assert b"one" == await transfer.receive()
        big, got = bytes(range(256)) * 1000, b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, big)
            while len(got) < len(big):
                got += await transfer.receive()
        assert big == got


@KINDS
@pytest.mark.parametrize("pieces", [1, 3, BUFFERS_MAX + 50])
async def test_pieces_go_out_joined(tls: bool, pieces: int) -> None:
    async with joined(tls=tls) as (transfer, stream):
        assert transfer.send([memoryview(b"ab")] * pieces)
        assert b"ab" * pieces == await read(stream, 2 * pieces)


@KINDS
async def test_what_the_socket_does_not_take_is_kept_and_comes_in_order(tls: bool) -> None:
    async with joined(tls=tls) as (transfer, stream):
        sent = b""
        while transfer.send([piece := b"%07d," % len(sent) * 5000]):
            sent += piece
        sent += piece
        assert not transfer.send([b"more"])
        sent += b"more"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer.drain)
            assert sent == await read(stream, len(sent))
        assert transfer.send([b"again"])
        assert b"again" == await read(stream, 5)
        assert math.inf == transfer.deadline


@KINDS
async def test_a_reader_must_take_something_now_and_then(tls: bool) -> None:
    async with joined(tls=tls) as (transfer, _):
        while transfer.send([bytes(100_000)]):
            pass
        with trio.move_on_after(0.05) as scope:
            await transfer.drain()
        assert scope.cancelled_caught
        assert pytest.approx(now() + LIMITS.reader_s, abs=0.5) == transfer.deadline


async def test_a_reader_that_takes_a_little_now_and_then_is_too_slow_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """25 s for some 200 kB at 100 B/s, where 1,000 B/s is the least."""
    assert autojump_clock is not None
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        transfer = Transfer(ours, LIMITS, now)
        while transfer.send([bytes(100_000)]):
            pass
        begun = now()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer.drain)
            late = False
            for _ in range(25):
                await trio.sleep(1)
                theirs.recv(100)
                late = late or transfer.deadline < now()
            assert late
            assert transfer.deadline < begun + 2 * LIMITS.reader_s
            nursery.cancel_scope.cancel()
        transfer.close()


@KINDS
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_is_gone_is_noticed(tls: bool, how: str) -> None:
    async with joined(tls=tls) as (transfer, stream):
        if how == "close":
            await stream.aclose() if not tls else await trio.aclose_forcefully(stream)
        else:
            await trio.aclose_forcefully(stream)
        with pytest.raises(ClientClosedError), trio.fail_after(1):
            await transfer.receive()
        with pytest.raises(ClientClosedError), trio.fail_after(1):
            while True:
                transfer.send([bytes(10_000)])
                await transfer.drain()


async def test_the_end_is_said_inside_tls() -> None:
    async with joined(tls=True) as (transfer, stream):
        transfer.send([b"last"])
        transfer.close()
        assert b"last" == await stream.receive_some(100)
        assert b"" == await stream.receive_some(100), "a cut would raise"


async def test_last_words_are_heard_and_then_nothing() -> None:
    for tls in (False, True):
        async with joined(tls=tls) as (transfer, stream):
            transfer.last_words(b"HTTP/1.1 408")
            assert b"HTTP/1.1 408" == await stream.receive_some(100)
            assert b"" == await stream.receive_some(100)


async def test_nothing_is_said_in_clear_text_before_the_handshake() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        transfer = TlsTransfer(ours, LIMITS, now)
        transfer.last_words(b"HTTP/1.1 408")
        transfer.close()
        assert b"" == theirs.recv(100)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"This port speaks TLS"),
        (b"\x16\x03\x01\x00\x05garba", b""),
        (b"\x80\x2e\x01\x00\x02", b""),
        (bytes(600), b""),
        (b"", b""),
    ],
)
async def test_what_is_no_tls_ends(sent: bytes, answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        theirs.settimeout(1)
        transfer = TlsTransfer(ours, LIMITS, now)
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ClientClosedError), trio.fail_after(1):
            await transfer.establish(contexts()[0])
        transfer.close()
        said = b""
        with contextlib.suppress(ConnectionResetError):  # we did not read all of it
            said = theirs.recv(1000)
        assert answer in said
        assert bool(answer) == said.startswith(b"HTTP/1.1 400")


async def test_a_handshake_that_stalls_waits_and_can_be_cancelled() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        transfer = TlsTransfer(ours, LIMITS, now)
        theirs.sendall(b"\x16\x03\x01")
        with trio.move_on_after(0.05) as scope:
            await transfer.establish(contexts()[0])
        assert scope.cancelled_caught
        transfer.close()
