"""The guarded egress as a transport of httpx.

Rule 1: where httpx read another URL than we do, nothing is sent.
Rule 2: errors are ours, not those of httpx; bounds are the egress's, whatever the client's `timeout`.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator

import httpx
from typing_extensions import override

from proxy.errors import InvalidRequestError
from proxy.net.egress import Egress, Message
from proxy.net.egress_reply import EgressReply
from proxy.policy.destinations import DEFAULT_PORTS


class EgressTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=EgressTransport(egress))`."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; returns when the reply's head is there. Raises: as `Egress.ask`."""
        url = request.url
        destination = self._egress.check(str(url))
        port = url.port or DEFAULT_PORTS.get(url.scheme)
        theirs = (url.scheme, url.raw_host.decode(), port, url.raw_path.decode())
        ours = (destination.scheme, destination.host, destination.port, destination.target)
        if theirs != ours:
            raise InvalidRequestError("The URL is not read in the same way by everyone.")
        body = await _body(request, self._egress.limits.request_bytes_max)
        message = Message(request.method, tuple(request.headers.raw), body)
        reply = await self._egress.ask(destination, message)
        return httpx.Response(reply.status, headers=reply.headers, stream=ReplyStream(reply))

    @override
    async def aclose(self) -> None:
        """Nothing: the egress is somebody else's, and outlives its clients."""


class ReplyStream(httpx.AsyncByteStream):
    """The reply's body for httpx; no generator, so that nothing waits for the garbage collector."""

    def __init__(self, reply: EgressReply) -> None:
        self._reply = reply

    @override
    def __aiter__(self) -> AsyncIterator[bytes]:
        """Itself: a body is read once."""
        return self

    async def __anext__(self) -> bytes:
        """The next piece."""
        piece = await self._reply.piece()
        if not piece:
            raise StopAsyncIteration
        return piece

    @override
    async def aclose(self) -> None:
        """Want no more."""
        self._reply.close()


async def _body(request: httpx.Request, bytes_max: int) -> bytes:
    """The request's body; no more of it than shows that it is too large."""
    assert isinstance(request.stream, AsyncIterable)
    pieces, size, parts = [], 0, aiter(request.stream)
    async for part in parts:
        size += len(part)
        pieces.append(part)
        if size > bytes_max:
            if isinstance(parts, AsyncGenerator):
                await parts.aclose()
            break
    return b"".join(pieces)
