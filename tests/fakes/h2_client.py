"""A strict HTTP/2 client that takes the HTTP/1.1-shaped requests which tests build anyway.

    async with h2_client(url) as client:              # or h2_client(url, tls=context)
        reply = await client.ask(post(chat_body("maker/text")))

`ask` may run in several tasks at once: each is a stream. `send` begins a stream and `read` takes the
answers in the order of sending, as `tests.rig.Client` does. The `h2` library refuses what a server may
not send: connection-specific fields, upper case, bodies that differ from their Content-Length.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import trio

from tests.fakes.reply import ANSWER_S, READ_BYTES, Reply

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "host",
}
Stream = trio.abc.Stream


@dataclass
class Asked:
    """One request, and its answer as far as it has come."""

    reply: Reply = field(default_factory=Reply)
    over: trio.Event = field(default_factory=trio.Event)
    news: trio.Event = field(default_factory=trio.Event)
    reset: int | None = None
    """Error code, where the stream was reset."""
    missing: int = 0
    """Bytes of the body that are not sent yet."""


class Patient(h2.connection.H2Connection):
    """A client's state that lives on behind GOAWAY, as RFC 9113 6.8 wants and the library does not."""

    def _receive_goaway_frame(self, frame: Any) -> tuple[list[Any], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class H2Client:
    """One connection, many streams."""

    def __init__(self, stream: Stream, scheme: str, config: h2.config.H2Configuration) -> None:
        self.stream = stream
        self.scheme = scheme
        self.h2 = Patient(config=config)
        self.streams: dict[int, Asked] = {}
        self.order: list[int] = []
        self.over = trio.Event()
        """The connection has ended."""
        self.went_away: h2.events.ConnectionTerminated | None = None
        self.windows = trio.Event()
        self.acknowledge = True
        """False: DATA is taken in, but its room is not given back."""
        self._lock = trio.Lock()

    async def flush(self) -> None:
        """Send what h2 has to say."""
        async with self._lock:
            data = self.h2.data_to_send()
            if data:
                try:
                    await self.stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            while True:
                data = await self.stream.receive_some(READ_BYTES)
                if not data:
                    return
                for event in self.h2.receive_data(data):
                    self._handle(event)
                await self.flush()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            self.over.set()
            self.windows.set()
            for asked in self.streams.values():
                asked.over.set()
                asked.news.set()

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.went_away = event
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            self.windows.set()
            self.windows = trio.Event()
        asked = self.streams.get(getattr(event, "stream_id", None) or 0)
        if asked is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            asked.reply.informational += 1
        elif isinstance(event, h2.events.ResponseReceived):
            fields = [(name.decode(), value.decode()) for name, value in event.headers]
            asked.reply.status = int(fields[0][1])
            asked.reply.headers = dict(fields[1:])
        elif isinstance(event, h2.events.DataReceived):
            asked.reply.body += event.data
            if self.acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            asked.reply.whole = True
            asked.over.set()
        elif isinstance(event, h2.events.StreamReset):
            asked.reset = int(event.error_code)
            asked.over.set()
        asked.news.set()
        asked.news = trio.Event()

    async def send(self, data: bytes) -> int:
        """Begin a stream with this request and send its body; returns the stream's number.

        A body shorter than its Content-Length leaves the stream open: go on with `more`.
        """
        fields, body, missing = translated(data, self.scheme)
        stream_id = self.h2.get_next_available_stream_id()
        self.streams[stream_id] = Asked(missing=missing)
        self.order.append(stream_id)
        bare = not body and not missing
        self.h2.send_headers(stream_id, fields, end_stream=bare)
        await self.flush()
        if not bare:
            await self._upload(stream_id, body, end=not missing)
        return stream_id

    async def more(self, stream_id: int, data: bytes) -> None:
        """Send more of a body."""
        self.streams[stream_id].missing -= len(data)
        await self._upload(stream_id, data, end=not self.streams[stream_id].missing)

    async def _upload(self, stream_id: int, data: bytes, *, end: bool) -> None:
        asked = self.streams[stream_id]
        while True:
            if asked.over.is_set() or self.over.is_set():
                return
            window = self.h2.local_flow_control_window(stream_id)
            size = min(window, self.h2.max_outbound_frame_size, len(data))
            if size == 0 and data:
                with trio.move_on_after(0.05):
                    await self.windows.wait()
                continue
            self.h2.send_data(stream_id, data[:size], end_stream=end and size == len(data))
            data = data[size:]
            await self.flush()
            if not data:
                return

    async def reset(self, stream_id: int, code: int = int(h2.errors.ErrorCodes.CANCEL)) -> None:
        """Give a stream up."""
        self.h2.reset_stream(stream_id, code)
        self.streams[stream_id].over.set()
        await self.flush()

    async def ping(self) -> None:
        """Ask whether anybody is there."""
        self.h2.ping(b"anybody?")
        await self.flush()

    async def read(self, method: str = "POST") -> Reply:
        """The answer to the oldest request that was not read yet."""
        return await self.answer(self.order.pop(0))

    async def answer(self, stream_id: int) -> Reply:
        """The answer on this stream; not `whole` where it was reset or the connection ended."""
        with trio.fail_after(ANSWER_S):
            await self.streams[stream_id].over.wait()
        return self.streams[stream_id].reply

    async def ask(self, data: bytes, method: str = "POST") -> Reply:
        """Send, then read one answer."""
        stream_id = await self.send(data)
        self.order.remove(stream_id)
        return await self.answer(stream_id)

    async def body_of(self, stream_id: int, size: int) -> bytes:
        """The body of an answer once it has `size` bytes."""
        asked = self.streams[stream_id]
        with trio.fail_after(ANSWER_S):
            while len(asked.reply.body) < size and not asked.over.is_set():
                await asked.news.wait()
        return asked.reply.body

    async def ended(self) -> bool:
        """Whether the gateway ends this connection."""
        with trio.move_on_after(2):
            await self.over.wait()
        return self.over.is_set()


def translated(data: bytes, scheme: str) -> tuple[list[tuple[str, str]], bytes, int]:
    """(header fields, body, bytes of the body that are missing) of a request of HTTP/1.1."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = start.split(" ")
    pairs = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
    host = next((value for name, value in pairs if name == "host"), "localhost")
    fields = [(":method", method), (":scheme", scheme), (":authority", host), (":path", target)]
    fields += [(name, value) for name, value in pairs if name not in HOP_BY_HOP]
    if ("transfer-encoding", "chunked") in pairs:
        body = dechunked(body)
    length = next((int(v) for n, v in pairs if n == "content-length" and v.isdigit()), len(body))
    return fields, body, max(length - len(body), 0)


def dechunked(body: bytes) -> bytes:
    """The content of a chunked body."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        content, body = content + body[:count], body[count + 2 :]
    return content


async def open_stream(url: str) -> trio.SocketStream:
    """A connection to "http(s)://host:port" or "unix:/path", without TLS."""
    if url.startswith("unix:"):
        return await trio.open_unix_socket(url.removeprefix("unix:"))
    parts = urlsplit(url)
    return await trio.open_tcp_stream(parts.hostname or "", parts.port or 0)


@asynccontextmanager
async def h2_client(
    url: str, *, tls: ssl.SSLContext | None = None, window: int | None = None, lax: bool = False
) -> AsyncIterator[H2Client]:
    """A fresh connection.

    Args:
        tls: context for "https" URLs; asks for "h2".
        window: initial flow-control window of each stream, bytes; None: the default.
        lax: send what is malformed.
    """
    stream: Stream = await open_stream(url)
    if tls is not None:
        secured = trio.SSLStream(stream, tls, server_hostname="localhost", https_compatible=True)
        await secured.do_handshake()
        assert secured.selected_alpn_protocol() == "h2"
        stream = secured
    config = h2.config.H2Configuration(
        client_side=True, header_encoding=None,
        validate_outbound_headers=not lax, normalize_outbound_headers=not lax,
    )  # fmt: skip
    client = H2Client(stream, "https" if tls else "http", config)
    client.h2.initiate_connection()
    if window is not None:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    async with stream, trio.open_nursery() as nursery:
        await client.flush()
        nursery.start_soon(client.run)
        yield client
        nursery.cancel_scope.cancel()
