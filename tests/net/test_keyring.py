"""Several keys of one provider: turns by weight, limits, rests, and a line that is first come first served."""

import logging
import math
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from proxy.errors import CredentialsBusyError, ShedError
from proxy.model.endpoint import Credential
from proxy.net.key import Lease
from proxy.net.keyring import Keyring, Waiter
from proxy.units import Seconds
from tests.fakes.things import a_provider

Told = list[tuple[str, float | None]]


def a_ring(*said: Credential, waiters_max: int = 9, told: Told | None = None) -> Keyring:
    """Keys "0", "1", …; their heads say which."""
    heads: list[Any] = [{"chat": b"%d" % place} for place in range(max(len(said), 1))]
    provider = a_provider(
        api_key=None if said else "env:KEY",
        credentials=said,
        credential_waiters_max=waiters_max,
    )
    clock: Any = trio.current_time
    return Keyring(
        provider,
        heads,
        clock=clock,
        on_rest=lambda *said: None if told is None else told.append(said),
    )


def key(**fields: Any) -> Credential:
    return Credential("env:KEY", **fields)


def taken(ring: Keyring, tokens: int = 1) -> Lease:
    lease = ring.take(tokens, now())
    assert lease is not None
    return lease


def name(lease: Lease) -> str:
    return lease.key.heads["chat"].decode()


def now() -> Seconds:
    return Seconds(trio.current_time())


async def wait_all_blocked() -> None:
    await trio.testing.wait_all_tasks_blocked()


# --- whose turn it is ------------------------------------------------------------------------------
async def test_turns_are_spread_evenly_by_weight_and_always_the_same() -> None:
    for _ in range(2):
        ring = a_ring(key(weight=3), key(), key(weight=1))
        assert "0 1 0 2 0 0 1 0 2 0".split() == [name(taken(ring)) for _ in range(10)]


async def test_a_key_that_rests_or_is_at_a_limit_is_passed_over() -> None:
    ring = a_ring(key(max_concurrency=1), key(weight=5), key(weight=9))
    ring.limited(next(x for x in iter(lambda: taken(ring), None) if name(x) == "2"), 50.0, now())
    names = [name(taken(ring)) for _ in range(6)]

    assert ({"0", "1"}, 1) == (set(names), names.count("0"))


async def test_a_single_key_without_limits_is_given_to_everybody_and_counts_nothing() -> None:
    for ring in (a_ring(), a_ring(key())):
        first = taken(ring)
        ring.refused(first, now())
        assert first is taken(ring)
        assert not ring.counts
        assert ring.take_another(1, now()) is None
        report = ring.statistics()[0]
        assert (None, None, "credential") == (
            report.in_progress,
            report.requests_60s,
            report.reason,
        )
        assert ring.keys[0].allowance is None
    assert a_ring(key(rpm=1)).counts


async def test_a_429_does_not_rest_a_single_key_without_limits() -> None:
    told: Told = []
    ring = a_ring(told=told)
    ring.limited(taken(ring), 30.0, now())

    assert ([], False) == (told, ring.rests(now()))


# --- health ----------------------------------------------------------------------------------------
async def test_a_provider_rests_when_the_last_of_its_keys_does_until_the_first_is_back(
    autojump_clock: MockClock,
) -> None:
    told: Told = []
    ring = a_ring(key(), key(), told=told)
    first, second = taken(ring), taken(ring)
    start = now()
    ring.limited(first, 40.0, now())
    assert ([], False) == (told, ring.rests(now()))
    ring.limited(second, 20.0, now())
    assert [("acme", start + 20.0)] == told
    assert ring.take(1, now()) is None
    ring.limited(second, None, now())
    assert 1 == len(told), "nothing has changed"
    await trio.sleep(20)
    again = taken(ring)
    assert name(second) == name(again)
    ring.succeeded(again, now())
    assert [("acme", None)] == told[1:]
    await trio.sleep(30)
    ring.limited(again, 1.0, now())
    ring.succeeded(again, now())
    assert 2 == len(told), "the other one could be used all the time"


async def test_a_success_that_was_sent_before_the_rest_wakes_nobody() -> None:
    told: Told = []
    ring = a_ring(told=told)
    ring.refused(taken(ring), now())
    ring.succeeded(taken(ring), Seconds(now() - 1))

    assert [now() + 10] == pytest.approx([until for _, until in told], abs=1)
    assert ring.rests(now())


