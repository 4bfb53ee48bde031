"""Virtual time: what is due when, and the clock that jumps from one to the next.

Rule 1: what is due at the same moment happens in the order in which it was noted.
"""

import heapq
import math
from collections.abc import Callable
from itertools import count

from proxy.units import Seconds


class Agenda:
    """A clock and what waits for it; for loops that play a world without waiting."""

    def __init__(self) -> None:
        self.now = Seconds(0.0)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def _at(self, at: float, happens: Callable[[], None]) -> None:
        """Let something happen at a time that is not past, seconds."""
        heapq.heappush(self._due, (at, next(self._number), happens))

    def _pass(self, until: float = math.inf) -> None:
        """Let all happen that is due by then, and all that comes of it; it is `until` after that, if that is ever."""
        due = self._due
        while due and due[0][0] <= until:
            at, _, happens = heapq.heappop(due)
            self.now = Seconds(at)
            happens()
        if until < math.inf:
            self.now = Seconds(until)
