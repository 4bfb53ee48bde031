"""Clocks and ids: monotonic, virtual in tests, unique."""

import re
import time

import trio
from trio.testing import MockClock

from proxy.net.clock import FastClock, Identities, monotonic_clock, unix_seconds


async def test_the_clock_is_the_loops_own(autojump_clock: MockClock) -> None:
    clock = monotonic_clock()
    before = clock()
    await trio.sleep(1000)

    assert (trio.current_time(), 1000) == (clock(), clock() - before)


def test_the_fast_clock_is_the_systems_and_paces_the_loop() -> None:
    async def main() -> float:
        clock = monotonic_clock()
        assert clock is time.perf_counter
        before = clock()
        await trio.sleep(0.02)
        assert abs(trio.current_time() - clock()) < 0.01
        return clock() - before

    assert 0.02 <= trio.run(main, clock=FastClock()) < 0.5


def test_the_fast_clock_says_how_long_to_sleep() -> None:
    clock = FastClock()
    clock.start_clock()

    assert 4 < clock.deadline_to_sleep_time(clock.current_time() + 5) <= 5


def test_the_date_is_in_whole_seconds() -> None:
    assert abs(time.time() - unix_seconds()) <= 1
    assert isinstance(unix_seconds(), int)


def test_an_id_holds_its_date_and_is_never_given_twice() -> None:
    identities = Identities()
    ids = [identities.generation(17) for _ in range(1000)]

    assert 1000 == len(set(ids))
    assert all(re.fullmatch(r"gen-17-[0-9a-f]{20}", one) for one in ids)


def test_ids_repeat_only_with_their_seed() -> None:
    assert Identities(b"a").generation(1) == Identities(b"a").generation(1)
    assert Identities(b"a").generation(1) != Identities(b"b").generation(1)
    assert Identities().generation(1) != Identities().generation(1)
