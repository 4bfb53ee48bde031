"""Hypercorn's HTTP/3 over one QUIC connection, with what it lacks against hostile peers.

What is Hypercorn's: the translation between aioquic's events and ASGI. What is ours: who may open a
stream, how a stream ends on either side, and that whoever sends waits for whoever reads.

Rule 1: the header compression keeps no table for the peer: a small block cannot become a large one.
Rule 2: a stream that ended on our side ends for the peer as well.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import pylsqpack
import trio
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import (
    ErrorCode,
    FrameType,
    H3Connection,
    ProtocolError,
    Setting,
    encode_frame,
)
from aioquic.h3.events import DataReceived, Headers, HeadersReceived
from aioquic.quic.connection import QuicConnection, stream_is_unidirectional
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset
from hypercorn.config import Config
from hypercorn.protocol.events import (
    Body,
    EndBody,
    Event as StreamEvent,
    Request,
    Response,
    StreamClosed,
)
from hypercorn.protocol.h3 import H3Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import filter_pseudo_headers
from typing_extensions import override

from proxy.config.settings import LimitSettings
from proxy.doors.floods import RESETS, Bucket
from proxy.doors.hypercorn_h2 import METHOD_SHAPE, PATH_SHAPE, Tasks
from proxy.units import Seconds

UNSENT_BYTES_MAX = 131_072
"""Bytes of one stream that the peer has not acknowledged; above them, whoever sends waits."""
HEAD_SLACK_BYTES = 65_536
"""What may come with a head in one piece."""
MAX_FIELD_SECTION_SIZE = 0x6
"""Setting of RFC 9114 7.2.4.1."""
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """What all connections of a listener have in common."""

    config: Config
    limits: LimitSettings
    clock: Callable[[], Seconds]
    server: Address | None
    """Where we listen."""


class TooMuchError(ProtocolError):
    """More of something than an honest client needs."""

    error_code = ErrorCode.H3_EXCESSIVE_LOAD


class Frames(H3Connection):
    """HTTP/3's frames: aioquic's, without a table for the peer's header compression."""

    def __init__(self, quic: QuicConnection, head_bytes_max: int) -> None:
        self._head_bytes_max = head_bytes_max
        super().__init__(quic)
        self._decoder = pylsqpack.Decoder(0, 0)

    @override
    def _get_local_settings(self) -> dict[int, int]:
        return {
            Setting.QPACK_MAX_TABLE_CAPACITY: 0,
            Setting.QPACK_BLOCKED_STREAMS: 0,
            MAX_FIELD_SECTION_SIZE: self._head_bytes_max,
        }

    @override
    def _decode_headers(self, stream_id: int, frame_data: bytes | None) -> Headers:
        if len(frame_data or b"") > self._head_bytes_max:
            raise TooMuchError("an endless header block")
        return super()._decode_headers(stream_id, frame_data)

    def go_away(self, first_refused: int) -> None:
        """Tell the peer that streams from this number on are not served."""
        control = self._local_control_stream_id
        assert control is not None
        frame = encode_frame(FrameType.GOAWAY, encode_uint_var(first_refused))
        self._quic.send_stream_data(control, frame)


