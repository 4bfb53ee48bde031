"""A queue for connections: first come, first served, bounded, and left at any time."""

import pytest

from proxy.errors import ShedError
from proxy.net.connection import Connection
from proxy.net.waiters import Waiters


async def test_turns_come_in_the_order_of_arrival() -> None:
    queue = Waiters(9)
    first, second = queue.join(), queue.join()
    returned = Connection("x", None)

    assert queue.hand(returned)
    assert (True, False, 1) == (first.turn.is_set(), second.turn.is_set(), len(queue))
    assert returned is first.connection
    assert queue.hand(None)
    assert (True, None, 0) == (second.turn.is_set(), second.connection, len(queue))
    assert not queue.hand(None), "nobody waits"


async def test_one_that_left_is_passed_over_and_may_leave_again() -> None:
    queue = Waiters(9)
    first, second, third = (queue.join() for _ in range(3))
    queue.leave(second)
    queue.leave(second)
    queue.hand(None)
    queue.hand(None)

    assert [True, False, True] == [w.turn.is_set() for w in (first, second, third)]
    queue.leave(first)
    assert 0 == len(queue)


async def test_no_more_wait_than_may() -> None:
    queue = Waiters(2)
    first, _ = queue.join(), queue.join()
    with pytest.raises(ShedError, match="More than 2"):
        queue.join()
    queue.leave(first)
    queue.join()
