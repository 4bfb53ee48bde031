"""A client's socket as the second door's server wants it: a stream whose writes never hold a task up.

What is to be sent is taken at once and written by one task of the connection: a task that asks for
something to be sent may be cancelled without leaving half a frame on the wire.

Rule 1: a peer that takes nothing for `reader_s`, or less than `reader_rate_min`, is taken for gone.
Rule 2: the socket belongs to whoever handed it over; nothing here closes it.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable

import trio

from proxy.config.settings import LimitSettings
from proxy.errors import ClientClosedError
from proxy.units import Seconds

RECEIVE_BYTES = 16_384
"""Read at once, and so the most that is worked on before anybody looks at what it did."""
RECORD_BYTES = 16_384
"""Plain text of one TLS record; what is offered to the socket at once."""
UNSENT_BYTES_MAX = 65_536
"""Above this, whoever sends waits."""
RETRY_S = 0.01
"""Pause where TLS wants the other direction, which another task is waiting for."""
LINGER_S = 1.0
"""How long bytes are still taken in at the end, so that our last ones are not lost to a RST."""
BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class HandedStream:
    """One client's socket; non-blocking, its TLS handshake done."""

    def __init__(
        self,
        sock: socket.socket,
        received: bytes,
        limits: LimitSettings,
        clock: Callable[[], Seconds],
    ) -> None:
        """Take over `sock`; `received` was read from it already."""
        self.sock = sock
        self.tls = isinstance(sock, ssl.SSLSocket)
        self._received = received
        self._limits = limits
        self._clock = clock
        self._unsent = bytearray()
        self._broken = False
        self._work = trio.Event()
        self._room = trio.Event()
        self._sent = trio.Event()

    async def receive_some(self) -> bytes:
        """Wait for bytes; none: the peer is gone."""
        if self._received:
            data, self._received = self._received, b""
            return data
        waited = False
        while True:
            try:
                data = self.sock.recv(RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                waited = True
                await trio.lowlevel.wait_readable(self.sock)
            except ssl.SSLWantWriteError:
                await trio.sleep(RETRY_S)
            except OSError:
                return b""
            else:
                if not waited:
                    await (
                        trio.lowlevel.checkpoint()
                    )  # a peer that never pauses must not starve others
                return data

    def put(self, data: bytes) -> None:
        """Send `data`: what the socket takes goes now, the rest as soon as it does."""
        idle = not self._unsent
        self._unsent += data
        if idle:
            self._push()
            if self._unsent:
                self._work.set()

    async def wait_room(self) -> None:
        """Wait until not much is unsent."""
        while len(self._unsent) > UNSENT_BYTES_MAX and not self._broken:
            await self._room.wait()

    async def wait_sent(self) -> None:
        """Wait until nothing is unsent."""
        while self._unsent:
            await self._sent.wait()

    def _push(self) -> int:
        """Give the socket what it takes; bytes taken."""
        before = len(self._unsent)
        try:
            while self._unsent:
                sent = self.sock.send(bytes(self._unsent[:RECORD_BYTES]))
                del self._unsent[:sent]
        except BLOCKED:
            pass
        except OSError:
            self._broken = True  # the reader sees it as well, and ends the connection
            self._unsent.clear()
        if len(self._unsent) <= UNSENT_BYTES_MAX:
            self._room.set()
            self._room = trio.Event()
        if not self._unsent:
            self._sent.set()
            self._sent = trio.Event()
        return before - len(self._unsent)

    async def write_out(self) -> None:
        """Send what is unsent, for ever. Raises: ClientClosedError for a peer that does not read."""
        limits = self._limits
        while True:
            await self._work.wait()
            self._work = trio.Event()
            begun, sent = self._clock(), 0
            while self._unsent:
                slowest = begun + limits.reader_s + sent / limits.reader_rate_min - self._clock()
                with trio.move_on_after(min(limits.reader_s, slowest)) as patience:
                    await trio.lowlevel.wait_writable(self.sock)
                if patience.cancelled_caught:
                    raise ClientClosedError("The client does not read.")
                sent += self._push()

    def farewell(self, data: bytes) -> None:
        """Send what the socket still takes, `data` last, and say that nothing follows."""
        idle = not self._unsent
        self._unsent += data
        if idle or not self.tls:
            self._push()
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    async def linger(self) -> None:
        """Take in what still comes, for a moment, and drop it."""
        with trio.move_on_after(LINGER_S), contextlib.suppress(OSError):
            while True:
                await trio.lowlevel.wait_readable(self.sock)
                if not socket.socket.recv(self.sock, RECEIVE_BYTES):
                    return