class H3(H3Protocol):
    """The requests of one connection."""

    connection: Frames  # type: ignore[mutable-override]  # set once, below

    def __init__(
        self, app: AppWrapper, tasks: Tasks, quic: QuicConnection, terms: Terms,
        *, client: Address, moved: Callable[[], None],
    ) -> None:  # fmt: skip
        """Speak over `quic`; `moved` is called when there is something to send."""

        async def send() -> None:
            moved()

        # Its own constructor would announce a second set of settings on this connection.
        self.app, self.config, self.context = app, terms.config, WorkerContext(None)
        self.client, self.server, self.send = client, terms.server, send
        self.streams = {}
        self.task_group = tasks
        self.state = ConnectionState({})
        self.connection = Frames(quic, terms.limits.head_bytes_max)
        self.leaving = False
        """GOAWAY is sent: no request is taken any more."""
        self.acknowledged = trio.Event()
        """Set, and replaced, when the peer may have taken something."""
        self._quic = quic
        self._limits = terms.limits
        self._clock = terms.clock
        self._resets = Bucket(RESETS, terms.clock())
        self._seen: set[int] = set()
        self._begun: dict[int, int] = {}
        """Streams without a head -> bytes received."""
        self._unread: set[int] = set()
        self._unanswered: set[int] = set()
        self._next = 0
        """Above every stream that was seen."""

    def go_away(self) -> None:
        """Take no further request."""
        if not self.leaving:
            self.leaving = True
            self.connection.go_away(self._next)

    @override
    async def handle(self, quic_event: QuicEvent) -> None:
        if isinstance(quic_event, StreamDataReceived):
            self._count(quic_event)
        for event in self.connection.handle_event(quic_event):
            if isinstance(event, HeadersReceived):
                if event.stream_id in self._begun:
                    await self._open(event)
                await self._ended(event.stream_id, ended=event.stream_ended)
            elif isinstance(event, DataReceived):
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    await stream.handle(Body(event.stream_id, event.data))
                await self._ended(event.stream_id, ended=event.stream_ended)
        if isinstance(quic_event, StreamReset | StopSendingReceived):
            await self._abandon(quic_event.stream_id)

    def _count(self, event: StreamDataReceived) -> None:
        """Bound what comes before a head, and how many streams there are in all."""
        stream_id = event.stream_id
        if stream_id // 4 > self._limits.requests_per_connection_max:
            self._quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD)
        if stream_is_unidirectional(stream_id):
            return
        if stream_id not in self._seen:
            self._seen.add(stream_id)
            self._next = max(self._next, stream_id + 4)
        elif stream_id not in self._begun:
            return
        self._begun[stream_id] = size = self._begun.get(stream_id, 0) + len(event.data)
        if size > self._limits.head_bytes_max + HEAD_SLACK_BYTES + len(event.data):
            self._quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD)

    async def _ended(self, stream_id: int, *, ended: bool) -> None:
        if ended:
            self._unread.discard(stream_id)
            stream = self.streams.get(stream_id)
            if stream is not None:
                await stream.handle(EndBody(stream_id))

    async def _open(self, request: HeadersReceived) -> None:
        """A request begins."""
        stream_id = request.stream_id
        del self._begun[stream_id]
        head = dict(request.headers)
        method, path = head.get(b":method", b""), head.get(b":path", b"")
        if self.leaving or len(self.streams) >= self._limits.streams_per_connection_max:
            self._reset(stream_id, ErrorCode.H3_REQUEST_REJECTED)
            return
        if not METHOD_SHAPE.fullmatch(method) or not PATH_SHAPE.fullmatch(path):
            self._reset(stream_id, ErrorCode.H3_MESSAGE_ERROR)
            return
        hosts = {value for name, value in request.headers if name in {b":authority", b"host"}}
        if len(hosts) != 1:
            self._reset(stream_id, ErrorCode.H3_MESSAGE_ERROR)
            return
        self._unread.add(stream_id)
        self._unanswered.add(stream_id)
        stream = HTTPStream(
            self.app, self.config, self.context, self.task_group, True, self.client,
            self.server, self.stream_send, stream_id,
        )  # fmt: skip
        self.streams[stream_id] = stream
        await stream.handle(
            Request(
                stream_id=stream_id, headers=filter_pseudo_headers(request.headers),
                http_version="3", method=method.decode("ascii"), raw_path=path, state=self.state,
            )
        )  # fmt: skip
        if stream_id // 4 + 1 >= self._limits.requests_per_connection_max:
            self.go_away()

    @override
    async def stream_send(self, event: StreamEvent) -> None:
        stream_id = event.stream_id
        if isinstance(event, StreamClosed):
            self._close(stream_id)
        elif isinstance(event, EndBody):
            if stream_id in self._unanswered:
                self._unanswered.discard(stream_id)
                self._resets.earn(1)
                await super().stream_send(event)
        elif stream_id in self._unanswered and isinstance(event, Body | Response):
            await super().stream_send(event)
            await self._wait_taken(stream_id)

    async def _wait_taken(self, stream_id: int) -> None:
        """Wait until the peer has taken most of what it was sent."""
        while stream_id in self._unanswered and self._backlog(stream_id) > UNSENT_BYTES_MAX:
            await self.acknowledged.wait()

    def _backlog(self, stream_id: int) -> int:
        """Bytes of a stream that are not acknowledged; aioquic has no public word for them."""
        stream = self._quic._streams.get(stream_id)  # noqa: SLF001
        return 0 if stream is None else len(stream.sender._buffer)  # noqa: SLF001

    @property
    def finished(self) -> bool:
        """No request is being served, and the peer has acknowledged all answers."""
        if self.streams:
            return False
        streams = self._quic._streams.items()  # noqa: SLF001
        return all(
            stream.sender.is_finished
            for stream_id, stream in streams
            if not stream_is_unidirectional(stream_id)
        )

    def _close(self, stream_id: int) -> None:
        """The application is done with a stream."""
        self.streams.pop(stream_id, None)
        if stream_id in self._unanswered:
            self._reset(stream_id, ErrorCode.H3_INTERNAL_ERROR)
        elif stream_id in self._unread:  # RFC 9114 4.1: stop the rest of a body that nobody wants
            self._unread.discard(stream_id)
            self._quic.stop_stream(stream_id, ErrorCode.H3_NO_ERROR)
        self.task_group.spawn(self.send)

    async def _abandon(self, stream_id: int) -> None:
        """The peer gave a stream up."""
        self._begun.pop(stream_id, None)
        if stream_id not in self._unanswered and stream_id not in self._unread:
            return
        if not self._resets.take(self._clock()):
            self._quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD)
        self._reset(stream_id, ErrorCode.H3_REQUEST_CANCELLED)
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            await stream.handle(StreamClosed(stream_id))

    def _reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream in both directions."""
        if stream_id in self._unread or stream_id not in self._unanswered:
            with contextlib.suppress(ValueError):
                self._quic.stop_stream(stream_id, code)
        self._unread.discard(stream_id)
        self._unanswered.discard(stream_id)
        with contextlib.suppress(ValueError):
            self._quic.reset_stream(stream_id, code)
