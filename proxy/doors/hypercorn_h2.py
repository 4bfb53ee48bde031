"""Hypercorn's HTTP/2 over one handed-over socket, with what it lacks against hostile peers.

What is Hypercorn's: the translation between h2's events and ASGI, priorities and flow control of what
we send. What is ours here: who may open a stream, how a stream and a connection end, all deadlines.

Rule 1: bytes reach h2 only after `floods.FloodGuard` let them pass.
Rule 2: a stream that ended on our side ends for the peer as well, within LINGER_S.
Rule 3: nothing here shields itself: cancelling the connection ends it at once.
"""

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import trio
from h2.errors import ErrorCodes
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import (
    Body,
    EndBody,
    Event as StreamEvent,
    Request,
    Response,
    StreamClosed,
)
from hypercorn.protocol.h2 import BUFFER_LOW_WATER, H2Protocol, StreamBuffer
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import (
    AppWrapper,
    ASGIReceiveEvent,
    ASGISendEvent,
    ConnectionState,
    Event as IOEvent,
    Scope,
)
from hypercorn.utils import filter_pseudo_headers, parse_socket_addr
from hyperframe.frame import GoAwayFrame
from typing_extensions import override

from proxy.config.settings import LimitSettings
from proxy.doors.floods import FloodError, FloodGuard
from proxy.doors.handover import HandedStream
from proxy.errors import ClientClosedError
from proxy.units import Seconds

log = logging.getLogger("hedgerow.h2")

METHOD_SHAPE = re.compile(rb"[A-Za-z]{1,32}")
PATH_SHAPE = re.compile(rb"[/*][\x21-\x7e]{0,16383}")
LINGER_S = 1.0
"""How long the rest of a body is taken in and dropped after an early answer."""
HEADER_EXCESS = 2
"""Header lists up to this many times `head_bytes_max` are decoded, to be answered 431."""
Ending: TypeAlias = Literal["", "left", "drained", "idle", "slow", "malformed", "flood"]
"""Why a connection ended; "left": the peer went, or we were cancelled."""
ERROR_CODES: dict[Ending, ErrorCodes] = {
    "slow": ErrorCodes.ENHANCE_YOUR_CALM,
    "flood": ErrorCodes.ENHANCE_YOUR_CALM,
    "malformed": ErrorCodes.PROTOCOL_ERROR,
}


