"""The gateway as a transport of httpx: requests go in as objects, pieces of the reply come out.

Rule 1: nothing is buffered: a piece is asked for when the client asks. Rule 2: a client that closes the
reply, drops it or is cancelled ends the work for it at once.
Rule 3: httpx and its successors are told apart by the request: the reply is made of the same package.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Self, TypeVar, cast

import httpx
import trio
from typing_extensions import override

from proxy.doors.inprocess import InProcess
from proxy.embed.crossing import Loop, here
from proxy.embed.service import NotRunningError, Service
from proxy.model.head import RequestHead

T = TypeVar("T")


class InProcessTransport(httpx.AsyncBaseTransport):
    """Sends requests to a gateway in this process, from trio or asyncio, in any thread."""

    def __init__(self, find: Callable[[], Service]) -> None:
        """Send to what `find` finds; it may raise NotRunningError."""
        self._find = find
        self._flavours: dict[type[httpx.Request], Flavour] = {}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; returns when the reply's head and first piece are there.

        Raises: httpx.ConnectError where no gateway runs, ReadTimeout, RemoteProtocolError.
        """
        kind = type(request)
        flavour = self._flavours.get(kind)
        if flavour is None:
            flavour = self._flavours[kind] = flavour_of(kind)
        try:
            service = self._find().checked()
        except NotRunningError as error:
            raise flavour.connect_error(str(error), request=request) from None
        limits = service.run.gateway.settings.limits
        body = await _body(request, limits.body_bytes_max)
        call = InProcess(_head(request, len(body)), body, reader_s=limits.reader_s)
        line = Line(service, call, request, flavour)
        try:
            whole = await line.ask(partial(_open, service, call))
            headers = [_field(field) for field in call.headers.split(b"\r\n")[:-1]]
            stream = flavour.stream(line, whole)
            return flavour.response(call.status, headers=headers, stream=stream)
        except BaseException:
            line.leave()
            raise


async def _open(service: Service, call: InProcess) -> bytes | None:
    """Begin, and wait for the head; returns the body if the reply is whole by then."""
    service.begin(call)
    await call.opened()
    return call.rest()


class Line:
    """One call's way to the gateway and back: over to its loop, unless that is the caller's."""

    __slots__ = ("_away", "_call", "_flavour", "_read_s", "_request", "_service")

    def __init__(
        self, service: Service, call: InProcess, request: httpx.Request, flavour: "Flavour"
    ) -> None:
        loop = here()
        self._away: Loop | None = None if loop == service.loop else loop
        self._service = service
        self._call = call
        self._request = request
        self._flavour = flavour
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._read_s = timeouts.get("read")

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` on the gateway's loop, within the client's time-out for reading.

        Raises: ReadTimeout, RemoteProtocolError, ConnectError of the client's package.
        """
        if self._read_s is not None:
            work = partial(_within, self._read_s, work)
        try:
            if self._away is None:
                return await work()
            return await self._away.result(self._service.loop.submit(work))
        except trio.TooSlowError:
            raise self._flavour.read_timeout(
                "The gateway took too long.", request=self._request
            ) from None
        except trio.BrokenResourceError as error:
            raise self._flavour.protocol_error(str(error), request=self._request) from None
        except NotRunningError as error:
            raise self._flavour.connect_error(str(error), request=self._request) from None

    async def piece(self) -> bytes:
        """The next piece; empty at the end."""
        return await self.ask(self._call.piece)

    def leave(self) -> None:
        """Want no more."""
        if self._away is None:
            self._call.leave()
        else:
            self.drop()

    def drop(self) -> None:
        """Want no more; from any thread, and in the middle of anything."""
        self._service.loop.post(self._call.leave)


class Pieces:
    """A reply's body, for httpx to iterate over."""

    def __init__(self, line: Line, whole: bytes | None) -> None:
        """Read from `line`; `whole` is all there is, where that is known."""
        self._line: Line | None = None if whole is not None else line
        self._whole = whole or b""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece, self._whole = self._whole, b""
        if not piece and self._line is not None:
            piece = await self._ask(self._line)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _ask(self, line: Line) -> bytes:
        try:
            piece = await line.piece()
        except BaseException:
            self._leave()
            raise
        if not piece:
            self._line = None
        return piece

    async def aclose(self) -> None:
        """End the work for this reply; does not wait, so that a cancelled task can do it too."""
        self._leave()

    def __del__(self) -> None:
        if self._line is not None:
            self._line.drop()

    def _leave(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.leave()


@dataclass(frozen=True, slots=True)
class Flavour:
    """What a reply is made of: classes of the package that the request is of."""

    response: type[httpx.Response]
    connect_error: type[httpx.ConnectError]
    read_timeout: type[httpx.ReadTimeout]
    protocol_error: type[httpx.RemoteProtocolError]
    stream: Callable[[Line, bytes | None], httpx.AsyncByteStream]


def flavour_of(kind: type[httpx.Request]) -> Flavour:
    """The classes beside a class of requests, or beside the one it is derived from."""
    package = import_module(kind.__mro__[-2].__module__.partition(".")[0])
    stream = type("PiecesOfReply", (Pieces, package.AsyncByteStream), {})
    return Flavour(
        response=package.Response,
        connect_error=package.ConnectError,
        read_timeout=package.ReadTimeout,
        protocol_error=package.RemoteProtocolError,
        stream=cast("Callable[[Line, bytes | None], httpx.AsyncByteStream]", stream),
    )


async def _within(seconds: float, work: Callable[[], Awaitable[T]]) -> T:
    with trio.fail_after(seconds):
        return await work()


async def _body(request: httpx.Request, bytes_max: int) -> bytes:
    """The request's body; no more of it than shows that it is too large."""
    assert isinstance(request.stream, AsyncIterable)
    body, parts = b"", aiter(request.stream)
    async for part in parts:
        body = body + part if body else part
        if len(body) > bytes_max:
            if isinstance(parts, AsyncGenerator):
                await parts.aclose()
            break
    return body


def _head(request: httpx.Request, length: int) -> RequestHead:
    path, _, query = request.url.raw_path.partition(b"?")
    headers: dict[bytes, bytes] = {}
    for raw, value in request.headers.raw:
        name = raw.lower()
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    return RequestHead(
        request.method, path.decode("latin-1"), query, headers, content_length=length
    )


def _field(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.partition(b": ")
    return name, value
