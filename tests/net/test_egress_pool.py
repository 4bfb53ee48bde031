"""Connections outside: kept, reused for their own origin, bounded in number."""

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from proxy.errors import ShedError
from proxy.net.connection import Connection
from proxy.net.egress_pool import EgressPool, PoolLimits, Slot
from proxy.policy.destinations import Destination
from proxy.units import Seconds
from tests.fakes.source import CLOCK


class Pairs:
    """Connects to nobody, without a network."""

    def __init__(self) -> None:
        self.made: list[tuple[Connection, object]] = []

    async def connect(self, destination: Destination) -> Connection:
        import socket

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = Connection(destination.host, None, ours)
        self.made.append((connection, theirs))
        return connection

    def hang_up(self) -> None:
        for connection, theirs in self.made:
            connection.close()
            theirs.close()  # type: ignore[attr-defined]


class Rig:
    def __init__(self, **limits: float) -> None:
        self.pairs = Pairs()
        limits_made = PoolLimits(**limits)  # type: ignore[arg-type]
        self.pool = EgressPool(self.pairs, CLOCK, limits_made)  # type: ignore[arg-type]

    async def __aenter__(self) -> "Rig":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.pool.close()
        self.pairs.hang_up()

    async def used(
        self, destination: Destination, *, fresh: bool = False
    ) -> tuple[Slot, Connection]:
        slot = await self.pool.slot(destination)
        return slot, await slot.connect(fresh=fresh)


def to(host: str, *, listed: bool = False) -> Destination:
    return Destination("https", host, 443, "/", listed=listed)


A, B = to("a.example"), to("b.example")


async def test_the_connection_given_back_last_serves_the_same_origin_first() -> None:
    async with Rig() as rig:
        (one, first), (two, second) = await rig.used(A), await rig.used(A)
        one.give()
        two.give()
        _, again = await rig.used(A)
        assert second is again is not first


async def test_another_origin_and_one_that_is_not_checked_get_their_own() -> None:
    async with Rig() as rig:
        slot, first = await rig.used(to("a.example", listed=True))
        slot.give()
        _, other = await rig.used(A)
        _, third = await rig.used(B)
        assert 3 == len({id(first), id(other), id(third)})


async def test_a_slot_that_dials_again_closes_what_it_had() -> None:
    async with Rig() as rig:
        slot, first = await rig.used(A)
        slot.give()
        slot, second = await rig.used(A)
        third = await slot.connect(fresh=True)
        assert (first, None) == (second, second.sock)
        assert third is not first
        assert 0 == rig.pool.idle


async def test_giving_and_dropping_twice_makes_room_once() -> None:
    async with Rig(connections_max=1) as rig:
        slot, connection = await rig.used(A)
        slot.give()
        slot.drop()
        slot.give()
        assert (1, 1) == (rig.pool.idle, rig.pool.origins)
        assert connection.sock is not None
        slot, _ = await rig.used(A)
        slot.drop()
        assert (0, 0) == (rig.pool.idle, rig.pool.origins)


async def test_at_the_cap_requests_wait_in_turn() -> None:
    order: list[int] = []
    async with Rig(connections_max=1) as rig:

        async def use(number: int) -> None:
            slot, _ = await rig.used(A)
            order.append(number)
            slot.give()

        slot, _ = await rig.used(A)
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(use, number)
                await trio.testing.wait_all_tasks_blocked()
            assert [] == order
            slot.give()
        assert ([0, 1, 2], 1) == (order, len(rig.pairs.made))


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    async with Rig(connections_max=1, requests_max=2) as rig:
        slot, _ = await rig.used(A)
        for _ in range(3):
            with trio.CancelScope() as scope:
                scope.cancel()
                await rig.pool.slot(A)
        slot.drop()
        assert 0 == rig.pool.origins


async def test_more_requests_than_the_bound_are_shed() -> None:
    async with Rig(requests_max=2) as rig:
        await rig.used(A)
        await rig.used(B)
        with pytest.raises(ShedError):
            await rig.pool.slot(A)


async def test_the_connection_idle_for_longest_makes_room_for_another() -> None:
    async with Rig(idle_max=2) as rig, AsyncExitStack():
        slots = [await rig.used(to(f"{letter}.example")) for letter in "abc"]
        for slot, _ in slots:
            slot.give()
        assert (2, 2) == (rig.pool.idle, rig.pool.origins)
        assert [None] == [c.sock for _, c in slots if c.sock is None]
        assert slots[0][1].sock is None


async def test_what_is_idle_for_too_long_serves_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with Rig(idle_s=Seconds(30.0)) as rig:
        slot, old = await rig.used(A)
        slot.give()
        await trio.sleep(31)
        _, new = await rig.used(A)
        assert (None, 0) == (old.sock, rig.pool.idle)
        assert new is not old


async def test_a_connection_that_the_far_side_closed_serves_nobody() -> None:
    async with Rig() as rig:
        slot, old = await rig.used(A)
        slot.give()
        rig.pairs.made[0][1].close()  # type: ignore[attr-defined]
        _, new = await rig.used(A)
        assert new is not old


async def test_a_pool_that_is_closed_keeps_nothing_and_begins_nothing() -> None:
    async with Rig() as rig:
        (idle, _), (used, connection) = await rig.used(A), await rig.used(B)
        idle.give()
        rig.pool.close()
        used.give()
        assert (0, 0, None) == (rig.pool.idle, rig.pool.origins, connection.sock)
        with pytest.raises(ShedError):
            await rig.pool.slot(A)
