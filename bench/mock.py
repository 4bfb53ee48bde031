"""A mock OpenAI upstream that costs a few microseconds per request: epoll and ready-made bytes.

It must be much faster than nginx, so that it is never what a round measures. It understands only
what a proxy sends it: requests with a Content-Length. `"stream":true` in the body asks for a
stream; the first part of the path picks how: `/v1` a write per event, at once, as real providers
do; `/burst/v1` in one write, `/utf8/v1` the same in other scripts; `/paced/v1` a write per event,
5 ms apart. `GET /stats` counts what it sent; any other GET is 200.
Run: `python -m bench.mock --port 0`; it prints `listening PORT`.
"""

import argparse
import gc
import heapq
import itertools
import re
import select
import socket
import time
from collections.abc import Iterator

from bench.replies import build

PACE_S = 0.005
"""Time between two events of a paced stream."""
RECV_BYTES = 65_536
HEAD_BYTES_MAX = 65_536
SECONDS_MAX = 3_600.0
"""The mock ends itself after this long, should its parent have died."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream" ?: ?true')
_BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection:
    """One accepted socket: bytes not yet parsed, bytes not yet sent, a stream being paced."""

    __slots__ = ("events", "fd", "inbox", "open", "outbox", "sock")

    def __init__(self, sock: socket.socket) -> None:
        """Own `sock`, which must not block."""
        self.sock = sock
        self.fd = sock.fileno()
        self.inbox = b""
        self.outbox = b""
        self.events: Iterator[bytes] | None = None
        self.open = True


class Mock:
    """The server: one epoll loop, one heap of paced streams by when they are due."""

    def __init__(self, listener: socket.socket) -> None:
        """Serve on `listener`, already listening."""
        listener.setblocking(False)
        self.listener = listener
        self.epoll = select.epoll()
        self.epoll.register(listener.fileno(), select.EPOLLIN)
        self.connections: dict[int, Connection] = {}
        self.due: list[tuple[float, int, Connection]] = []
        """When, a tie-breaker, whose."""
        self.requests = 0
        self.events_paced = 0
        self._ascii = itertools.cycle(build())
        self._utf8 = itertools.cycle(build(utf8=True))

    def run(self, until: float) -> None:
        """Serve until `until` on the monotonic clock."""
        clock, listening, due = time.monotonic, self.listener.fileno(), self.due
        while (now := clock()) < until:
            wait = max(0.0, due[0][0] - now) if due else 1.0
            for fd, mask in self.epoll.poll(wait, 512):
                if fd == listening:
                    self._accept()
                elif (conn := self.connections.get(fd)) is not None:
                    if mask & select.EPOLLOUT:
                        self._flush(conn)
                    elif mask:
                        self._read(conn)
            if due:
                self._pace(clock())

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = Connection(sock)
            self.connections[conn.fd] = conn
            self.epoll.register(conn.fd, select.EPOLLIN)

    def _close(self, conn: Connection) -> None:
        if conn.open:
            conn.open = False
            del self.connections[conn.fd]
            conn.sock.close()

    def _read(self, conn: Connection) -> None:
        try:
            data = conn.sock.recv(RECV_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(conn)
            return
        if conn.inbox:
            data = conn.inbox + data
        conn.inbox = data
        if conn.events is None:
            self._answer(conn)

    def _answer(self, conn: Connection) -> None:
        """Answer every whole request in the inbox, up to one that starts a paced stream."""
        while conn.inbox and conn.open and conn.events is None:
            data = conn.inbox
            end_head = data.find(b"\r\n\r\n")
            if end_head < 0:
                if len(data) > HEAD_BYTES_MAX:
                    self._refuse(conn)
                return
            found = _LENGTH.search(data, 0, end_head)
            if found is None and data[:4] != b"GET ":
                self._refuse(conn)
                return
            end = end_head + 4 + (int(found[1]) if found else 0)
            if len(data) < end:
                return
            conn.inbox = data[end:]
            self.requests += 1
            self._reply(conn, data, end_head, end)

    def _reply(self, conn: Connection, data: bytes, end_head: int, end: int) -> None:
        if data[:4] == b"GET ":
            self._send(conn, self._stats())
            return
        path = data.find(b" /") + 2
        kind = data[path : data.find(b"/", path)]
        replies = next(self._utf8 if kind == b"utf8" else self._ascii)
        if _STREAM.search(data, end_head, end) is None:
            self._send(conn, replies.plain)
        elif kind == b"paced":
            conn.events = iter(replies.paced)
            self._next_event(conn, time.monotonic())
        elif kind == b"v1":
            for event in replies.paced:
                self._send(conn, event)
        else:
            self._send(conn, replies.burst)

    def _stats(self) -> bytes:
        body = b'{"requests":%d,"events_paced":%d}' % (self.requests, self.events_paced)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % len(body) + body

    def _refuse(self, conn: Connection) -> None:
        self._send(conn, _BAD)
        self._close(conn)

    def _pace(self, now: float) -> None:
        """Send the next event of every stream that is due."""
        due = self.due
        while due and due[0][0] <= now:
            when, _, conn = heapq.heappop(due)
            if conn.open:
                self._next_event(conn, when)

    def _next_event(self, conn: Connection, when: float) -> None:
        assert conn.events is not None
        event = next(conn.events)
        self._send(conn, event)
        self.events_paced += 1
        if event.endswith(b"0\r\n\r\n"):
            conn.events = None
            self._answer(conn)
        else:
            heapq.heappush(self.due, (when + PACE_S, self.events_paced, conn))

    def _send(self, conn: Connection, data: bytes) -> None:
        if not conn.open:
            return
        if conn.outbox:
            conn.outbox += data
            return
        try:
            sent = conn.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(conn)
            return
        if sent < len(data):
            conn.outbox = data[sent:]
            self.epoll.modify(conn.fd, select.EPOLLIN | select.EPOLLOUT)

    def _flush(self, conn: Connection) -> None:
        data, conn.outbox = conn.outbox, b""
        self._send(conn, data)
        if conn.open and not conn.outbox:
            self.epoll.modify(conn.fd, select.EPOLLIN)


def main() -> None:
    """Listen on loopback, say where, serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.mock")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    mock = Mock(listener)
    print(f"listening {listener.getsockname()[1]}", flush=True)
    gc.collect()
    gc.freeze()
    gc.disable()
    mock.run(time.monotonic() + options.seconds)


if __name__ == "__main__":
    main()
