"""Names are asked for once in a while, together, and without waiting for a resolver that hangs."""

import socket
import threading
from typing import Any

import pytest
import trio
import trio.testing

from proxy.errors import UpstreamUnavailableError
from proxy.net.addresses import (
    ADDRESSES_MAX,
    FAILED_S,
    FAMILY_S,
    FRESH_S,
    LOOKUPS_MAX,
    PATIENCE_S,
    STALE_S,
    Address,
    Addresses,
    Resolver,
    interleaved,
)

FOUR: Address = (socket.AF_INET, ("127.0.0.1", 80))
OTHER_FOUR: Address = (socket.AF_INET, ("127.0.0.2", 80))
SIX: Address = (socket.AF_INET6, ("::1", 80, 0, 0))


class Names:
    """A resolver whose answers are set by hand, and a clock that is turned by hand."""

    def __init__(self, *answer: Address) -> None:
        self.answer: list[Address] = list(answer)
        """Nothing: the lookup fails."""
        self.asked = 0
        self.now = 1000.0
        self.free = threading.Event()
        """Cleared: lookups hang."""
        self.free.set()
        self.resolver = Resolver(self._look_up)

    def _look_up(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        self.free.wait(5)
        if not self.answer:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.answer

    def addresses(self, host: str = "a.test") -> Addresses:
        clock: Any = lambda: self.now
        return Addresses(host, 80, clock, self.resolver)


@pytest.fixture
def names() -> Any:
    made = Names(FOUR)
    yield made
    made.free.set()


async def test_what_is_fresh_is_not_asked_for_again(names: Names) -> None:
    found = names.addresses()
    assert [FOUR] == await found.find()
    names.now += FRESH_S - 1
    assert ([FOUR], 1) == (await found.find(), names.asked)
    names.now += 2
    names.answer = [OTHER_FOUR]
    assert ([OTHER_FOUR], 2) == (await found.find(), names.asked)


async def test_those_who_wait_share_one_lookup_and_may_leave_it(names: Names) -> None:
    names.free.clear()
    found = names.addresses()
    results: list[list[Address]] = []

    async def look() -> None:
        results.append(await found.find())

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.02) as scope:  # the one who began it
            await found.find()
        for _ in range(5):
            nursery.start_soon(look)
        await trio.testing.wait_all_tasks_blocked()
        names.free.set()
    assert scope.cancelled_caught
    assert ([[FOUR]] * 5, 1) == (results, names.asked)


async def test_a_failure_is_remembered_for_a_moment(names: Names) -> None:
    names.answer = []
    found = names.addresses()
    for _ in range(3):
        with pytest.raises(UpstreamUnavailableError, match="Proxy's name does not resolve"):
            await found.find("Proxy")
    assert 1 == names.asked
    names.answer = [FOUR]
    names.now += FAILED_S
    assert ([FOUR], 2) == (await found.find(), names.asked)


async def test_stale_addresses_are_better_than_none(names: Names) -> None:
    found = names.addresses()
    await found.find()
    names.answer = []
    names.now += FRESH_S + 1
    for _ in range(3):
        assert [FOUR] == await found.find()
    assert 2 == names.asked, "a failure was not remembered"
    names.now += STALE_S
    with pytest.raises(UpstreamUnavailableError, match="resolve"):
        await found.find()


async def test_stale_addresses_do_while_the_resolver_hangs(names: Names) -> None:
    found = names.addresses()
    await found.find()
    names.free.clear()
    names.now += FRESH_S + 1
    with trio.move_on_after(0.02) as scope:
        await found.find()
    assert scope.cancelled_caught, "the resolver was not given its time"
    names.now += PATIENCE_S
    for _ in range(3):
        assert [FOUR] == await found.find()
    assert 2 == names.asked
    names.answer = [OTHER_FOUR]
    names.free.set()
    with trio.fail_after(2):
        while await found.find() == [FOUR]:
            await trio.sleep(0.001)


async def test_a_resolver_that_hangs_takes_few_threads_and_none_of_trios(names: Names) -> None:
    names.free.clear()
    before = trio.to_thread.current_default_thread_limiter().borrowed_tokens
    places = [names.addresses(f"n{n}.test") for n in range(LOOKUPS_MAX + 9)]
    for found in places * 3:
        with trio.move_on_after(0) as scope:
            await found.find()
        assert scope.cancelled_caught
    with trio.fail_after(2):
        while names.asked < LOOKUPS_MAX:
            await trio.sleep(0.001)
    await trio.sleep(0.02)
    assert LOOKUPS_MAX == names.asked
    assert before == trio.to_thread.current_default_thread_limiter().borrowed_tokens
    names.free.set()
    with trio.fail_after(2):
        assert [[FOUR]] * len(places) == [await found.find() for found in places]
    assert len(places) == names.asked


def test_a_lookup_may_outlive_the_loop(names: Names) -> None:
    names.free.clear()

    async def leave() -> None:
        with trio.move_on_after(0.01):
            await names.addresses().find()

    trio.run(leave)
    names.free.set()  # an error in the thread would be a warning, and so a failure here
    while any(thread.name.startswith("lookup") for thread in threading.enumerate()):
        pass


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", FOUR), ("::1", SIX)])
async def test_an_address_is_not_looked_up(names: Names, host: str, expected: Address) -> None:
    found = names.addresses(host)
    names.now += 10 * STALE_S

    assert ([expected], 0) == (await found.find(), names.asked)


async def test_no_name_at_all_does_not_resolve() -> None:
    clock: Any = lambda: 0.0
    for host in ("x" * 64 + ".test", "a..test"):  # refused by IDNA, before anybody is asked
        with pytest.raises(UpstreamUnavailableError, match="resolve"), trio.fail_after(2):
            await Addresses(host, 80, clock, Resolver()).find()


@pytest.mark.parametrize(
    ("given", "first", "expected"),
    [
        ([FOUR, OTHER_FOUR, SIX], socket.AF_INET6, [SIX, FOUR, OTHER_FOUR]),
        ([SIX, FOUR, OTHER_FOUR], socket.AF_INET, [FOUR, SIX, OTHER_FOUR]),
        ([FOUR, OTHER_FOUR], socket.AF_INET6, [FOUR, OTHER_FOUR]),
        ([], socket.AF_INET6, []),
        ([FOUR] * 20 + [SIX], socket.AF_INET, ([FOUR, SIX] + [FOUR] * 20)[:ADDRESSES_MAX]),
    ],
)
def test_families_take_turns(given: list[Address], first: int, expected: list[Address]) -> None:
    assert expected == interleaved(given, first)


async def test_the_family_that_won_is_tried_first_for_a_while(names: Names) -> None:
    names.answer = [FOUR, SIX]
    found = names.addresses()
    assert [SIX, FOUR] == await found.find()
    found.won(socket.AF_INET)
    for _ in range(2):
        names.now += FAMILY_S / 2 - 1
        found.won(socket.AF_INET)  # which does not prolong it, or IPv6 would never be tried again
        assert [FOUR, SIX] == await found.find()
    names.now += 3
    assert [SIX, FOUR] == await found.find()
