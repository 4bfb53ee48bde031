"""Attempts that run side by side, each driven by a task of its own; one task hears their results.

Rule 1: a result is heard once, in the order in which they came. Rule 2: this file ends no attempt; when
its nursery is closed nobody drives one any more, and `left` says who has not been heard.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

import trio

from proxy.model.outcome import Dropped, Failure, Opened
from proxy.units import Seconds

Result: TypeAlias = Opened | Failure


class Runner(Protocol):
    """One attempt, resumable; `stages.attempt.Attempt` is one."""

    deadline: Seconds

    async def drive(self) -> Result | None:
        """Go on until there is a result; None: `deadline` has moved."""
        ...

    def wake_at(self, deadline: float) -> bool:
        """Interrupt `drive` soon after `deadline`, cheaply; False: it cannot just now."""
        ...

    def overdue(self) -> Failure:
        """The deadline passed."""
        ...

    def abandon(self, winner_s: float = 0.0) -> Dropped:
        """Drop it, unfinished or opened; nobody may be driving it.

        Args:
            winner_s: how long the one that won was waited for, seconds; 0: none did.
        """
        ...


class Crowd:
    """The attempts of one race that run side by side; a nursery of the caller's holds the tasks."""

    __slots__ = ("_clock", "_ended", "_running", "_stirred")

    def __init__(self, clock: Callable[[], Seconds]) -> None:
        self._clock = clock
        self._running: list[Runner] = []
        self._ended: deque[tuple[Runner, Result]] = deque()
        self._stirred = trio.Event()
        """Set when there is a result to hear."""

    def enter(self, runner: Runner, nursery: trio.Nursery) -> None:
        """Drive it from where it is."""
        self._running.append(runner)
        nursery.start_soon(self._drive, runner)

    async def hear(self, until: float) -> tuple[Runner, Result] | None:
        """The next result; None: there is none until `until`, seconds on the loop's clock."""
        with trio.CancelScope(deadline=until):
            await self._stirred.wait()
        if not self._ended:
            return None
        heard = self._ended.popleft()
        if not self._ended:
            self._stirred = trio.Event()
        return heard

    def left(self) -> Iterator[tuple[Runner, Result | None]]:
        """Who was not heard, with the result if there is one."""
        yield from self._ended
        for runner in self._running:
            yield runner, None

    async def _drive(self, runner: Runner) -> None:
        result: Result | None = None
        while result is None:
            with trio.CancelScope(deadline=runner.deadline):
                result = await runner.drive()
            if result is None and self._clock() >= runner.deadline:
                result = runner.overdue()
        self._running.remove(runner)
        self._ended.append((runner, result))
        self._stirred.set()


def sole(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a nursery's group is about: the first error in it, or one Cancelled of several."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        errors = [one for one in found.exceptions if not isinstance(one, trio.Cancelled)]
        found = (errors or found.exceptions)[0]
    return found
