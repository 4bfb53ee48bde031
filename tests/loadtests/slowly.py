"""A provider in a thread that streams at known times: head and role at once, content after `FIRST_S`, then every `GAP_S`."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from loadtests import stamps

FIRST_S = 0.3
GAP_S = 0.1
PIECES = 4


def chunk(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
    """A chunk's document."""
    return {"id": "chat-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def event(document: dict[str, object]) -> bytes:
    """A document as an event."""
    return b"data: %b\n\n" % json.dumps(document, separators=(",", ":")).encode()


def spoken(nonce: str) -> list[bytes]:
    """Role, `PIECES` pieces, finish, usage, [DONE]."""
    pieces = [stamps.piece("steady", nonce, n, FIRST_S) for n in range(PIECES)]
    usage = {"id": "chat-1", "choices": [], "usage": {"completion_tokens": PIECES}}
    return [
        event(chunk({"role": "assistant", "content": ""})),
        *(event(chunk({"content": piece})) for piece in pieces),
        event(chunk({}, "stop")),
        event(usage),
        b"data: [DONE]\n\n",
    ]


class Speaker(BaseHTTPRequestHandler):
    """Answers any POST."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Stream."""
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        role, *rest = spoken(stamps.asked(text))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        began = time.monotonic()
        self._write(role)
        for number, piece in enumerate(rest):
            due = began + FIRST_S + GAP_S * min(number, PIECES - 1)
            time.sleep(max(0.0, due - time.monotonic()))
            self._write(piece)
        self._write(b"")

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[int]:
    """Listen on a port of loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Speaker) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
