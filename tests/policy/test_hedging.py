"""Races: one move for every state, and no state without one."""

import math
from typing import cast

import pytest
from hypothesis import given, strategies as st

from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError, UpstreamRefusedError, UpstreamTimeoutError
from proxy.model.meter import Delivered
from proxy.model.outcome import Failure, Opened, Reply
from proxy.model.plan import Plan
from proxy.policy.hedging import Commit, GiveUp, Race, Start, Wait, next_move
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import a_call, an_endpoint

OFFERS = tuple(an_endpoint(name) for name in ("one", "two", "three"))
LATE, REFUSED = UpstreamTimeoutError("late"), UpstreamRefusedError("no")


def a_race(offers: int = 3, hedge_after_s: float = 1.0) -> Race:
    return Race(Plan(OFFERS[:offers], Seconds(hedge_after_s), NanoDollars(0)))


def failure(error: HedgerowError = LATE) -> Failure:
    return Failure(OFFERS[0], error)


def opened() -> Opened:
    encoder = DIALECTS["openai-chat"].encode_response(a_call(), OFFERS[0])
    return Opened(OFFERS[0], cast("Reply", None), Delivered(), encoder)


def move(race: Race, now: float = 0.0) -> object:
    return next_move(race, now=Seconds(now))


def test_a_race_begins_with_the_first_offer() -> None:
    assert Start(OFFERS[0]) == move(a_race())


def test_silence_is_listened_to_until_the_hedge_is_due() -> None:
    race = a_race().began(Seconds(10.0))

    assert Wait(11.0) == move(race, 10.9)
    assert Start(OFFERS[1]) == move(race, 11.0)


def test_the_next_hedge_counts_from_the_newest_attempt() -> None:
    race = a_race().began(Seconds(10.0)).began(Seconds(11.0))

    assert Wait(12.0) == move(race, 11.5)


def test_a_race_that_never_hedges_waits_for_the_one_attempt() -> None:
    assert Wait(math.inf) == move(a_race(hedge_after_s=math.inf).began(Seconds(0.0)), 1e9)


def test_a_failure_starts_the_next_offer_at_once() -> None:
    assert Start(OFFERS[1]) == move(a_race().began(Seconds(0.0)).heard(failure()))


def test_a_failure_beside_a_running_attempt_waits_for_that_one() -> None:
    race = a_race().began(Seconds(0.0)).began(Seconds(1.0)).heard(failure())

    assert Wait(2.0) == move(race, 1.5)


def test_nothing_left_to_start_is_waited_for_or_given_up() -> None:
    race = a_race(1).began(Seconds(0.0))

    assert Wait(math.inf) == move(race, 99.0)
    assert GiveUp((failure(),)) == move(race.heard(failure()))


def test_a_refusal_ends_the_race_since_no_other_endpoint_would_differ() -> None:
    refused = failure(REFUSED)

    assert GiveUp((refused,)) == move(a_race().began(Seconds(0.0)).heard(refused))


def test_a_refusal_does_not_stop_an_attempt_that_is_running() -> None:
    race = a_race().began(Seconds(0.0)).began(Seconds(1.0)).heard(failure(REFUSED))

    assert Wait(math.inf) == move(race, 1.5)
    assert Wait(math.inf) == move(race, 99.0)


def test_an_open_reply_wins_whatever_else_happened() -> None:
    winner = opened()
    race = a_race().began(Seconds(0.0)).began(Seconds(1.0)).heard(failure()).heard(winner)

    assert winner is cast("Commit", move(race)).winner


def test_a_fact_makes_a_new_value() -> None:
    race = a_race()
    later = race.began(Seconds(5.0)).heard(failure())

    assert (0, 0.0, ()) == (race.started, race.newest, race.failures)
    assert (1, 5.0, 1) == (later.started, later.newest, len(later.failures))


@st.composite
def races(draw: st.DrawFn) -> tuple[Race, float]:
    offers = draw(st.integers(1, 3))
    race = a_race(offers, draw(st.sampled_from([0.0, 0.5, 2.0, math.inf])))
    now = 0.0
    for fails in draw(st.lists(st.sampled_from([None, LATE, REFUSED]), max_size=8)):
        now += draw(st.floats(0, 5))
        if fails is None and race.started < offers:
            race = race.began(Seconds(now))
        elif fails is not None and len(race.failures) < race.started:
            race = race.heard(failure(fails))
    if len(race.failures) < race.started and draw(st.booleans()):
        race = race.heard(opened())
    return race, now + draw(st.floats(0, 5))


@given(races())
def test_every_state_has_one_move_that_makes_sense(state: tuple[Race, float]) -> None:
    race, now = state
    running = race.started - len(race.failures)
    match move(race, now):
        case Commit(winner):
            assert winner is race.winner
        case Start(offer):
            assert offer is race.plan.offers[race.started]
            assert not running or now >= race.newest + race.plan.hedge_after_s
        case Wait(until):
            assert running
            assert until > now
        case GiveUp(failures):
            assert not running
            assert race.failures == failures
        case other:
            pytest.fail(f"no move: {other}")


@given(races(), st.lists(st.sampled_from([LATE, REFUSED]), max_size=3))
def test_every_race_ends(state: tuple[Race, float], fate: list[HedgerowError]) -> None:
    race, now = state
    for step in range(20):
        match move(race, now):
            case Start():
                race = race.began(Seconds(now))
            case Wait():
                race = race.heard(failure(fate[step % len(fate)] if fate else LATE))
            case _:
                return
    pytest.fail("still racing")
