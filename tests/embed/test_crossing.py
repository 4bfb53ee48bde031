"""Work goes over to another loop and its result comes back, or its error, or its cancellation."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from proxy.embed.crossing import AsyncioLoop, Loop, TrioLoop, here
from tests.embed.rig import within

KINDS = ("trio", "asyncio")
other_kind = pytest.mark.parametrize("kind", KINDS)


@contextmanager
def another(kind: str) -> Iterator[Loop]:
    """A loop in a thread."""
    ready: Future[tuple[Loop, Callable[[], object]]] = Future()

    async def on_trio() -> None:
        with trio.CancelScope() as scope:
            ready.set_result((here(), scope.cancel))
            await trio.sleep_forever()

    async def on_asyncio() -> None:
        stop = asyncio.Event()
        ready.set_result((here(), stop.set))
        await stop.wait()

    def live() -> None:
        trio.run(on_trio) if kind == "trio" else asyncio.run(on_asyncio())

    thread = threading.Thread(target=live)
    thread.start()
    loop, stop = ready.result(10)
    try:
        yield loop
    finally:
        loop.post(stop)
        thread.join(10)
        assert not thread.is_alive()


def on(kind: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` on a loop of this kind, here."""

    async def program() -> None:
        await work()

    if kind == "trio":
        trio.run(within, program)
    else:
        asyncio.run(asyncio.wait_for(program(), 20))


@pytest.mark.parametrize("mine", KINDS)
@other_kind
def test_results_and_errors_come_back(mine: str, kind: str) -> None:
    async def good() -> str:
        await (trio.sleep(0) if kind == "trio" else asyncio.sleep(0))
        return threading.current_thread().name

    async def bad() -> str:
        raise ZeroDivisionError("over there")

    async def work() -> None:
        loop = here()
        assert threading.current_thread().name != await loop.result(there.submit(good))
        with pytest.raises(ZeroDivisionError, match="over there"):
            await loop.result(there.submit(bad))

    with another(kind) as there:
        on(mine, work)


@pytest.mark.parametrize("mine", KINDS)
@other_kind
def test_whoever_stops_waiting_cancels_the_work(mine: str, kind: str) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def endless() -> None:
        try:
            begun.set()
            await (trio.sleep_forever() if kind == "trio" else asyncio.sleep(60))
        except (trio.Cancelled, asyncio.CancelledError):
            cancelled.set()
            raise

    async def work() -> None:
        loop = here()
        if mine == "trio":
            with trio.move_on_after(0.1):
                await loop.result(there.submit(endless))
        else:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(loop.result(there.submit(endless)), 0.1)

    with another(kind) as there:
        on(mine, work)
        assert begun.is_set()
        assert cancelled.wait(5)


@other_kind
def test_a_loop_that_has_ended_is_told_as_such(kind: str) -> None:
    async def never() -> None:
        raise AssertionError("ran")

    with another(kind) as there:
        pass
    there.post(lambda: 1 / 0)

    with pytest.raises(trio.BrokenResourceError):
        there.submit(never).result(1)


def test_what_is_in_progress_when_its_loop_ends_is_resolved() -> None:
    begun = threading.Event()

    async def endless() -> None:
        begun.set()
        await trio.sleep_forever()

    with another("trio") as there:
        future: Future[Any] = there.submit(endless)
        assert begun.wait(5)

    with pytest.raises(trio.BrokenResourceError):
        future.result(5)


async def test_work_that_its_own_loop_cancelled_is_broken_on_trio() -> None:
    cancelled: Future[None] = Future()
    cancelled.cancel()

    with pytest.raises(trio.BrokenResourceError):
        await here().result(cancelled)


async def test_loops_are_equal_where_they_are_the_same() -> None:
    assert here() == here()
    assert isinstance(here(), TrioLoop)
    assert AsyncioLoop is type(asyncio_loop())


def asyncio_loop() -> Loop:
    """`here` on asyncio, in a thread, since this one has a loop."""
    found: list[Loop] = []

    async def look() -> None:
        found.append(here())

    thread = threading.Thread(target=lambda: asyncio.run(look()))
    thread.start()
    thread.join()
    return found[0]


def test_without_a_loop_there_is_no_here() -> None:
    with pytest.raises(RuntimeError):
        here()
