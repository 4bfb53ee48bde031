"""An attempt where the pool is full: it keeps its place through cancels, and gives it up at its end."""

import pytest
import trio

from proxy.errors import ShedError
from proxy.model.outcome import Opened
from tests.stages.test_attempt import WHOLE, FakeConnection, FakePool, attempt, run


async def test_a_pool_that_is_full_is_told_at_once_where_too_many_wait() -> None:
    with pytest.raises(ShedError):
        attempt(FakePool())


async def test_it_waits_for_its_turn_through_any_number_of_cancels() -> None:
    pool = FakePool(fresh=[])
    pool.waits_max = 1
    tried = attempt(pool, stream=False)
    assert not tried.wake_at(0), "the watch cannot interrupt a wait for a connection"
    for _ in range(3):
        with trio.move_on_after(0) as scope:
            await tried.drive()
        assert scope.cancelled_caught
    pool._fresh.append(FakeConnection(WHOLE, served=1))
    pool.waiting[0].set()

    assert isinstance(await run(tried), Opened)
    assert 1 == len(pool.given)


async def test_a_turn_that_does_not_come_in_time_is_a_shed_and_leaves_the_queue() -> None:
    pool = FakePool()
    pool.waits_max = 1
    tried = attempt(pool)
    late = tried.overdue()

    assert isinstance(late.error, ShedError)
    assert ("free in time" in late.error.message, []) == (True, pool.waiting)
    tried.close()


async def test_closing_gives_up_the_place_among_those_who_wait() -> None:
    pool = FakePool()
    pool.waits_max = 1
    tried = attempt(pool)
    tried.close()
    tried.close()

    assert [] == pool.waiting


async def test_a_reused_connection_that_was_waited_for_may_have_died_too() -> None:
    fresh = FakeConnection(WHOLE)
    pool = FakePool(fresh=[FakeConnection(b"", served=3), fresh])
    pool._idle, taken = [], pool._fresh
    pool._fresh = []
    pool.waits_max = 1
    tried = attempt(pool, stream=False)
    pool._fresh = taken
    pool.waiting[0].set()

    assert isinstance(await run(tried), Opened)
    assert [fresh] == pool.given