async def test_a_run_of_refusals_is_told_once_by_the_keys_label(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    ring = a_ring(key(), key())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ring.refused(taken(ring), now())
            ring.refused(taken(ring), now())
            await trio.sleep(301)
    said = [record.getMessage() for record in caplog.records]

    assert 2 == len(said)
    assert ["#1", "#2"] == sorted(line[line.index("#") :][:2] for line in said)
    assert all("alert" in line for line in said)


# --- the line --------------------------------------------------------------------------------------
async def in_line(ring: Keyring, nursery: trio.Nursery, served: list[Any], *sizes: int) -> None:
    """Requests of these sizes, in this order; `served` gets (place, when, lease)."""
    start = now()

    async def one(place: int, waiter: Waiter) -> None:
        lease = await ring.turn(waiter)
        lease.sent(now())
        served.append((place, round(trio.current_time() - start, 3), lease))

    for place, size in enumerate(sizes):
        nursery.start_soon(one, place, ring.line_up(size, now(), Seconds(now() + 1000)))
    await wait_all_blocked()


async def test_what_is_given_back_goes_to_the_first_in_line_and_to_nobody_else() -> None:
    ring, served = a_ring(key(max_concurrency=1)), []
    lease = taken(ring)
    assert ring.take(1, now()) is None
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1, 1, 1)
        for count in (1, 2, 3):
            lease.release()
            assert ring.take(1, now()) is None, "who came later was given what others wait for"
            await wait_all_blocked()
            assert [*range(count)] == [place for place, _, _ in served]
            lease = served[-1][2]
    lease.release()
    assert (0, 0) == (ring.waiting, ring.statistics()[0].in_progress)


async def test_the_line_moves_at_the_very_moment_that_a_limit_opens(
    autojump_clock: MockClock,
) -> None:
    ring, served = a_ring(key(rpm=2)), []
    for _ in range(2):
        lease = taken(ring)
        lease.sent(now())
        lease.release()
        await trio.sleep(10)
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1, 1, 1)

    assert [(0, 40.05), (1, 50.05), (2, 100.1)] == [(place, when) for place, when, _ in served]


async def test_the_line_moves_when_a_rest_ends(autojump_clock: MockClock) -> None:
    ring, served = a_ring(key(), key()), []
    for hint in (30.0, 20.0):
        ring.limited(taken(ring), hint, now())
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1, 1)

    assert [20.0, 20.0] == [when for _, when, _ in served]


async def test_the_line_moves_when_a_success_ends_a_rest(autojump_clock: MockClock) -> None:
    ring, served = a_ring(key(max_concurrency=2), key(max_concurrency=1)), []
    leases = [taken(ring) for _ in range(3)]
    ring.limited(leases[0], 30.0, now())
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1)
        await trio.sleep(3)
        ring.succeeded(leases[0], now())
        leases[0].release()

    assert [3.0] == [when for _, when, _ in served]


async def test_a_large_request_is_not_overtaken_by_small_ones(autojump_clock: MockClock) -> None:
    ring, served = a_ring(key(tpm=100)), []
    lease = taken(ring, 80)
    lease.sent(now())
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 96, 5)
        assert ring.take(5, now()) is None, "who came later went past those who wait"

    assert [(0, 60.05), (1, 120.1)] == [(place, when) for place, when, _ in served]


async def test_who_leaves_lets_those_behind_go_if_they_can(autojump_clock: MockClock) -> None:
    ring, served = a_ring(key(tpm=100)), []
    taken(ring, 80).sent(now())
    large = ring.line_up(90, now(), Seconds(now() + 1000))
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 5)
        assert [] == served
        ring.leave(large)

    assert [0.0] == [when for _, when, _ in served]


async def test_a_key_that_its_waiter_does_not_take_is_handed_on() -> None:
    ring, served = a_ring(key(max_concurrency=1)), []
    lease = taken(ring)
    gone = ring.line_up(1, now(), Seconds(now() + 9))
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1)
        lease.release()
        await wait_all_blocked()
        assert ([], True) == (served, gone.lease is not None)
        ring.leave(gone)
    assert 1 == len(served)


async def test_a_wait_that_was_cancelled_keeps_its_place(autojump_clock: MockClock) -> None:
    ring, served = a_ring(key(max_concurrency=1)), []
    lease = taken(ring)
    waiter = ring.line_up(1, now(), Seconds(now() + 9))
    for _ in range(3):
        with trio.move_on_after(1) as scope:
            await ring.turn(waiter)
        assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1)
        lease.release()
        (await ring.turn(waiter)).release()
    assert 1 == len(served)


async def test_somebody_watches_the_time_though_the_first_in_line_is_away(
    autojump_clock: MockClock,
) -> None:
    """A race that reassures its client does not wait for the key just then."""
    ring, served = a_ring(key(rpm=1)), []
    taken(ring).sent(now())
    away = ring.line_up(1, now(), Seconds(now() + 1000))
    async with trio.open_nursery() as nursery:
        await in_line(ring, nursery, served, 1)
        with trio.move_on_after(5):
            await ring.turn(away)
        await trio.sleep(60)
        assert away.lease is not None
        (await ring.turn(away)).release()  # unsent: so it costs nothing

    assert [65.0] == [when for _, when, _ in served]


