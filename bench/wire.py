"""One keep-alive connection of a Python client, and the reply it is reading.

Rule 1: while time is measured a reply is only kept; `checks.judge_raw` reads it when the stretch is over.
Rule 2: a reply that came without framing is not waited for: it is wrong.
"""

import select
import socket

from bench.peers.peer import HOST, BenchError

RECV_BYTES = 262_144
CONNECT_S_MAX = 10.0
_LAST_CHUNK = b"0\r\n\r\n"


class Wire:
    """A connection; it can have one request on its way."""

    __slots__ = ("_left", "_parts", "_port", "_tail", "began", "done", "owner", "sock")

    def __init__(self, port: int) -> None:
        """Connect."""
        self._port = port
        self.owner = 0
        """A number the client may use."""
        self._parts: list[bytes] = []
        self._tail = b""
        self._left: int | None = None
        """Bytes of the body still to come; negative: it is chunked; None: the head is not whole."""
        self.began = 0.0
        self.done = True
        """The reply is whole, or nothing was asked."""
        self._connect()

    def _connect(self) -> None:
        self.sock = socket.create_connection((HOST, self._port), timeout=CONNECT_S_MAX)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)

    def ask(self, request: bytes, began: float) -> None:
        """Send a request; the clock of its reply starts at `began`."""
        self._parts, self._tail, self._left = [], b"", None
        self.began, self.done = began, False
        sent = self.sock.send(request)
        if sent < len(request):  # a long document: loopback takes the rest at once
            self.sock.setblocking(True)
            self.sock.sendall(request[sent:])
            self.sock.setblocking(False)

    def read(self) -> bytes:
        """What a read brought of the body; empty while it is still the head.

        Raises: BenchError where the connection ended within a reply, or a reply has no framing.
        """
        data = self.sock.recv(RECV_BYTES)
        if not data:
            raise BenchError(f"the connection was closed within a reply: {self.raw()[-200:]!r}")
        self._parts.append(data)
        if self._left is None:
            data = self._head()
        if self._left is None:
            return b""
        if self._left < 0:
            self._tail = (self._tail + data)[-5:]
            self.done = self._tail == _LAST_CHUNK
        else:
            self._left -= len(data)
            self.done = self._left <= 0
        return data

    def _head(self) -> bytes:
        """Look at the head once it is whole; what of the body came with it."""
        head, found, body = self.raw().partition(b"\r\n\r\n")
        if not found:
            return b""
        fields = head.lower() + b"\r\n"
        _, known, rest = fields.partition(b"\r\ncontent-length:")
        if known:
            self._left = int(rest.partition(b"\r\n")[0])
        elif b"\r\ntransfer-encoding: chunked\r\n" in fields:
            self._left = -1
        else:
            raise BenchError(f"a reply without framing: {head[:300]!r}")
        return body

    def raw(self) -> bytes:
        """All that came of the reply."""
        return b"".join(self._parts)

    def renew(self, epoll: select.epoll) -> None:
        """Connect anew; a server may close a connection that nothing is asked on."""
        self.close(epoll)
        self._connect()
        epoll.register(self.sock.fileno(), select.EPOLLIN)

    def close(self, epoll: select.epoll) -> None:
        """Let go of it."""
        epoll.unregister(self.sock.fileno())
        self.sock.close()


def wait(epoll: select.epoll, seconds: float) -> list[int]:
    """Descriptors that are ready; `select` counts microseconds where `epoll` counts milliseconds."""
    if seconds > 0:
        select.select([epoll], [], [], min(seconds, 0.1))
    return [fd for fd, _ in epoll.poll(0, 1024)]