class Tasks(TaskGroup):
    """The tasks of one connection."""

    @override
    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:  # fmt: skip
        """Run the application; returns how it is told things, which never waits for one that ended."""
        give, take = trio.open_memory_channel[ASGIReceiveEvent](config.max_app_queue_size)

        async def put(event: ASGIReceiveEvent) -> None:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await give.send(event)

        async def run() -> None:
            with give, take:
                await app(scope, take.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
            await send(None)

        self.spawn(run)
        return put

    def cancel(self) -> None:
        """End them all."""
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()


class SteadyBuffer(StreamBuffer):
    """A stream's unsent bytes: whoever adds to it waits until they are sent, also at a closed window.

    Whoever ends it waits until the end is sent: that all bytes before it are sent says nothing.
    """

    def __init__(self, event_class: type[IOEvent]) -> None:
        super().__init__(event_class)
        self._ended = trio.Event()

    def end(self) -> None:
        """The last frame is on its way."""
        self._ended.set()

    @override
    async def drain(self) -> None:
        await self._ended.wait()

    @override
    async def close(self) -> None:
        self._ended.set()
        await super().close()

    @override
    async def pop(self, max_length: int) -> bytes:
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


class H2(H2Protocol):
    """The streams of one connection."""

    def __init__(
        self, app: AppWrapper, config: Config, tasks: Tasks, stream: HandedStream,
        send: Callable[[Event], Awaitable[None]], limits: LimitSettings,
    ) -> None:  # fmt: skip
        """Speak over `stream` by way of `send`."""
        family, name, peer = (
            stream.sock.family,
            stream.sock.getsockname(),
            stream.sock.getpeername(),
        )
        super().__init__(
            app, config, WorkerContext(None), tasks, ConnectionState({}), stream.tls,
            parse_socket_addr(family, peer), parse_socket_addr(family, name), send,
        )  # fmt: skip
        self.connection = connection_within(limits)
        self.leaving = False
        """GOAWAY is sent: no stream is opened any more."""
        self._requests_left = limits.requests_per_connection_max
        self._unread: set[int] = set()
        """Streams whose request has not ended."""
        self._unanswered: set[int] = set()
        """Streams whose reply has not ended."""

    @override
    async def handle(self, event: Event) -> None:
        if not isinstance(event, Closed):
            await super().handle(event)

    def farewell(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> bytes:
        """GOAWAY, naming the last stream that is served; h2's own would end the running streams."""
        self.leaving = True
        last = self.connection.highest_inbound_stream_id
        return GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()

    @override
    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                await self._open(event)
            elif isinstance(event, h2.events.DataReceived):
                assert event.stream_id is not None
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    await stream.handle(Body(event.stream_id, event.data or b""))
                length = event.flow_controlled_length or 0
                self.connection.acknowledge_received_data(length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                assert event.stream_id is not None
                self._unread.discard(event.stream_id)
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    await stream.handle(EndBody(event.stream_id))
            elif isinstance(event, h2.events.StreamReset):
                assert event.stream_id is not None
                self._unread.discard(event.stream_id)
                self._unanswered.discard(event.stream_id)
                await self._abandon(event.stream_id)
                await self._after_stream()
            elif isinstance(event, h2.events.WindowUpdated):
                await self._window_updated(event.stream_id)
            elif isinstance(event, h2.events.RemoteSettingsChanged):
                if h2.settings.SettingCodes.INITIAL_WINDOW_SIZE in event.changed_settings:
                    await self._window_updated(None)
            elif isinstance(event, h2.events.ConnectionTerminated):
                await self.send(Closed())
        await self._flush()

    async def _open(self, request: h2.events.RequestReceived) -> None:
        """A request begins."""
        stream_id = request.stream_id
        assert stream_id is not None
        if self.leaving:
            self._reset(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        head = dict(request.headers or ())
        method, path = bytes(head.get(b":method", b"")), bytes(head.get(b":path", b""))
        if not METHOD_SHAPE.fullmatch(method) or not PATH_SHAPE.fullmatch(path):
            self._reset(stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        self._unread.add(stream_id)
        self._unanswered.add(stream_id)
        self._requests_left -= 1
        stream = HTTPStream(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client,
            self.server, self.stream_send, stream_id,
        )  # fmt: skip
        self.streams[stream_id] = stream
        self.stream_buffers[stream_id] = SteadyBuffer(self.context.event_class)
        self.priority.insert_stream(stream_id)
        self.priority.block(stream_id)
        fields = [(bytes(name), bytes(value)) for name, value in request.headers or ()]
        await stream.handle(
            Request(
                stream_id=stream_id, headers=filter_pseudo_headers(fields), http_version="2",
                method=method.decode("ascii"), raw_path=path, state=self.connection_state,
            )
        )  # fmt: skip
        await self.send(Updated(idle=False))
        if not self._requests_left:
            await self.send(RawData(self.farewell()))

    @override
    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed):
            await self._close(event.stream_id)
        elif isinstance(event, Response):
            fields = [(b":status", b"%d" % event.status_code), *event.headers]
            with contextlib.suppress(h2.exceptions.ProtocolError):  # ended meanwhile
                self.connection.send_headers(event.stream_id, fields)
            # It leaves with the first piece of the body, which follows at once.
        elif not isinstance(event, Request):  # we push nothing
            await super().stream_send(event)

    async def _close(self, stream_id: int) -> None:
        """The application is done with a stream."""
        await self._abandon(stream_id)
        if stream_id in self._unanswered:
            self._reset(stream_id, ErrorCodes.INTERNAL_ERROR)
        elif stream_id in self._unread:
            self.task_group.spawn(self._linger, stream_id)
        await self._flush()
        await self._after_stream()

    async def _after_stream(self) -> None:
        if not self.streams:
            await self.send(Updated(idle=True))

    async def _linger(self, stream_id: int) -> None:
        """The rest of a body that nobody wants is dropped for a moment, then stopped."""
        await trio.sleep(LINGER_S)
        if stream_id in self._unread:
            self._reset(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113 8.1
            await self._flush()

    async def _abandon(self, stream_id: int) -> None:
        """Forget what was to be sent, and tell the application that nobody listens."""
        buffer = self._forget(stream_id)
        if buffer is not None:
            await buffer.close()
        await self._close_stream(stream_id)

    def _forget(self, stream_id: int) -> StreamBuffer | None:
        buffer = self.stream_buffers.pop(stream_id, None)
        if buffer is not None:
            self.priority.remove_stream(stream_id)
        return buffer

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        self._unread.discard(stream_id)
        self._unanswered.discard(stream_id)
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self.connection.reset_stream(stream_id, code)

    @override
    async def _send_data(self, stream_id: int) -> None:
        buffer = self.stream_buffers[stream_id]
        try:
            window = self.connection.local_flow_control_window(stream_id)
            data = await buffer.pop(max(0, min(window, self.connection.max_outbound_frame_size)))
            if data or buffer.complete:
                self.connection.send_data(stream_id, data, end_stream=buffer.complete)
            else:
                self.priority.block(stream_id)
        except h2.exceptions.ProtocolError:  # the stream or the connection ended meanwhile
            self._forget(stream_id)
            await buffer.close()
        else:
            if buffer.complete:
                self._unanswered.discard(stream_id)
                self._forget(stream_id)
                assert isinstance(buffer, SteadyBuffer)
                buffer.end()
        await self._flush()


def connection_within(limits: LimitSettings) -> h2.connection.H2Connection:
    """The state of one connection of ours, with our settings."""
    codes = h2.settings.SettingCodes
    connection = h2.connection.H2Connection(
        config=h2.config.H2Configuration(client_side=False, header_encoding=None)
    )
    connection.local_settings = h2.settings.Settings(
        client=False,
        initial_values={
            codes.MAX_CONCURRENT_STREAMS: limits.streams_per_connection_max,
            codes.MAX_HEADER_LIST_SIZE: limits.head_bytes_max,
        },
    )
    connection.decoder.max_header_list_size = HEADER_EXCESS * limits.head_bytes_max
    return connection


class H2Server(TCPServer):
    """One connection, from the first byte to the last."""

    stream: HandedStream  # type: ignore[assignment]  # all that is used of a stream is ours
    protocol: H2  # type: ignore[assignment]

    def __init__(
        self, app: AppWrapper, config: Config, stream: HandedStream, limits: LimitSettings,
        clock: Callable[[], Seconds],
    ) -> None:  # fmt: skip
        """Serve `app` over `stream`."""
        super().__init__(app, config, WorkerContext(None), {}, stream)  # type: ignore[arg-type]
        self.ending: Ending = ""
        self._limits = limits
        self._clock = clock
        self._guard = FloodGuard(limits, clock())
        self._scope = trio.CancelScope(deadline=clock() + limits.head_time_s)
        self._tasks = Tasks()
        self.protocol = H2(app, config, self._tasks, stream, self.protocol_send, limits)

    def end(self, ending: Ending) -> None:
        """Stop; the first reason counts."""
        self.ending = self.ending or ending
        self.protocol.closed = True
        self._scope.cancel()

    def go_away(self) -> None:
        """Finish the running streams and open no others."""
        if not self.protocol.leaving and not self.ending:
            self.stream.put(self.protocol.farewell())
        if not self.protocol.streams:
            self._tasks.spawn(self._leave)

    async def _leave(self) -> None:
        await self.stream.wait_sent()
        self.end("drained")

    @override
    async def run(self) -> None:
        """Serve until one side has had enough; `ending` says which."""
        with self._scope:
            async with self._tasks:
                self._tasks.spawn(self._write)
                await self.protocol.initiate()
                await self._read_data()
                self._tasks.cancel()
        if not self.ending:
            self.ending = "idle" if self._guard.greeted else "slow"
        if self.ending != "left":
            code = ERROR_CODES.get(self.ending, ErrorCodes.NO_ERROR)
            self.stream.farewell(b"" if self.protocol.leaving else self.protocol.farewell(code))
            await self.stream.linger()

    async def _write(self) -> None:
        try:
            await self.stream.write_out()
        except ClientClosedError:
            self.end("slow")

    @override
    async def _read_data(self) -> None:
        while not self.ending:
            data = await self.stream.receive_some()
            if not data:
                self.end("left")
                return
            greeted = self._guard.greeted
            try:
                self._guard.received(data, self._clock())
            except FloodError as error:
                self._cut(error)
                return
            if self._guard.greeted and not greeted:
                self._scope.deadline = self._clock() + self._limits.idle_connection_s
            await self.protocol.handle(RawData(data))

    def _cut(self, error: FloodError) -> None:
        log.info("an HTTP/2 connection is cut: %s", error)
        self.end("malformed" if error.kind == "malformed" else "flood")

    @override
    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            self.stream.put(event.data)  # before anything that may be cancelled
            try:
                self._guard.sent(event.data, self._clock())
            except FloodError as error:
                self._cut(error)
            await self.stream.wait_room()
        elif isinstance(event, Closed):
            self.end("malformed")
        elif isinstance(event, Updated):
            self._count_idle(idle=event.idle)

    def _count_idle(self, *, idle: bool) -> None:
        """Without a stream the connection's time is limited."""
        if not idle:
            self._scope.deadline = float("inf")
            return
        self._scope.deadline = self._clock() + self._limits.idle_connection_s
        if self.protocol.leaving:
            self._tasks.spawn(self._leave)
