"""Bytes from and to one client on a non-blocking socket, in clear text or in TLS.

Deadlines are plain numbers that the door's one reaper looks at each second: a cancel scope per wait
would cost more than the parsing.

Rule 1: a client that takes nothing for `reader_s`, or less than `reader_rate_min` of a large piece,
is taken for gone. Rule 2: what the socket does not take at once is kept, and no more is asked for.
"""

import contextlib
import math
import socket
import ssl
from collections.abc import Callable

import trio
from typing_extensions import override

from proxy.config.settings import LimitSettings
from proxy.errors import ClientClosedError
from proxy.model.downstream import Buffer
from proxy.net.tls import shake_hands
from proxy.units import Seconds

RECEIVE_BYTES = 65_536
BUFFERS_MAX = 1000
"""Pieces per `sendmsg`; the kernel takes 1,024."""
RECORD_BYTES = 16_384
"""Plain text of one TLS record (RFC 8446 5.1); given one by one, so that progress can be seen."""
PLAIN_TO_TLS = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"error":{"code":400,"message":"This port speaks TLS: use https.","metadata":{}}}'
)


class Transfer:
    """One client's socket, in clear text."""

    def __init__(
        self, sock: socket.socket, limits: LimitSettings, clock: Callable[[], Seconds]
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.deadline: float = math.inf
        """When the reaper ends this connection; seconds on the loop's clock."""
        self._limits = limits
        self._clock = clock
        self._unsent = b""

    async def establish(self, context: ssl.SSLContext | None) -> str:
        """Make ready for HTTP; returns the protocol that was agreed on, "" where none was asked.

        Raises: ClientClosedError.
        """
        assert context is None
        return ""

    async def receive(self) -> bytes:
        """Wait for bytes. Raises: ClientClosedError at the end of the connection."""
        while True:
            await trio.lowlevel.wait_readable(self.fd)
            try:
                data = self.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                raise ClientClosedError("The client left.")
            return data

    def send(self, buffers: list[Buffer]) -> bool:
        """Send what the socket takes and keep the rest; False: call `drain` before the next.

        Raises: ClientClosedError.
        """
        if self._unsent:
            self._unsent += b"".join(buffers)
            return False
        if len(buffers) > BUFFERS_MAX:
            buffers = [b"".join(buffers)]
        sent = self.push(buffers)
        if sent == sum(map(len, buffers)):
            return True
        self._unsent = b"".join(buffers)[sent:]
        return False

    def push(self, buffers: list[Buffer]) -> int:
        """Give the socket as much as it takes now; bytes taken. Raises: ClientClosedError."""
        try:
            return self.sock.send(buffers[0]) if len(buffers) == 1 else self.sock.sendmsg(buffers)
        except BlockingIOError:
            return 0
        except OSError:
            raise ClientClosedError("The client left.") from None

    async def drain(self) -> None:
        """Send what is kept. Raises: ClientClosedError."""
        before, begun, sent = self.deadline, self._clock(), 0
        unsent = memoryview(self._unsent)
        limits = self._limits
        while unsent:
            slowest = begun + limits.reader_s + sent / limits.reader_rate_min
            self.deadline = min(self._clock() + limits.reader_s, slowest)
            await trio.lowlevel.wait_writable(self.fd)
            taken = self.push([unsent])
            sent += taken
            unsent = unsent[taken:]
        self._unsent = b""
        self.deadline = before

    def last_words(self, data: bytes) -> None:
        """Say this if the socket takes it, and that it was the last."""
        with contextlib.suppress(ClientClosedError):
            self.push([data])
        self.half_close()

    def half_close(self) -> None:
        """Tell the client that nothing more comes."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket now."""
        self.sock.close()


class TlsTransfer(Transfer):
    """The same inside TLS."""

    def __init__(
        self, sock: socket.socket, limits: LimitSettings, clock: Callable[[], Seconds]
    ) -> None:
        super().__init__(sock, limits, clock)
        self._established = False

    @override
    async def establish(self, context: ssl.SSLContext | None) -> str:
        """Shake hands."""
        assert context is not None
        try:
            self.sock = sock = context.wrap_socket(
                self.sock, server_side=True, do_handshake_on_connect=False
            )
            await shake_hands(sock)
        except OSError as error:
            if getattr(error, "reason", "") == "HTTP_REQUEST":
                self._say_plainly(PLAIN_TO_TLS)
            raise ClientClosedError("No TLS.") from None
        self._established = True
        return sock.selected_alpn_protocol() or ""

    def _say_plainly(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            socket.socket.recv(
                self.sock, RECEIVE_BYTES
            )  # what is left unread would reset the answer
            socket.socket.send(self.sock, data)

    @override
    async def receive(self) -> bytes:
        while True:
            try:  # first, since a record that is decrypted already wakes nobody
                data = self.sock.recv(RECEIVE_BYTES)
            except (ssl.SSLWantReadError, BlockingIOError):  # the latter behind `half_close`
                await trio.lowlevel.wait_readable(self.fd)
                continue
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(self.fd)
                continue
            except OSError:
                data = b""
            if not data:
                raise ClientClosedError("The client left.")
            return data

    @override
    def push(self, buffers: list[Buffer]) -> int:
        data = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
        sent = 0
        try:
            while sent < len(data):
                sent += self.sock.send(data[sent : sent + RECORD_BYTES])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError:
            raise ClientClosedError("The client left.") from None
        return sent

    @override
    def last_words(self, data: bytes) -> None:
        if self._established:
            super().last_words(data)

    @override
    def half_close(self) -> None:
        self._notify()
        super().half_close()

    @override
    def close(self) -> None:
        self._notify()
        super().close()

    def _notify(self) -> None:
        """Say that the end is the end, and no attacker's cut (RFC 8446 6.1)."""
        if self._established:
            self._established = False
            with contextlib.suppress(OSError, ValueError):
                assert isinstance(self.sock, ssl.SSLSocket)
                self.sock.unwrap()
