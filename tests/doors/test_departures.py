"""A departure is told at once, whatever the client had sent before it."""

import select
import socket
import struct

import pytest
import trio

from proxy.doors.departures import EpollDepartures, PeekDepartures, departures, has_left


class Client:
    """A connection that notes when it is told."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.fd = sock, sock.fileno()
        self.left = trio.Event()

    def leave(self) -> None:
        self.left.set()


def a_pair() -> tuple[Client, socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    listener.close()
    ours.setblocking(False)
    return Client(ours), theirs


def fin(sock: socket.socket) -> None:
    sock.close()


def half(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def rst(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")
@pytest.mark.parametrize("how", [fin, half, rst])
@pytest.mark.parametrize("unread", [b"", b"X"])
async def test_epoll_tells_a_departure_also_behind_unread_bytes(how: object, unread: bytes) -> None:
    (client, theirs), (other, still_there) = a_pair(), a_pair()
    watch = EpollDepartures()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        watch.watch(client)
        watch.watch(other)
        theirs.sendall(unread)
        await trio.sleep(0.01)
        assert not client.left.is_set()

        how(theirs)  # type: ignore[operator]

        with trio.fail_after(1):
            await client.left.wait()
        assert not other.left.is_set()
        watch.forget(client)
        watch.forget(other)
        nursery.cancel_scope.cancel()
    for sock in (theirs, still_there, client.sock, other.sock):
        sock.close()


async def test_peeking_tells_a_departure_without_epoll() -> None:
    (client, theirs), (other, still_there) = a_pair(), a_pair()
    watch = PeekDepartures()
    watch.watch(client)
    watch.watch(other)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        theirs.close()
        with trio.fail_after(1):
            await client.left.wait()
        nursery.cancel_scope.cancel()
    assert not other.left.is_set()
    watch.forget(client)
    for sock in (still_there, client.sock, other.sock):
        sock.close()


def test_a_socket_that_broke_has_left() -> None:
    client, theirs = a_pair()
    theirs.close()
    client.sock.close()

    assert has_left(client.sock)


def test_the_system_gets_the_best_it_has() -> None:
    expected = EpollDepartures if hasattr(select, "epoll") else PeekDepartures

    assert isinstance(departures(), expected)
