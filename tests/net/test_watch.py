"""Overdue waits are interrupted, soon after their deadline and only then."""

import math

import trio
import trio.testing

from proxy.net.clock import monotonic_clock
from proxy.net.watch import WATCH_S, Watch


class Wait:
    """A wait that notes when it was interrupted."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.interrupted_at = -1.0

    def interrupt(self) -> None:
        self.interrupted_at = trio.current_time()


async def test_a_wait_is_interrupted_once_within_a_look_of_its_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    watch = Watch(monotonic_clock())
    start = trio.current_time()
    soon, later, never = Wait(start + 1.0), Wait(start + 60.0), Wait(math.inf)
    watch.waits |= {soon, later, never}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(2.0)
        nursery.cancel_scope.cancel()

    assert start + 1.0 <= soon.interrupted_at <= start + 1.0 + WATCH_S + 1e-6
    assert (-1.0, -1.0) == (later.interrupted_at, never.interrupted_at)
    assert {later, never} == watch.waits
