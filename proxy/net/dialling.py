"""Addresses tried one after the other, each a little after the last, until one connects.

All progress is in the object, so a wait may be cancelled and repeated. More than one socket is
waited for only while an address keeps us waiting, and only then is there a nursery.

Source: RFC 8305 "Happy Eyeballs", section 5.
"""

import errno
import math
import os
import socket
from collections import deque
from collections.abc import Callable

import trio

from proxy.errors import UpstreamUnavailableError
from proxy.net.addresses import Address, SocketAddress
from proxy.units import Seconds

HEAD_START_S = 0.25
"""How long an address is alone before the next is tried too, seconds: RFC 8305's own figure."""
CONNECTED = 0


class Dialling:
    """One connection in the making."""

    __slots__ = ("_clock", "_error", "_next_at", "_peer", "_trying", "_untried")

    def __init__(
        self, addresses: list[Address], clock: Callable[[], Seconds], peer: str = "Provider"
    ) -> None:
        self._untried = deque(addresses)
        self._clock = clock
        self._peer = peer
        self._trying: list[socket.socket] = []
        self._next_at = -math.inf
        self._error = errno.ECONNREFUSED
        """Why the last address failed."""

    async def connect(self) -> socket.socket:
        """The first socket that connects; all others are closed. Resumable.

        Raises: UpstreamUnavailableError where every address failed.
        """
        while (winner := self._advance()) is None:
            await self._wait()
        self.close()
        return winner

    def close(self) -> None:
        """Give up what is being tried."""
        while self._trying:
            self._trying.pop().close()

    def _advance(self) -> socket.socket | None:
        """Look at what is being tried, and begin what is due; returns what is connected."""
        for sock in tuple(self._trying):
            if self._is_connected(sock, progress(sock)):
                return sock
        while self._untried and (not self._trying or self._clock() >= self._next_at):
            begun = self._begin(*self._untried.popleft())
            if begun is not None:
                return begun
        if not self._trying:
            reason = f"cannot be reached: {os.strerror(self._error)}"
            refused = self._error == errno.ECONNREFUSED
            raise UpstreamUnavailableError(
                f"{self._peer}'s address {'refused the connection' if refused else reason}."
            )
        return None

    def _begin(self, family: int, address: SocketAddress) -> socket.socket | None:
        """Try one more address; returns its socket if it is connected at once."""
        self._next_at = self._clock() + HEAD_START_S
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # no such family here, or no descriptor left
            self._failed(error.errno)
            return None
        self._trying.append(sock)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock if self._is_connected(sock, sock.connect_ex(address)) else None

    def _is_connected(self, sock: socket.socket, code: int) -> bool:
        """Whether to look no further; a socket that failed is closed."""
        if code == errno.EINPROGRESS:
            return False
        self._trying.remove(sock)
        if code == CONNECTED:
            return True
        sock.close()
        self._failed(code)
        return False

    def _failed(self, code: int | None) -> None:
        """The next address's turn is now."""
        self._error = code or errno.EIO
        self._next_at = -math.inf

    async def _wait(self) -> None:
        """Until something may have changed."""
        with trio.CancelScope(deadline=self._next_at if self._untried else math.inf):
            if len(self._trying) == 1:
                await trio.lowlevel.wait_writable(self._trying[0])
            else:
                await _any_writable(self._trying)


async def _any_writable(socks: list[socket.socket]) -> None:
    try:
        async with trio.open_nursery() as nursery:
            for sock in socks:
                nursery.start_soon(_writable, sock, nursery.cancel_scope)
    except BaseExceptionGroup as group:
        several = group  # one Cancelled per socket
    else:
        return
    await trio.lowlevel.checkpoint_if_cancelled()  # whoever is cancelled expects a single one
    raise several


async def _writable(sock: socket.socket, found: trio.CancelScope) -> None:
    await trio.lowlevel.wait_writable(sock)
    found.cancel()


def progress(sock: socket.socket) -> int:
    """CONNECTED, EINPROGRESS, or why connecting failed; portable, and true whenever it is asked."""
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        return code
    try:
        sock.getpeername()
    except OSError:
        return errno.EINPROGRESS
    return CONNECTED
