"""A provider in a thread of its own, and programs around the gateway on each kind of loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import trio

import proxy
from proxy.embed.transport import InProcessTransport
from tests.fakes.connection import Served
from tests.fakes.replay import Replay, serve_replay

Way = Literal["trio", "asyncio", "thread"]
WAYS: tuple[Way, ...] = ("trio", "asyncio", "thread")
"""On trio in the own loop; on asyncio; on trio with the gateway in a thread."""
START_S = STOP_S = 20.0
PROGRAM_S = 20.0
"""Longest a program here runs, seconds."""
STALLED = "fault/stall-mid-body?after=2"
MODELS = {
    "a/text": "synthetic/text",
    "a/stalled": STALLED,
    "a/broken": "fault/close-mid-body?after=2",
    "a/down": "fault/status-503",
    "a/slow": "fault/slow-start?delay_s=0.4",
}
CHAT = "/api/v1/chat/completions"
URL = "http://hedgerow"
Program = Callable[[InProcessTransport], Awaitable[None]]


@dataclass(frozen=True)
class Provider:
    """A replay server in another thread."""

    replay: Replay
    token: trio.lowlevel.TrioToken

    def document(self, **tables: Any) -> dict[str, Any]:
        """Settings with MODELS at this provider; `tables` go over them."""
        models = [
            {
                "id": name,
                "context_length": 100_000,
                "endpoints": [{"provider": "one", "upstream_model": upstream, "prices": "free"}],
            }
            for name, upstream in MODELS.items()
        ]
        one = {"base_url": f"{self.replay.url}/v1", "name": "One"}
        return {"catalog": "none", "providers": {"one": one}, "models": models, **tables}

    def newest(self, model: str) -> Served:
        """The last request for this model of ours."""
        return self.inside(lambda: self.replay.served(MODELS[model])[-1])

    def left(self, model: str, within_s: float = 2.0) -> float:
        """Seconds from now until the connection of the last request ends; -1: it does not."""
        served = self.newest(model)

        async def wait() -> float:
            began = trio.current_time()
            with trio.move_on_after(within_s):
                await served.closed.wait()
                return trio.current_time() - began
            return -1

        return trio.from_thread.run(wait, trio_token=self.token)

    def inside(self, work: Callable[[], Any]) -> Any:
        """Run `work` in the provider's thread."""
        return trio.from_thread.run_sync(work, trio_token=self.token)


@contextmanager
def provider_in_thread() -> Iterator[Provider]:
    """Run a replay server while the block runs."""
    ready: Future[tuple[Provider, trio.CancelScope]] = Future()

    async def live() -> None:
        async with serve_replay() as replay:
            with trio.CancelScope() as scope:
                token = trio.lowlevel.current_trio_token()
                ready.set_result((Provider(replay, token), scope))
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(live,), name="provider")
    thread.start()
    provider, scope = ready.result(START_S)
    try:
        yield provider
    finally:
        provider.token.run_sync_soon(scope.cancel)
        thread.join(STOP_S)
        assert not thread.is_alive()


def run(way: Way, program: Program, settings: Any, *, environ: Any = None) -> None:
    """Run a program that has a gateway, to its end."""

    async def block() -> None:
        async with proxy.Gateway(settings, environ=environ or {}) as gateway:
            await program(gateway.transport())

    async def around(transport: InProcessTransport) -> None:
        await program(transport)

    if way == "asyncio":
        asyncio.run(asyncio.wait_for(block(), PROGRAM_S))
    elif way == "trio":
        trio.run(within, block)
    else:
        with proxy.start_in_thread(settings, listen=False, environ=environ or {}) as gateway:
            trio.run(within, around, gateway.transport())


async def within(work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """Run on trio, but not for ever."""
    with trio.fail_after(PROGRAM_S):
        await work(*arguments)


async def pause(way: Way, seconds: float) -> None:
    """Sleep on the loop of `way`."""
    await (asyncio.sleep(seconds) if way == "asyncio" else trio.sleep(seconds))


async def until(way: Way, work: Callable[[], Any]) -> Any:
    """Run what blocks in a thread."""
    if way == "asyncio":
        return await asyncio.to_thread(work)
    return await trio.to_thread.run_sync(work)


def ask(model: str, *, stream: bool = False, text: str = "hi") -> dict[str, Any]:
    """A chat request."""
    return {
        "model": model,
        "stream": stream,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": text}],
    }


@asynccontextmanager
async def client(transport: InProcessTransport, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of httpx over the transport."""
    async with httpx.AsyncClient(transport=transport, base_url=URL, **options) as http:
        yield http