async def test_somebody_else_watches_the_time_when_the_one_who_did_goes_away(
    autojump_clock: MockClock,
) -> None:
    ring, served = a_ring(key(rpm=1)), []
    taken(ring).sent(now())
    away = ring.line_up(1, now(), Seconds(now() + 1000))

    async def wait_a_while() -> None:
        with trio.move_on_after(5):
            await ring.turn(away)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_a_while)
        await wait_all_blocked()
        await in_line(ring, nursery, served, 1)
        await trio.sleep(61)
        assert away.lease is not None
        ring.leave(away)

    assert [61.0] == [when for _, when, _ in served]


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_and_no_minute_has_too_many_however_waits_are_cancelled(
    seed: int, autojump_clock: MockClock
) -> None:
    import random

    draw = random.Random(seed)
    ring = a_ring(key(rpm=5, max_concurrency=2), key(tpm=300, weight=2), waiters_max=30)
    sent: dict[str, list[tuple[float, int]]] = {"0": [], "1": []}
    failed = 0

    async def one() -> None:
        nonlocal failed
        tokens, lease, waiter = draw.choice((1, 20, 90)), None, None
        await trio.sleep(draw.uniform(0, 200))
        try:
            lease = ring.take(tokens, now())
            if lease is None:
                waiter = ring.line_up(tokens, now(), Seconds(now() + 100))
            while lease is None and waiter is not None:
                with trio.move_on_after(draw.uniform(0, 40)):
                    lease = await ring.turn(waiter)
                    waiter = None
                if waiter is not None and draw.random() < 0.2:
                    break
            if lease is not None and draw.random() < 0.9:
                await trio.sleep(draw.uniform(0, 1))
                lease.sent(now())
                sent[name(lease)].append((trio.current_time(), tokens))
                await trio.sleep(draw.uniform(0, 5))
                if draw.random() < 0.1:
                    ring.limited(lease, None, now())
        except ShedError:
            failed += 1
        finally:
            if waiter is not None:
                ring.leave(waiter)
            if lease is not None:
                lease.release()

    async with trio.open_nursery() as nursery:
        for _ in range(300):
            nursery.start_soon(one)

    assert 0 == ring.waiting
    assert [0, 0] == [report.in_progress for report in ring.statistics()]
    assert min(len(sent["0"]), len(sent["1"])) > 10
    for start, _ in sent["0"]:
        assert 5 >= sum(start <= when <= start + 60 for when, _ in sent["0"])
    for start, _ in sent["1"]:
        assert 300 >= sum(tokens for when, tokens in sent["1"] if start <= when <= start + 60)


# --- refused ---------------------------------------------------------------------------------------
async def test_a_full_line_is_a_429_that_says_whose_limit_it_is_and_when_to_come_back(
    autojump_clock: MockClock,
) -> None:
    ring = a_ring(key(rpm=1), waiters_max=1)
    taken(ring).sent(now())
    waiter = ring.line_up(1, now(), Seconds(now() + 100))
    await trio.sleep(20.5)
    with pytest.raises(CredentialsBusyError, match="More than 1 requests wait") as caught:
        ring.line_up(1, now(), Seconds(now() + 100))
    full, late = caught.value, ring.late(waiter)

    for error in (full, late):
        assert (429, "other", "gateway") == (error.status, error.retry, error.source)
        assert {"limit_source": "gateway_provider_credentials"} == error.metadata
        assert (("retry-after", "40"),) == error.headers
    assert "in time" in late.message


async def test_who_would_wait_in_vain_is_told_at_once() -> None:
    ring = a_ring(key(rpm=1))
    taken(ring).sent(now())
    with pytest.raises(CredentialsBusyError, match="in time") as caught:
        ring.line_up(1, now(), Seconds(now() + 5))
    assert (("retry-after", "61"),) == caught.value.headers
    assert 0 == ring.waiting


async def test_a_request_that_no_key_can_ever_send_is_told_so() -> None:
    ring = a_ring(key(tpm=100), key(tpm=50))
    with pytest.raises(CredentialsBusyError, match="more tokens than any key") as caught:
        ring.line_up(101, now(), Seconds(now() + 500))

    assert () == caught.value.headers


async def test_where_all_keys_were_refused_nobody_is_told_of_a_rate_limit() -> None:
    ring = a_ring(key(), key())
    for lease in (taken(ring), taken(ring)):
        ring.refused(lease, now())
    with pytest.raises(ShedError) as caught:
        ring.line_up(1, now(), Seconds(now() + 5))

    assert (503, (("retry-after", "10"),)) == (caught.value.status, caught.value.headers)


async def test_while_only_an_end_helps_the_hint_is_a_second() -> None:
    ring = a_ring(key(max_concurrency=1), waiters_max=1)
    taken(ring)
    waiter = ring.line_up(1, now(), Seconds(now() + 5))

    assert (("retry-after", "1"),) == ring.late(waiter).headers
    assert math.inf == ring._next_opening()


# --- what is shown ---------------------------------------------------------------------------------
async def test_statistics_name_no_secret() -> None:
    ring = a_ring(key(rpm=9), key())
    leases = [taken(ring, 7), taken(ring, 7)]
    for lease in leases:
        lease.sent(now())
    ring.limited(leases[1], 9.0, now())
    first, second = ring.statistics()

    assert ("acme#1", 1, 1, 7, None, None) == (
        first.label, first.in_progress, first.requests_60s, first.tokens_60s, first.reason,
        first.until,
    )  # fmt: skip
    assert ("acme#2", 1, None, None, "rate_limit") == (
        second.label, second.in_progress, second.requests_60s, second.tokens_60s, second.reason,
    )  # fmt: skip
    assert (second.until or 0) > now() + 8
