"""What the way into the process costs: `python -m bench.inprocess`.

The same requests go to the mock through one gateway in this process, in turns: as a call of `exchange`
with a client that throws everything away; through `Gateway.transport()` on the gateway's own loop; and
from asyncio, where each request crosses over to the gateway's thread. CPU is that of this process, all
its threads, so the mock's is not in it. The differences are what transport and crossing add.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

import httpx
import trio

from bench.machine import Others, cpu_s, pinning
from bench.peers.hedgerow import HEDGEROW
from bench.posts import HEADERS, Post
from bench.servers import HOST, BenchError, mock
from proxy.doors.routes import ROUTES
from proxy.embed.service import Service, serving
from proxy.embed.thread import start_in_thread
from proxy.embed.transport import InProcessTransport
from proxy.exchange import exchange
from proxy.model.document import Document
from proxy.model.downstream import Buffer, Headers
from proxy.model.head import RequestHead

REQUESTS = 300
ROUNDS = 7
WARM_UP = 100
BUDGET_US = 120.0
"""CPU that the transport may add to a request that is not streamed."""
NOISY_CORES = 0.10
"""Above this, what others did to the machine makes the figures void."""
URL = "http://hedgerow"
Ask = Callable[[], Awaitable[int]]
"""Serve one request; returns the status."""


@dataclass(slots=True)
class Null:
    """A client that wants an answer and looks at none of it."""

    head: RequestHead
    sent: bytes
    local: bool = True
    started: bool = False
    status: int = 0

    async def body(self, bytes_max: int) -> bytes:
        """All of it."""
        return self.sent

    def start(self, status: int, headers: Headers) -> None:
        """Begin."""
        self.started, self.status = True, status

    def write(self, buffers: list[Buffer]) -> bool:
        """Drop a piece."""
        return True

    async def drain(self) -> None:
        """Nothing is kept."""

    async def end(self, buffers: list[Buffer]) -> None:
        """Drop the last piece."""

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Drop it whole."""
        self.start(status, headers)


@dataclass(slots=True)
class Costs:
    """CPU per request, microseconds, a value per round."""

    exchange: list[float] = field(default_factory=list)
    transport: list[float] = field(default_factory=list)
    asyncio: list[float] = field(default_factory=list)
    others: float = 0.0
    """Cores that others kept busy meanwhile."""

    @property
    def added(self) -> float:
        """What the transport adds to the exchange on the gateway's own loop."""
        return median(t - e for t, e in zip(self.transport, self.exchange, strict=True))

    @property
    def crossed(self) -> float:
        """What it adds from asyncio, thread and back."""
        return median(self.asyncio) - median(self.exchange) if self.asyncio else 0.0


def settings(port: int) -> Document:
    """One model at the mock."""
    provider: Document = {"base_url": f"http://{HOST}:{port}/v1", "dialect": "openai-chat"}
    prices: Document = {"prompt": "2.50", "completion": "10.00"}
    endpoint: Document = {"provider": "mock", "upstream_model": "gpt-4o", "prices": prices}
    model: Document = {"id": "bench/plain", "context_length": 128_000, "endpoints": [endpoint]}
    return {"catalog": "none", "providers": {"mock": provider}, "models": [model]}


def directly(service: Service, ask: Post) -> Ask:
    """Call `exchange`, as any door does."""
    route = ROUTES[ask.path]
    fields = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}

    async def once() -> int:
        client = Null(RequestHead("POST", ask.path, b"", dict(fields)), ask.body)
        return await exchange(service.run.gateway, client, *route)

    return once


def through(transport: InProcessTransport, ask: Post) -> Ask:
    """Call the transport, as httpx does, and read the reply."""

    # made once: making a request is the client's cost, whatever the transport
    request = httpx.Request("POST", URL + ask.path, headers=HEADERS, content=ask.body)

    async def once() -> int:
        reply = await transport.handle_async_request(request)
        await reply.aread()
        return reply.status_code

    return once


async def per_request(once: Ask, requests: int) -> float:
    """CPU per request, microseconds."""
    began = time.process_time()
    for _ in range(requests):
        if (status := await once()) != httpx.codes.OK:
            raise BenchError(f"the answer was {status}")
    return (time.process_time() - began) / requests * 1e6


async def on_trio(port: int, costs: Costs, requests: int, rounds: int) -> None:
    """Exchange and transport, in turns."""
    ask = HEDGEROW.post("plain", port)
    async with serving(settings(port), listen=False, environ=os.environ) as service:
        direct, way = directly(service, ask), through(InProcessTransport(lambda: service), ask)
        for once in (direct, way):
            await per_request(once, WARM_UP)
        for _ in range(rounds):
            costs.exchange.append(await per_request(direct, requests))
            costs.transport.append(await per_request(way, requests))
        await trio.lowlevel.checkpoint()


async def on_asyncio(
    transport: InProcessTransport, costs: Costs, requests: int, rounds: int
) -> None:
    """The transport, from another loop."""
    ask = HEDGEROW.post("plain", 0)
    once = through(transport, ask)
    await per_request(once, WARM_UP)
    for _ in range(rounds):
        costs.asyncio.append(await per_request(once, requests))


def measure(requests: int = REQUESTS, rounds: int = ROUNDS) -> Costs:
    """Start a mock, ask it in three ways."""
    costs = Costs()
    with mock(pinning()) as upstream:
        others, began, used = Others(), time.monotonic(), cpu_s(upstream.pid)
        trio.run(on_trio, upstream.port, costs, requests, rounds)
        with start_in_thread(settings(upstream.port), listen=False) as gateway:
            asyncio.run(on_asyncio(gateway.transport(), costs, requests, rounds))
        of_mock = (cpu_s(upstream.pid) - used) / (time.monotonic() - began)
        costs.others = max(others.cores() - of_mock, 0.0)
    return costs


def describe(found: Costs) -> str:
    """The figures in one line."""
    verdict = "pass" if found.added <= BUDGET_US else "FAIL"
    noisy = ", noisy: void" if found.others > NOISY_CORES else ""
    return (
        f"CPU per request, not streamed: exchange {median(found.exchange):.0f} us, "
        f"transport {found.added:+.0f} us (budget {BUDGET_US:.0f}: {verdict}{noisy}), "
        f"from asyncio {found.crossed:+.0f} us; others {found.others:.2f} cores"
    )


def main() -> None:
    """Measure and print."""
    try:
        print(describe(measure()))
    except BenchError as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
