"""A connection that may be interrupted at every step and goes on where it was."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from proxy.errors import UpstreamUnavailableError
from proxy.net.addresses import Address
from proxy.net.connection import Connection
from proxy.net.dialling import Dialling
from proxy.wire.body import BodyReader
from tests.fakes.replay import refused_url, unanswered_url


@contextmanager
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection and its far end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    connection = Connection("peer", None, ours)
    with theirs:
        yield connection, theirs
        connection.close()


@contextmanager
def listening() -> Iterator[tuple[socket.socket, Address]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        host, port = listener.getsockname()
        yield listener, (socket.AF_INET, (host, port))


def to(addresses: list[Address]) -> Dialling:
    return Dialling(addresses, trio.current_time)  # type: ignore[arg-type]


def address_of(url: str) -> Address:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.AF_INET, (host, int(port))


async def test_a_socket_that_is_given_is_connected_already() -> None:
    with pair() as (connection, _):
        assert connection.ready
        assert connection.addressed
        await connection.establish()


async def test_it_dials_sends_and_receives_up_to_the_end() -> None:
    with listening() as (listener, address):
        connection = Connection("peer", None)
        assert (False, False) == (connection.ready, connection.addressed)
        connection.dial(to([address]))
        await connection.establish()
        assert connection.ready
        far, _ = listener.accept()
        with far:
            connection.queue(b"question")
            await connection.flush()
            assert b"question" == far.recv(100)
            far.sendall(b"answer")
            assert b"answer" == await connection.receive()
        assert b"" == await connection.receive()
        connection.close()
        connection.close()


async def test_addresses_are_tried_in_turn() -> None:
    with refused_url() as url, listening() as (_, good):
        connection = Connection("peer", None)
        connection.dial(to([address_of(url), good]))
        await connection.establish()
        assert connection.sock is not None
        assert good[1] == connection.sock.getpeername()
        connection.close()


async def test_where_no_address_answers_it_is_told() -> None:
    with refused_url() as url:
        connection = Connection("peer", None)
        connection.dial(to([address_of(url)] * 2))
        with pytest.raises(UpstreamUnavailableError, match="refused"):
            await connection.establish()
        assert connection.sock is None


async def test_a_connection_is_closed_in_the_middle_of_dialling() -> None:
    with unanswered_url() as url:
        connection = Connection("peer", None)
        connection.dial(to([address_of(url)]))
        with trio.move_on_after(0.05) as scope:
            await connection.establish()
        assert scope.cancelled_caught
        assert (True, False) == (connection.addressed, connection.ready)
        connection.close()
        assert (False, False) == (connection.addressed, connection.ready)


async def test_sending_goes_on_behind_a_cancel_and_no_byte_is_sent_twice() -> None:
    data = bytes(range(256)) * 40_000
    with pair() as (connection, far):
        connection.queue(data)
        got = b""
        done = False
        while not done:
            with trio.move_on_after(0.001) as scope:
                await connection.flush()
            done = not scope.cancelled_caught
            try:
                while piece := far.recv(100_000):
                    got += piece
            except BlockingIOError:
                pass
        assert data == got


async def test_a_peer_that_is_gone_is_an_error_of_the_system() -> None:
    with pair() as (connection, far):
        far.close()
        connection.queue(b"x")
        with pytest.raises(OSError, match="pipe"):
            await connection.flush()


async def test_a_reset_is_an_error_of_the_system() -> None:
    with listening() as (listener, address):
        connection = Connection("peer", None)
        connection.dial(to([address]))
        await connection.establish()
        far, _ = listener.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        with pytest.raises(ConnectionResetError):
            await connection.receive()
        connection.close()


async def test_an_interrupt_ends_a_wait_once_and_loses_nothing() -> None:
    with pair() as (connection, far):
        seen: list[str] = []

        async def read() -> None:
            try:
                await connection.receive()
            except InterruptedError:
                seen.append("interrupted")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            connection.interrupt()
        assert ["interrupted"] == seen
        far.sendall(b"later")
        assert b"later" == await connection.receive()


async def test_an_interrupt_ends_a_wait_to_send_and_the_rest_is_sent_later() -> None:
    whole = b"x" * 4_000_000
    with pair() as (connection, theirs):
        connection.queue(whole)
        async with trio.open_nursery() as nursery:

            async def interrupted() -> None:
                with pytest.raises(InterruptedError):
                    await connection.flush()

            nursery.start_soon(interrupted)
            await trio.testing.wait_all_tasks_blocked()
            connection.interrupt()

        read = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.flush)
            while len(read) < len(whole):
                await trio.lowlevel.wait_readable(theirs)
                read += theirs.recv(1 << 20)
        assert whole == bytes(read)


async def test_an_interrupt_before_the_wait_counts() -> None:
    with pair() as (connection, far):
        far.sendall(b"here")
        connection.interrupt()
        with pytest.raises(InterruptedError):
            await connection.receive()
        assert b"here" == await connection.receive()


async def test_a_closed_connection_may_be_interrupted() -> None:
    connection = Connection("peer", None)
    connection.interrupt()
    connection.close()


async def test_a_cancelled_wait_for_bytes_may_be_taken_up_again() -> None:
    with pair() as (connection, far):
        with trio.move_on_after(0.01) as scope:
            await connection.receive()
        assert scope.cancelled_caught
        far.sendall(b"x")
        assert b"x" == await connection.receive()


async def test_only_silence_looks_alive() -> None:
    with pair() as (connection, _):
        assert connection.looks_alive()
        assert connection.looks_alive()
    with pair() as (connection, far):
        far.sendall(b"unasked")
        assert not connection.looks_alive()
    with pair() as (connection, far):
        far.close()
        assert not connection.looks_alive()


async def test_a_reset_does_not_look_alive() -> None:
    with listening() as (listener, address):
        connection = Connection("peer", None)
        connection.dial(to([address]))
        await connection.establish()
        far, _ = listener.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        assert not connection.looks_alive()
        connection.close()


def tail() -> BodyReader:
    """The reader of a chunked body whose last chunk has not come."""
    reader = BodyReader(chunked=True, length=None)
    reader.feed(b"2\r\nhi\r\n")
    return reader


@pytest.mark.parametrize(
    ("sent", "alive"),
    [
        ([b"0\r\n\r\n"], True),
        ([b"0\r\nTrailer: x\r\n\r\n"], True),
        ([], False),
        ([b"0\r\n"], False),
        ([b"0\r\n\r\nHTTP/1.1 200 OK\r\n"], False),
        ([b"1\r\nx\r\n0\r\n\r\n"], False),
        ([b"nonsense\r\n"], False),
    ],
)
async def test_the_end_of_the_last_replys_framing_may_have_come_meanwhile(
    sent: list[bytes], alive: bool
) -> None:
    with pair() as (connection, far):
        connection.tail = tail()
        for data in sent:
            far.sendall(data)
        assert alive is connection.looks_alive()


async def test_an_end_of_framing_with_the_end_of_the_connection_does_not_look_alive() -> None:
    with pair() as (connection, far):
        connection.tail = tail()
        far.sendall(b"0\r\n\r\n")
        far.close()
        assert not connection.looks_alive()
