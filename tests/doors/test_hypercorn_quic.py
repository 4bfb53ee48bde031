"""Datagrams: none of them ends anything, and none makes state before its sender has shown its address."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from aioquic.buffer import Buffer  # type: ignore[attr-defined]
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from proxy.doors import hypercorn_quic
from tests.fakes.h3_client import h3_client
from tests.fakes.h3_door import Datagrams, h3_doorway
from tests.rig import head

LIVE = head("GET", "/healthz/live")
SERVED = {"maker/text": ("synthetic/text",)}


def first_datagram() -> bytes:
    """How a client begins."""
    quic = QuicConnection(configuration=QuicConfiguration(alpn_protocols=H3_ALPN, server_name="x"))
    quic.connect(("127.0.0.1", 1), now=0.0)
    return quic.datagrams_to_send(now=0.0)[0][0]


async def answer_to(d: Datagrams, data: bytes) -> bytes | None:
    """What comes back for one datagram."""
    with trio.socket.socket(type=socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        await sock.sendto(data, ("127.0.0.1", d.port))
        with trio.move_on_after(0.1):
            return await sock.recv(2000)
    return None


async def test_the_first_answer_is_a_retry_and_nothing_is_kept(tmp_path: Path) -> None:
    async with h3_doorway(SERVED, tmp_path) as d:
        for _ in range(20):
            answer = await answer_to(d, first_datagram())
            assert answer is not None
            header = pull_quic_header(Buffer(data=answer), host_cid_length=8)
            assert QuicPacketType.RETRY == header.packet_type
            assert len(answer) < 1200
        assert 0 == open_connections(d)


def open_connections(d: Datagrams) -> int:
    """QUIC connections of the door."""
    (drain,) = d.door._datagrams
    return len(drain.__self__._open)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0", b"\xff" * 1200, b"\xc0" + b"\0" * 1199, b"\x40" + b"x" * 1300,
        first_datagram()[:600], first_datagram()[:-1] + b"!",
        b"\xc0\x1a\x2a\x3a\x4a\x08" + b"12345678" + b"\0" * 1300,
        b"\xc0\0\0\0\0\x08" + b"12345678" + b"\0" * 1300,
    ],
    ids=["empty", "short", "ones", "zeros", "unknown", "cut", "altered", "version", "negotiation"],
)  # fmt: skip
async def test_no_datagram_ends_anything(tmp_path: Path, data: bytes) -> None:
    async with h3_doorway(SERVED, tmp_path) as d, d.client() as client:
        assert 200 == (await client.ask(LIVE)).status
        answer = await answer_to(d, data)
        for _ in range(50):
            await answer_to_nobody(d, os.urandom(1250))
        assert answer is None or len(answer) < 3 * max(len(data), 1)
        assert 200 == (await client.ask(LIVE)).status


async def answer_to_nobody(d: Datagrams, data: bytes) -> None:
    """Send a datagram and go."""
    with trio.socket.socket(type=socket.SOCK_DGRAM) as sock:
        await sock.sendto(data, ("127.0.0.1", d.port))


async def test_rubbish_from_a_connection_itself_ends_at_most_that(tmp_path: Path) -> None:
    async with h3_doorway(SERVED, tmp_path) as d, d.client() as neighbour, d.client() as client:
        assert 200 == (await neighbour.ask(LIVE)).status
        assert 200 == (await client.ask(LIVE)).status
        cid = client.quic._peer_cid.cid
        for size in (1, 20, 60, 1200):
            await client.sock.sendto(b"\x40" + cid + os.urandom(size), client.server)
        assert 200 == (await neighbour.ask(LIVE)).status
        assert 200 == (await client.ask(LIVE)).status


async def test_there_are_no_more_connections_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hypercorn_quic, "CONNECTIONS_MAX", 2)
    async with h3_doorway(SERVED, tmp_path) as d, d.client() as one, d.client() as two:
        assert [200, 200] == [(await one.ask(LIVE)).status, (await two.ask(LIVE)).status]
        async with d.client() as third:
            with trio.move_on_after(0.3):
                await third.ready.wait()
            assert not third.ready.is_set()
        assert 2 == open_connections(d)


async def test_an_idle_connection_is_closed_and_forgotten(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"idle_connection_s": 0.3}
    async with h3_doorway(SERVED, tmp_path, limits=limits) as d, d.client() as client:
        assert 200 == (await client.ask(LIVE)).status
        with trio.fail_after(2):
            await client.over.wait()
            while open_connections(d):
                await trio.sleep(0.01)


async def test_a_renewed_certificate_is_used(tmp_path: Path) -> None:
    renewed = trustme.CA()
    async with h3_doorway(SERVED, tmp_path) as d:
        async with d.client() as client:
            assert 200 == (await client.ask(LIVE)).status
        renewed.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(d.cert)
        await trio.sleep(1.1)
        async with h3_client(d.port, renewed.cert_pem.bytes()) as client:
            assert 200 == (await client.ask(LIVE)).status


async def test_a_client_that_vanished_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with h3_doorway(SERVED, tmp_path) as d:
        async with d.client() as client:
            assert 200 == (await client.ask(LIVE)).status
            assert 1 == open_connections(d)
            client.reading = False
        with trio.fail_after(3):
            await d.door.drain()
