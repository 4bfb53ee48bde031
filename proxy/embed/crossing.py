"""From one event loop to another, in another thread: a coroutine goes over, its result comes back.

Rule 1: no state is shared: what is asked for runs where the state lives. Rule 2: whoever stops waiting
for a result cancels the work. Rule 3: every future is resolved, also where a loop ends.
"""

import asyncio  # noqa: TID251 - the one place that meets the loops of programs which do not use trio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")
GONE = "The other event loop has ended."


class Loop(Protocol):
    """A running event loop, as seen from any thread."""

    def post(self, action: Callable[[], object]) -> None:
        """Run `action` on the loop, soon; nothing where the loop has ended."""
        ...

    def submit(self, work: Callable[[], Awaitable[T]]) -> Future[T]:
        """Run `work` on the loop; cancelling the future cancels it.

        A loop that has ended, or ends meanwhile, gives trio.BrokenResourceError.
        """
        ...

    async def result(self, future: Future[T]) -> T:
        """Wait on this very loop for a future; raises what it holds. Cancelled: cancels it."""
        ...


@dataclass(frozen=True, slots=True)
class TrioLoop:
    """A loop of trio; two of the same token are equal."""

    token: trio.lowlevel.TrioToken

    def post(self, action: Callable[[], object]) -> None:
        """Run `action` soon."""
        with suppress(trio.RunFinishedError):
            self.token.run_sync_soon(action)

    def submit(self, work: Callable[[], Awaitable[T]]) -> Future[T]:
        """Run `work` in a task of its own."""
        future: Future[T] = Future()

        def start() -> None:
            try:
                trio.lowlevel.spawn_system_task(self._run, work, future)
            except RuntimeError:  # the loop is about to end
                _fail(future, trio.BrokenResourceError(GONE))

        try:
            self.token.run_sync_soon(start)
        except trio.RunFinishedError:
            _fail(future, trio.BrokenResourceError(GONE))
        return future

    async def _run(self, work: Callable[[], Awaitable[T]], future: Future[T]) -> None:
        scope = trio.CancelScope()

        def unwanted(done: Future[T]) -> None:
            if done.cancelled():
                self.post(scope.cancel)

        future.add_done_callback(unwanted)
        try:
            with scope:
                value = await work()
                if future.set_running_or_notify_cancel():
                    future.set_result(value)
        except Exception as error:  # noqa: BLE001 - guard: it is the waiting side's
            _fail(future, error)
        except BaseException:
            _fail(future, trio.BrokenResourceError(GONE))
            raise

    async def result(self, future: Future[T]) -> T:
        """Wait without keeping the loop from anything."""
        done = trio.Event()
        future.add_done_callback(lambda _: self.post(done.set))
        try:
            await done.wait()
        finally:
            future.cancel()  # nothing, where there is a result
        if future.cancelled():  # by the other side
            raise trio.BrokenResourceError(GONE)
        return future.result()


@dataclass(frozen=True, slots=True)
class AsyncioLoop:
    """A loop of asyncio."""

    loop: asyncio.AbstractEventLoop

    def post(self, action: Callable[[], object]) -> None:
        """Run `action` soon."""
        with suppress(RuntimeError):  # closed
            self.loop.call_soon_threadsafe(action)

    def submit(self, work: Callable[[], Awaitable[T]]) -> Future[T]:
        """Run `work` in a task of its own."""

        async def run() -> T:
            return await work()

        coroutine = run()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:  # closed
            coroutine.close()
            future: Future[T] = Future()
            _fail(future, trio.BrokenResourceError(GONE))
            return future

    async def result(self, future: Future[T]) -> T:
        """Wait without keeping the loop from anything."""
        return await asyncio.wrap_future(future, loop=self.loop)


def here() -> TrioLoop | AsyncioLoop:
    """The loop that runs the caller. Raises: RuntimeError where there is none."""
    if trio.lowlevel.in_trio_task():
        return TrioLoop(trio.lowlevel.current_trio_token())
    return AsyncioLoop(asyncio.get_running_loop())


def _fail(future: Future[T], error: Exception) -> None:
    """Resolve a future, unless nobody waits for it any more."""
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
