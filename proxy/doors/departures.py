"""Who left: one look at all client connections, whatever they are doing.

A second epoll holds every client socket with EPOLLRDHUP, and one task waits on that epoll itself. So
a FIN or RST is noticed at once, also behind bytes that nobody has read yet, and a connection needs
neither a nursery nor a second task for it.

Where there is no epoll (macOS), busy connections are peeked at every PEEK_S instead; there, unread
pipelined bytes hide a departure until they are read.
"""

import select
import socket
from typing import Protocol

import trio

PEEK_S = 0.05
"""How often connections are peeked at without epoll; half of the 100 ms that a departure may take."""


class Leaver(Protocol):
    """A client connection."""

    fd: int

    @property
    def sock(self) -> socket.socket:
        """For a look at what it holds."""
        ...

    def leave(self) -> None:
        """The client left: cancel what it asked for."""
        ...


class EpollDepartures:
    """For Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Leaver] = {}

    def watch(self, connection: Leaver) -> None:
        """From now on, tell `connection` when its peer leaves."""
        self._watched[connection.fd] = connection
        self._epoll.register(connection.fd, select.EPOLLRDHUP | select.EPOLLET)

    def forget(self, connection: Leaver) -> None:
        """Call before the socket is closed."""
        del self._watched[connection.fd]
        if not self._epoll.closed:  # at the end of a run nobody says who goes first
            self._epoll.unregister(connection.fd)

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for fd, _ in self._epoll.poll(0):
                    if fd in self._watched:
                        self._watched[fd].leave()
        finally:
            self._epoll.close()


class PeekDepartures:
    """For systems without epoll."""

    def __init__(self) -> None:
        self._watched: set[Leaver] = set()

    def watch(self, connection: Leaver) -> None:
        """From now on, tell `connection` when its peer leaves."""
        self._watched.add(connection)

    def forget(self, connection: Leaver) -> None:
        """Call before the socket is closed."""
        self._watched.discard(connection)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await trio.sleep(PEEK_S)
            for connection in self._watched:
                if has_left(connection.sock):
                    connection.leave()


def has_left(sock: socket.socket) -> bool:
    """Would the next read find the end, or an error?"""
    try:
        return not socket.socket.recv(sock, 1, socket.MSG_PEEK)  # an SSLSocket's own does not peek
    except BlockingIOError:
        return False
    except OSError:
        return True


def departures() -> EpollDepartures | PeekDepartures:
    """The best that this system has."""
    return EpollDepartures() if hasattr(select, "epoll") else PeekDepartures()
