"""A little HTTP/3 client on trio over aioquic, with the same use as `tests.fakes.h2_client`."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import trio
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamReset

from tests.fakes.h2_client import Asked, translated
from tests.rig import ANSWER_S, Reply


class H3Client:
    """One connection, many streams."""

    def __init__(
        self, sock: trio.socket.SocketType, port: int, configuration: QuicConfiguration
    ) -> None:
        self.sock = sock
        self.server = ("127.0.0.1", port)
        self.quic = QuicConnection(configuration=configuration)
        self.h3 = H3Connection(self.quic)
        self.streams: dict[int, Asked] = {}
        self.ready = trio.Event()
        self.over = trio.Event()
        self.terminated: ConnectionTerminated | None = None
        self.reading = True

    async def flush(self) -> None:
        """Send what is to be sent."""
        for data, address in self.quic.datagrams_to_send(now=trio.current_time()):
            await self.sock.sendto(data, address)

    async def run(self) -> None:
        """Read until the connection ends."""
        self.quic.connect(self.server, now=trio.current_time())
        await self.flush()
        while not self.over.is_set():
            timer = self.quic.get_timer()
            with trio.move_on_at(inf if timer is None else timer) as patience:
                data, address = await self.sock.recvfrom(65_536)
                if self.reading:
                    self.quic.receive_datagram(data, address, now=trio.current_time())
            if patience.cancelled_caught:
                self.quic.handle_timer(now=trio.current_time())
            while (event := self.quic.next_event()) is not None:
                self._handle(event)
            await self.flush()

    def _handle(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.ready.set()
        elif isinstance(event, ConnectionTerminated):
            self.terminated = event
            self.over.set()
            for asked in self.streams.values():
                asked.over.set()
                asked.news.set()
        elif isinstance(event, StreamReset) and event.stream_id in self.streams:
            self.streams[event.stream_id].reset = event.error_code
            self.streams[event.stream_id].over.set()
        for told in self.h3.handle_event(event):
            asked = self.streams.get(told.stream_id)
            if asked is None:
                continue
            if isinstance(told, HeadersReceived):
                fields = {name.decode(): value.decode() for name, value in told.headers}
                asked.reply.status = int(fields.pop(":status"))
                asked.reply.headers = fields
            elif isinstance(told, DataReceived):
                asked.reply.body += told.data
            if getattr(told, "stream_ended", False):
                asked.reply.whole = True
                asked.over.set()
            asked.news.set()
            asked.news = trio.Event()

    async def send(self, data: bytes) -> int:
        """Begin a stream with this HTTP/1.1-shaped request; returns the stream's number."""
        with trio.fail_after(ANSWER_S):
            await self.ready.wait()
        pairs, body, missing = translated(data, "https")
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        stream_id = self.quic.get_next_available_stream_id()
        self.streams[stream_id] = Asked(missing=missing)
        bare = not body and not missing
        self.h3.send_headers(stream_id, fields, end_stream=bare)
        if not bare:
            self.h3.send_data(stream_id, body, end_stream=not missing)
        await self.flush()
        return stream_id

    async def answer(self, stream_id: int) -> Reply:
        """The answer on this stream; not `whole` where it was reset or the connection ended."""
        with trio.fail_after(ANSWER_S):
            await self.streams[stream_id].over.wait()
        return self.streams[stream_id].reply

    async def ask(self, data: bytes) -> Reply:
        """Send, then read one answer."""
        return await self.answer(await self.send(data))

    async def reset(self, stream_id: int) -> None:
        """Give a stream up."""
        self.quic.reset_stream(stream_id, 0x10C)
        self.quic.stop_stream(stream_id, 0x10C)
        self.streams[stream_id].over.set()
        await self.flush()


@asynccontextmanager
async def h3_client(port: int, authority: bytes) -> AsyncIterator[H3Client]:
    """A fresh connection to "localhost"; `authority`: PEM of who signed its certificate."""
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN, server_name="localhost", verify_mode=ssl.CERT_REQUIRED
    )
    configuration.load_verify_locations(cadata=authority)
    sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    client = H3Client(sock, port, configuration)
    with sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            yield client
            nursery.cancel_scope.cancel()
