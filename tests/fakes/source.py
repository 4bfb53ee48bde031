"""A place outside that the gateway asks, as good or as bad as a test wants it; loopback only."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from proxy.net.addresses import Address, Resolver
from proxy.net.dialling import Dialling
from proxy.net.egress import Egress
from proxy.net.egress_dialling import EgressDialling, egress_tls
from proxy.net.egress_pool import EgressPool, PoolLimits
from proxy.net.egress_reply import EgressLimits
from proxy.policy.destinations import Reach, allowed

CLOCK: Any = trio.current_time
Serve = Callable[[Any], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Source:
    """One that listens, and what came to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted = 0
        self.requests: list[bytes] = []

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def source(
    answer: Callable[[bytes], bytes | None] = lambda request: OK,
    *,
    tls: ssl.SSLContext | None = None,
    then: Serve | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Source]:
    """Answers each request with what `answer` makes of it; None: hangs up.

    Args:
        then: goes on with the stream behind the first answer, instead of the next request.
    """

    async def serve(stream: Any) -> None:
        made.accepted += 1
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while (request := await read(stream)) and (reply := answer(request)) is not None:
                made.requests.append(request)
                await stream.send_all(reply)
                if then is not None:
                    await then(stream)
                    break
        await trio.aclose_forcefully(stream)

    raised: list[Exception] = []
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=host)
        made = Source(listeners[0].socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        try:
            yield made
        except Exception as error:  # a nursery would wrap it
            raised.append(error)
        finally:
            nursery.cancel_scope.cancel()
    for error in raised:
        raise error


async def read(stream: Any) -> bytes:
    """One request without a chunked body; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = await stream.receive_some(65_536)
        if not got:
            return b""
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        line[16:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    ]
    while lengths and len(body) < int(lengths[0]):
        body += await stream.receive_some(65_536)
    return head + b"\r\n\r\n" + body


def head_of(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode()


@asynccontextmanager
async def egress_to(
    *places: str,
    lookup: Callable[[str, int], list[Address]] | None = None,
    ports: frozenset[int] = frozenset({80, 443}),
    tls: ssl.SSLContext | None = None,
    dial: Callable[[list[Address]], Dialling] | None = None,
    limits: Mapping[str, Any] | None = None,
    pool: Mapping[str, Any] | None = None,
    schemes: tuple[str, ...] = ("https", "http"),
) -> AsyncIterator[Egress]:
    """An egress for which the operator listed `places`."""
    resolver = Resolver(lookup or nowhere)
    dialling = EgressDialling(tls or egress_tls(), CLOCK, resolver, dial)
    made = EgressPool(dialling, CLOCK, PoolLimits(**(pool or {})))
    reach = Reach(schemes, ports, allowed(places))
    egress = Egress(made, CLOCK, reach=reach, limits=EgressLimits(**(limits or {})))
    try:
        yield egress
    finally:
        egress.close()


def nowhere(host: str, port: int) -> list[Address]:
    """Knows no name."""
    raise OSError
