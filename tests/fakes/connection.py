"""One accepted connection of the replay server: read a request, perform steps, keep the log.

While an answer is performed, a second task reads the socket: that is how the server notices
at once that the gateway closed, even while it stalls. Requests are parsed strictly (h11), so
a malformed one from the gateway shows as a 400 and in `Served.error`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import h11
import trio

from tests.fakes.framing import Hangup, Pause, Reset, Send, Stall, Steps

READ_BYTES = 64 << 10
LINGER_ZERO = struct.pack("ii", 1, 0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(slots=True, eq=False)
class Served:
    """One request and how its answer went; times are `trio.current_time()`."""

    connection_id: int
    """Counts accepted connections from 1; equal ids mean a reused connection."""
    path: str
    """The request target as sent, options and query included."""
    headers: list[tuple[str, str]]
    """As sent, names in their original case."""
    body: bytes
    t_start: float
    """When the request was read to its end."""
    model: str = ""
    pieces_sent: int = 0
    """Finished socket writes, the head's included."""
    bytes_sent: int = 0
    t_done: float | None = None
    """When all that was to be sent was written; None before, and if the client closed first."""
    closed_by: Literal["client", "server"] | None = None
    """Who ended the connection after this request; None while it is open or reused."""
    t_closed: float | None = None
    error: str | None = None
    """Why the request was malformed."""
    closed: trio.Event = field(default_factory=trio.Event, repr=False)
    """Set when the connection ended; only for the last request on it."""

    @property
    def aborted(self) -> bool:
        """Whether the client closed before the answer was complete."""
        return self.closed_by == "client" and self.t_done is None

    def close_now(self, who: Literal["client", "server"]) -> None:
        """Stamp the end of the connection; the first stamp stays."""
        if self.closed_by is None:
            self.closed_by = who
            self.t_closed = trio.current_time()
            self.closed.set()


class Connection:
    """Serves requests one after the other until either side closes."""

    def __init__(
        self,
        stream: trio.SocketStream,
        connection_id: int,
        answer: Callable[[Served], Steps],
    ) -> None:
        self._stream = stream
        self._id = connection_id
        self._answer = answer
        self._unread = b""
        self._last: Served | None = None

    async def serve(self) -> None:
        """Run until the connection ends; never raises for what the client does."""
        try:
            while (served := await self._read_request()) is not None:
                self._last = served
                steps = self._answer(served)
                if not await self._perform(steps, served) or served.error:
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._closed_by("client")
        finally:
            self._closed_by("server")
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await self._stream.aclose()

    async def reset(self) -> None:
        """Send RST without reading anything."""
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        await self._stream.aclose()

    def _closed_by(self, who: Literal["client", "server"]) -> None:
        if self._last is not None:
            self._last.close_now(who)

    async def _read_request(self) -> Served | None:
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        head: h11.Request | None = None
        body = bytearray()
        if self._unread:
            parser.receive_data(self._unread)
        try:
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    if parser.they_are_waiting_for_100_continue:
                        await self._stream.send_all(CONTINUE)
                    data = await self._stream.receive_some(READ_BYTES)
                    if not data and head is None:
                        self._closed_by("client")
                        return None
                    parser.receive_data(data)
                elif isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
        except h11.RemoteProtocolError as error:
            return self._served(head, bytes(body), error=str(error))
        self._unread = parser.trailing_data[0]
        return self._served(head, bytes(body), error=None)

    def _served(self, head: h11.Request | None, body: bytes, *, error: str | None) -> Served:
        raw = head.headers.raw_items() if head else []
        return Served(
            connection_id=self._id,
            path=head.target.decode("latin-1") if head else "",
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw],
            body=body,
            t_start=trio.current_time(),
            error=error,
        )

    async def _perform(self, steps: Steps, served: Served) -> bool:
        """Perform the steps; whether the connection may carry another request."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, served, nursery.cancel_scope)
            await self._send(steps, served)
            nursery.cancel_scope.cancel()
        if served.closed_by == "client":
            return False
        match steps[-1]:
            case Reset():
                self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            case Hangup():
                await self._stream.send_eof()
            case _:
                return True
        served.close_now("server")
        return False

    async def _send(self, steps: Steps, served: Served) -> None:
        whole = max((i for i, s in enumerate(steps) if isinstance(s, Send | Stall)), default=-1)
        try:
            for index, step in enumerate(steps):
                match step:
                    case Send(data):
                        await self._stream.send_all(data)
                        served.pieces_sent += 1
                        served.bytes_sent += len(data)
                        # No checkpoint may stand between the last write and its stamp, or a
                        # client that closes after a complete answer would count as aborting.
                        if index == whole:
                            served.t_done = trio.current_time()
                    case Pause(seconds):
                        await trio.sleep(seconds)
                    case Stall():
                        await trio.sleep_forever()
                    case Reset() | Hangup():
                        return
        except trio.BrokenResourceError:
            served.close_now("client")

    async def _watch(self, served: Served, sending: trio.CancelScope) -> None:
        """Stop sending as soon as the client has closed or reset the connection."""
        try:
            while data := await self._stream.receive_some(READ_BYTES):
                self._unread += data
        except trio.BrokenResourceError:
            pass
        served.close_now("client")
        sending.cancel()
