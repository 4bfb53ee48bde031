"""Slow clients are ended in their time and told why; honest ones never notice. Limits are scaled down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.hostile.arena import Arena, arena, read_out, split_answers
from tests.hostile.slow_attacks import READING, SENDING, SHAKING, Slow, piecewise, shaken, silent
from tests.hostile.whole_attacks import LIVE
from tests.rig import head

LIMIT_S = 0.5
SLACK_S = 2.0
"""How much later than its limit a client may be ended: the reaper looks each second."""
LIMITS = dict.fromkeys(
    ("head_time_s", "idle_connection_s", "body_grace_s", "reader_s"), LIMIT_S
) | {"body_rate_min": 1024, "reader_rate_min": 1024}
WINDOW_BYTES = 1024
HONEST_S = 0.05
LEAVING = 2
"""Connections that have lost their place, and are not closed yet."""
OTHERS = 2
"""The neighbour's connection, and the one that asks for the count."""
HOME, CROWD = "127.0.0.1", "127.0.0.2"
"""Where honest clients come from, and a crowd."""


@asynccontextmanager
async def honest_all_along(a: Arena) -> AsyncIterator[None]:
    """Ask over both doors while the block runs; every request must be answered as it should."""
    asked, faults = 0, []

    async def ask(door: str) -> None:
        nonlocal asked
        while True:
            with trio.CancelScope(shield=True):
                wrong = await a.honest(door)
            asked += 1
            if wrong:
                faults.append(f"{door}: {wrong}")
            await trio.sleep(HONEST_S)

    async with trio.open_nursery() as nursery:
        for door in a.urls:
            nursery.start_soon(ask, door)
        yield
        nursery.cancel_scope.cancel()
    assert not faults, faults
    assert asked


async def attack(a: Arena, slow: Slow, door: str, *, raw: bool) -> str:
    """Be this client until the gateway ends it; "" or what is wrong with how that went."""
    began = trio.current_time()
    async with await a.dial(door, raw=raw) as stream:
        if isinstance(stream, trio.SSLStream):
            await stream.do_handshake()
        with trio.move_on_after(LIMIT_S + SLACK_S) as patience:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(act, slow, stream)
                received, _ = await read_out(stream)
                nursery.cancel_scope.cancel()
        if patience.cancelled_caught:
            return "never ended"
    answers, rest = split_answers(received)
    last = answers[-1] if answers else None
    if rest or (last and last.status) != slow.status:
        return f"told {[answer.status for answer in answers]} {rest[:50]!r}"
    if slow.status == 408 and last and last.headers.get("connection") != "close":
        return "told 408 without connection: close"
    return "" if trio.current_time() - began >= LIMIT_S or slow.limit == "linger" else "too early"


async def act(slow: Slow, stream: trio.abc.Stream) -> None:
    """Go on for as long as the connection does."""
    try:
        await slow.act(stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
        pass


@pytest.mark.parametrize("door", ["clear", "tls"])
async def test_a_slow_sender_is_ended_in_its_time_and_told(tmp_path: Path, door: str) -> None:
    faults: dict[str, str] = {}
    shaking = SHAKING if door == "tls" else []
    async with arena(tmp_path, limits=LIMITS) as a:

        async def run(slow: Slow, raw: bool) -> None:
            if wrong := await attack(a, slow, door, raw=raw):
                faults[slow.name + " (TCP)" * raw] = wrong

        async with honest_all_along(a), trio.open_nursery() as nursery:
            for slow in SENDING:
                nursery.start_soon(run, slow, False)
            for slow in shaking:
                nursery.start_soon(run, slow, True)
        cut = await a.metric('hedgerow_connections_cut_total{reason="slow"}')
    assert not faults, "\n".join(f"{name}: {wrong}" for name, wrong in sorted(faults.items()))
    assert cut == sum(slow.limit != "linger" for slow in [*SENDING, *shaking])


@pytest.mark.parametrize("door", ["clear", "tls"])
async def test_a_slow_reader_loses_its_place_in_its_time(tmp_path: Path, door: str) -> None:
    async with arena(tmp_path, limits=LIMITS) as a, trio.open_nursery() as nursery:

        async def run(slow: Slow) -> None:
            window = WINDOW_BYTES if slow.narrow else 0
            async with await a.dial(door, window=window) as stream:
                await act(slow, stream)
                await trio.sleep_forever()  # it sees no end, so that its own may not be the cause

        for slow in READING:
            nursery.start_soon(run, slow)
        with trio.fail_after(3):
            while await a.open_connections() < OTHERS + len(READING):
                await trio.sleep(0.01)
        await a.rig.one.wait_served(len(READING))
        with trio.fail_after(LIMIT_S + SLACK_S):
            while await a.open_connections() > OTHERS:
                await trio.sleep(0.05)
                assert "" == await a.honest(door)
        nursery.cancel_scope.cancel()


HOARDS = {
    "silent ones": ("clear", False, Slow("", silent, "")),
    "idle ones": ("clear", False, Slow("", piecewise(head("GET", "/healthz/live")), "")),
    "half heads": ("clear", False, Slow("", piecewise(LIVE), "")),
    "idle ones in TLS": ("tls", False, Slow("", piecewise(head("GET", "/healthz/live")), "")),
    "silent ones in TLS": ("tls", False, Slow("", shaken, "")),
    "handshakes that do not begin": ("tls", True, Slow("", silent, "")),
    "half hellos": ("tls", True, SHAKING[1]),
}
IDLE = ("silent ones", "idle ones", "idle ones in TLS", "silent ones in TLS")


async def crowd(a: Arena, case: str, count: int, source: str) -> int:
    """Let `count` connections come; the most that were open at a time."""
    door, raw, slow = HOARDS[case]
    most = 0

    async def come() -> None:
        async with await a.dial(door, raw=raw, source=source) as stream:
            await act(slow, stream)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(come)
            await trio.sleep(0.005)
            most = max(most, await a.open_connections())
        nursery.cancel_scope.cancel()
    return most


async def test_a_crowd_from_one_address_keeps_nobody_else_out(tmp_path: Path) -> None:
    limits = {"connections_max": 16, "connections_per_address_max": 8}
    async with arena(tmp_path, limits=limits) as a, honest_all_along(a):
        most = {case: await crowd(a, case, 40, CROWD) for case in HOARDS}
    assert all(8 <= count <= 16 for count in most.values()), most


async def test_idle_connections_make_way_for_clients_of_their_own_address(tmp_path: Path) -> None:
    limits = {"connections_max": 12, "connections_per_address_max": 8}
    async with arena(tmp_path, limits=limits) as a, honest_all_along(a):
        most = {case: await crowd(a, case, 40, HOME) for case in IDLE}
    assert all(count <= 8 + LEAVING for count in most.values()), most


@pytest.mark.parametrize("door", ["clear", "tls"])
async def test_a_connection_ends_behind_its_last_request(tmp_path: Path, door: str) -> None:
    async with arena(tmp_path, limits={"requests_per_connection_max": 5}) as a:
        outcome = await a.fire((LIVE + b"\r\n") * 20, door=door)
        assert (True, [200] * 5, b"") == (outcome.ended, outcome.statuses, outcome.rest)
        told = [answer.headers.get("connection") for answer in outcome.answers]
        assert [None, None, None, None, "close"] == told
