"""Side by side: results are heard once and in order, and nobody is forgotten."""

import math

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import UpstreamTimeoutError
from proxy.model.endpoint import Endpoint
from proxy.model.outcome import NOTHING, Dropped, Failure, Opened
from proxy.net.crowd import Crowd, sole
from proxy.units import Seconds
from tests.fakes.downstream import opened
from tests.fakes.things import a_call, an_endpoint


class Timed:
    """Opens after `lasts_s`; every phase of it takes `phase_s`."""

    def __init__(self, name: str, lasts_s: float, limit_s: float = 50, phase_s: float = 9) -> None:
        now = trio.current_time()
        self.endpoint: Endpoint = an_endpoint(name)
        self.deadline = Seconds(now + limit_s)
        self._ends_at = now + lasts_s
        self._phase_s = phase_s

    async def drive(self) -> Opened | None:
        await trio.sleep(min(self._ends_at - trio.current_time(), self._phase_s))
        ended = trio.current_time() >= self._ends_at
        return opened(a_call(), self.endpoint) if ended else None

    def wake_at(self, deadline: float) -> bool:
        return False

    def overdue(self) -> Failure:
        return Failure(self.endpoint, UpstreamTimeoutError("late"))

    def abandon(self, winner_s: float = 0.0) -> Dropped:
        return Dropped(self.endpoint, Seconds(0.0), 0.0, NOTHING)


def crowd() -> Crowd:
    return Crowd(trio.current_time)  # type: ignore[arg-type]


async def test_results_are_heard_in_the_order_in_which_they_come(
    autojump_clock: MockClock,
) -> None:
    several, slow, fast = crowd(), Timed("slow", 30), Timed("fast", 20)
    async with trio.open_nursery() as nursery:
        several.enter(slow, nursery)
        several.enter(fast, nursery)
        heard = [await several.hear(math.inf) for _ in range(2)]

    assert [fast, slow] == [one[0] for one in heard if one is not None]
    assert [] == list(several.left())


async def test_several_results_of_one_moment_are_heard_one_by_one(
    autojump_clock: MockClock,
) -> None:
    several = crowd()
    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            several.enter(Timed(name, 1), nursery)
        await trio.sleep(2)
        for _ in range(2):
            assert None is not await several.hear(-math.inf)
        assert None is await several.hear(-math.inf)


async def test_nobody_is_waited_for_beyond_the_time_given(autojump_clock: MockClock) -> None:
    several, slow = crowd(), Timed("slow", 30)
    async with trio.open_nursery() as nursery:
        several.enter(slow, nursery)
        assert None is await several.hear(trio.current_time() + 5)
        assert [(slow, None)] == list(several.left())
        nursery.cancel_scope.cancel()


async def test_who_is_over_its_deadline_is_overdue(autojump_clock: MockClock) -> None:
    several, started = crowd(), trio.current_time()
    async with trio.open_nursery() as nursery:
        several.enter(Timed("late", 1000, limit_s=20, phase_s=math.inf), nursery)
        heard = await several.hear(math.inf)

    assert heard is not None
    assert isinstance(heard[1], Failure)
    assert pytest.approx(20) == trio.current_time() - started


async def test_a_result_that_nobody_heard_is_left(autojump_clock: MockClock) -> None:
    several, fast = crowd(), Timed("fast", 1)
    async with trio.open_nursery() as nursery:
        several.enter(fast, nursery)
        await trio.sleep(2)

    ((runner, result),) = several.left()
    assert fast is runner
    assert isinstance(result, Opened)


async def test_a_group_is_about_its_first_error_or_else_about_a_cancel() -> None:
    error = ZeroDivisionError()
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep(1)
        except trio.Cancelled as cancelled:
            many = BaseExceptionGroup("", [cancelled, BaseExceptionGroup("", [cancelled, error])])
            assert cancelled is sole(BaseExceptionGroup("", [cancelled, cancelled]))
            raise

    assert isinstance(sole(many), ZeroDivisionError)
