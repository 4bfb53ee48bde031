"""One connection to a provider: dialled, sent on and read from in steps that survive interruption.

Every wait is a single `wait_readable` or `wait_writable` with all progress kept in the object, so a
caller may cancel any step and go on later where it stopped.

Rule 1: one owner at a time. Rule 2: sockets never block. Rule 3: `close` always works, at once.
"""

import contextlib
import math
import select
import socket
import ssl
from collections.abc import Awaitable, Callable

import trio

from proxy.errors import UpstreamUnavailableError
from proxy.net.dialling import Dialling
from proxy.net.proxies import Tunnel
from proxy.net.tls import shake_hands
from proxy.wire.body import BodyReader, FramingError

RECEIVE_BYTES = 65_536
"""Read at once. `recv` allocates this much and gives back what it did not fill; 0.3 us."""

TAIL_S = 0.05
"""How long the end of a reply's framing may come behind its terminator, seconds; usually none."""

Dialler = Callable[[], socket.socket]
"""Makes a connected socket without the network: the sandbox, an application's own transport."""


class Connection:
    """A socket and how far it has come."""

    __slots__ = (
        "_dialling", "_host", "_interrupted", "_poll", "_tls", "_tunnel", "_unsent", "deadline", "fd",
        "idle_since", "ready", "served", "sock", "tail",
    )  # fmt: skip

    def __init__(
        self, host: str, tls: ssl.SSLContext | None, sock: socket.socket | None = None,
        tunnel: Tunnel | None = None,
    ) -> None:  # fmt: skip
        self.sock = sock
        self.fd = -1 if sock is None else sock.fileno()
        self._host = host
        self._tls = tls
        self._dialling: Dialling | None = None
        self._tunnel = tunnel
        self.ready = sock is not None and tls is None and tunnel is None
        """Connected, through the proxy if there is one, TLS included."""
        self._unsent = memoryview(b"")
        self._interrupted = False
        self._poll: select.poll | None = None
        """Asked before the connection serves again."""
        self.deadline = math.inf
        """When `net.watch` is to interrupt a wait for bytes; seconds on the loop's clock."""
        self.served = 0
        """Replies read to their end on this connection."""
        self.tail: BodyReader | None = None
        """Of the last reply, if its framing had not ended."""
        self.idle_since = 0.0
        """Monotonic seconds."""

    @property
    def addressed(self) -> bool:
        """It is known where to dial, or nothing has to be dialled."""
        return self.sock is not None or self._dialling is not None

    def dial(self, dialling: Dialling) -> None:
        """Say where the peer is."""
        self._dialling = dialling

    async def establish(self) -> None:
        """Connect, pass the proxy, shake hands; resumable. Raises: UpstreamUnavailableError."""
        if self.sock is None:
            assert self._dialling is not None
            self.sock = await self._dialling.connect()
            self.fd = self.sock.fileno()
            self._dialling = None
        if self._tunnel is not None:
            await self._tunnel.open(self.sock)
            self._tunnel = None
        if self._tls is not None:
            await self._shake_hands(self._tls)
        self.ready = True

    async def _shake_hands(self, tls: ssl.SSLContext) -> None:
        assert self.sock is not None
        try:
            if not isinstance(self.sock, ssl.SSLSocket):
                self.sock = tls.wrap_socket(
                    self.sock, server_hostname=self._host, do_handshake_on_connect=False
                )
            await shake_hands(self.sock)
        except (OSError, ValueError) as error:  # ValueError: not a name that TLS knows
            reason = getattr(error, "verify_message", "") or "handshake failed"
            raise UpstreamUnavailableError(f"Provider's TLS is not acceptable: {reason}.") from None

    def queue(self, data: bytes) -> None:
        """Set what `flush` sends."""
        self._unsent = memoryview(data)

    async def flush(self) -> None:
        """Send what is queued; resumable. Raises: InterruptedError, other OSErrors."""
        assert self.sock is not None
        while self._unsent:
            try:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._until(trio.lowlevel.wait_writable)
            except ssl.SSLWantReadError:
                await self._until(trio.lowlevel.wait_readable)

    async def receive(self) -> bytes:
        """Wait for bytes and return them; empty at the end of the connection.

        Raises: InterruptedError where `interrupt` was called; other OSErrors.
        """
        sock = self.sock
        assert sock is not None
        while True:
            if self._tls is None or not self._pending():
                await self._until(trio.lowlevel.wait_readable)
            try:
                return sock.recv(RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except ssl.SSLWantWriteError:
                await self._until(trio.lowlevel.wait_writable)
            except ssl.SSLEOFError:
                return b""

    async def _until(self, ready: Callable[[int], Awaitable[None]]) -> None:
        """Wait, unless or until `interrupt` is called. Raises: InterruptedError."""
        if not self._interrupted:
            try:
                await ready(self.fd)
            except trio.ClosedResourceError:  # how `notify_closing` wakes a task
                self._interrupted = True
            else:
                return
        self._interrupted = False
        raise InterruptedError

    def interrupt(self) -> None:
        """End the wait for bytes, now or at the next one; the connection stays as it is."""
        self._interrupted = True
        if self.sock is not None:
            trio.lowlevel.notify_closing(self.fd)

    def _pending(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    async def await_tail(self) -> None:
        """Wait until the end of the last reply's framing may be here, at most TAIL_S."""
        if self.tail is not None:
            with trio.move_on_after(TAIL_S):
                await trio.lowlevel.wait_readable(self.fd)

    def looks_alive(self) -> bool:
        """False if the peer closed or sent something unasked while the connection was idle.

        What was asked for is the end of the last reply's framing, which may come in a packet of its
        own behind the terminator.
        """
        assert self.sock is not None
        if self.tail is not None and not self._finish_tail(self.tail):
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fd, select.POLLIN)
        if not self._poll.poll(0) and not self._pending():  # an exception of `recv` takes 1 us
            return True
        try:
            # OpenSSL cannot peek at what it has not read; a session ticket is read and leaves us waiting.
            self.sock.recv(1, socket.MSG_PEEK if self._tls is None else 0)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _finish_tail(self, tail: BodyReader) -> bool:
        """Read the last reply's end, if it is here."""
        assert self.sock is not None
        self.tail = None
        try:
            while not tail.done:
                data = self.sock.recv(RECEIVE_BYTES)
                if not data or any(start < end for start, end in tail.feed(data)[1]):
                    return False
        except (OSError, FramingError):  # nothing has come, or nothing good
            return False
        return not tail.leftover

    def close(self) -> None:
        """Close the socket now; what was queued or unread is dropped."""
        self.ready = False
        if self._dialling is not None:
            self._dialling.close()
            self._dialling = None
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.close()
            self.sock = None
            self.fd = -1
