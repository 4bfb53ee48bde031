"""Deadlines of many waits, looked at by one task: a set entry costs 0.05 us, a cancel scope 4.

Precise to WATCH_S, which is fine for time-outs of seconds; what must be precise (a hedge) takes a
cancel scope.
"""

from collections.abc import Callable
from typing import Protocol

import trio

from proxy.units import Seconds

WATCH_S = 0.1
"""How often deadlines are looked at; seconds."""


class Watched(Protocol):
    """Something that waits and can be called back."""

    deadline: float
    """Seconds on the loop's clock."""

    def interrupt(self) -> None:
        """Stop waiting; nothing is lost."""
        ...


class Watch:
    """The waits under watch; bounded by the requests in flight."""

    def __init__(self, clock: Callable[[], Seconds]) -> None:
        self._clock = clock
        self.waits: set[Watched] = set()

    async def run(self) -> None:
        """Interrupt what is overdue, until cancelled."""
        while True:
            await trio.sleep(WATCH_S)
            now = self._clock()
            for overdue in [wait for wait in self.waits if wait.deadline <= now]:
                self.waits.discard(overdue)
                overdue.interrupt()
