"""A mock of OpenAI and Anthropic that costs a few microseconds per request: epoll and ready-made bytes.

It must be much faster than nginx, so that it is never what a round measures. It understands only
what a proxy sends it: requests with a Content-Length. `"stream":true` in the body asks for a
stream; the path picks how: `/v1` a write per event, at once, as real providers do; `/burst/v1` in
one write, `/utf8/v1` the same in other scripts; `/paced/v1` a write per event, 20 ms apart. A path
that ends in `/messages` is answered in Anthropic's dialect, a write per event.

Words in the text of a paced request change its stream. `leaver-` and ten digits: five seconds long, for the client
means to leave; `GET /left` says which of those connections were closed, and when on the monotonic clock.
`idler-`: one event, and then nothing for an hour.
`GET /stats` counts what was sent; any other GET is that, too.
Run: `python -m bench.mock --port 0`; it prints `listening PORT`.
"""

import argparse
import gc
import heapq
import itertools
import json
import re
import resource
import select
import socket
import time
from collections.abc import Iterable, Iterator

from bench.replies import CHUNKS_CONTENT, Replies, build

PACE_S = 0.020
"""Time between two events of a paced stream."""
LEAVER = b"leaver-"
LEAVER_DIGITS = 10
IDLER = b"idler-"
IDLE_S = 3_600.0
EVENTS_EXTRA = 250
"""What a stream for somebody who leaves has more: at this pace, five seconds."""
RECV_BYTES = 262_144
HEAD_BYTES_MAX = 65_536
SECONDS_MAX = 3_600.0
"""The mock ends itself after this long, should its parent have died."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream" ?: ?true')
_BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection:
    """One accepted socket: bytes not yet parsed, bytes not yet sent, a stream being paced."""

    __slots__ = ("events", "fd", "inbox", "leaver", "open", "outbox", "pace_s", "sock")

    def __init__(self, sock: socket.socket) -> None:
        """Own `sock`, which must not block."""
        self.sock = sock
        self.fd = sock.fileno()
        self.inbox = b""
        self.outbox = b""
        self.events: Iterator[bytes] | None = None
        self.leaver: int | None = None
        self.pace_s = PACE_S
        self.open = True


class Mock:
    """The server: one epoll loop, one heap of paced streams by when they are due."""

    def __init__(self, listener: socket.socket, replies: Iterable[Replies] | None = None) -> None:
        """Serve on `listener`, already listening; say `replies` in turn, or what `build` makes."""
        listener.setblocking(False)
        self.listener = listener
        self.epoll = select.epoll()
        self.epoll.register(listener.fileno(), select.EPOLLIN)
        self.connections: dict[int, Connection] = {}
        self.due: list[tuple[float, int, Connection]] = []
        """When, a tie-breaker, whose."""
        self.requests = 0
        self.events_paced = 0
        self.left: dict[int, float] = {}
        """When those who meant to leave were found gone."""
        self._ascii = itertools.cycle(replies or build())
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
            if conn.leaver is not None:
                self.left[conn.leaver] = time.monotonic()
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
            self._send(conn, self._left() if data[4:9] == b"/left" else self._stats())
            return
        path = data.find(b" /") + 2
        kind = data[path : data.find(b"/", path)]
        replies = next(self._utf8 if kind == b"utf8" else self._ascii)
        anthropic = data.find(b"/messages", path, data.find(b"\r\n", path)) > 0
        stream = data.find(b'"stream"', end_head, end)  # far faster in a long body than a pattern
        if stream < 0 or _STREAM.match(data, stream, end) is None:
            self._send(conn, replies.message if anthropic else replies.plain)
        elif kind == b"paced":
            conn.events = self._paced(conn, replies.paced, data[end_head:end])
            self._next_event(conn, time.monotonic())
        elif kind == b"v1":
            for event in replies.message_paced if anthropic else replies.paced:
                self._send(conn, event)
        else:
            self._send(conn, replies.burst)

    def _paced(self, conn: Connection, writes: tuple[bytes, ...], body: bytes) -> Iterator[bytes]:
        conn.pace_s = IDLE_S if IDLER in body else PACE_S
        at = body.find(LEAVER)
        if at < 0:
            return iter(writes)
        at += len(LEAVER)
        conn.leaver = int(body[at : at + LEAVER_DIGITS])
        more = itertools.islice(itertools.cycle(writes[1:CHUNKS_CONTENT]), EVENTS_EXTRA)
        return itertools.chain(writes[:CHUNKS_CONTENT], more, writes[CHUNKS_CONTENT:])

    def _left(self) -> bytes:
        return _json(json.dumps(self.left).encode())

    def _stats(self) -> bytes:
        counts = {"requests": self.requests, "events_paced": self.events_paced}
        return _json(json.dumps(counts).encode())

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
            conn.events = conn.leaver = None
            self._answer(conn)
        else:
            heapq.heappush(self.due, (when + conn.pace_s, self.events_paced, conn))

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


def _json(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def main() -> None:
    """Listen on loopback, say where, serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.mock")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listener = socket.create_server(("127.0.0.1", options.port), backlog=4096)
    mock = Mock(listener)
    print(f"listening {listener.getsockname()[1]}", flush=True)
    gc.collect()
    gc.freeze()
    gc.disable()
    mock.run(time.monotonic() + options.seconds)


if __name__ == "__main__":
    main()
