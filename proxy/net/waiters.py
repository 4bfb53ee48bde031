"""Who waits for a connection to an origin at its cap: first come, first served, and bounded.

A turn is either a connection that was given back, or the right to dial one. It is handed to a
waiter at the moment it arises, so nobody who comes later can take it.

Rule 1: a turn that its waiter does not take is handed on. Rule 2: this file never waits by itself.
"""

from collections import OrderedDict

import trio

from proxy.errors import ShedError
from proxy.net.connection import Connection


class Waiter:
    """A place in the queue; kept through any number of cancelled waits, until it leaves."""

    __slots__ = ("connection", "turn")

    def __init__(self) -> None:
        self.turn = trio.Event()
        """Set when a connection, or the right to dial one, is ours."""
        self.connection: Connection | None = None
        """What was given back; None: dial."""


class Waiters:
    """The queue of one origin."""

    def __init__(self, waiters_max: int) -> None:
        self._max = waiters_max
        self._queue: OrderedDict[Waiter, None] = OrderedDict()

    def __len__(self) -> int:
        """Waiters without a turn."""
        return len(self._queue)

    def join(self) -> Waiter:
        """Come last. Raises: ShedError where too many wait already."""
        if len(self._queue) >= self._max:
            raise ShedError(
                f"More than {self._max} requests wait for a connection to one provider."
            )
        waiter = Waiter()
        self._queue[waiter] = None
        return waiter

    def hand(self, connection: Connection | None) -> bool:
        """Give the first one its turn; False: nobody waits."""
        if not self._queue:
            return False
        waiter, _ = self._queue.popitem(last=False)
        waiter.connection = connection
        waiter.turn.set()
        return True

    def leave(self, waiter: Waiter) -> None:
        """Give up a place; nothing to do where the turn has come already."""
        self._queue.pop(waiter, None)
