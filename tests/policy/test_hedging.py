"""Races as transcripts: facts in, moves out."""

import math

from hypothesis import given, strategies as st

from proxy.errors import InvalidRequestError, UpstreamTimeoutError
from proxy.model.meter import Delivered
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.net.reply import WholeReply
from proxy.policy.hedging import Commit, GiveUp, Race, Start, Wait, next_move
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import an_endpoint

FIRST, SECOND = an_endpoint("one"), an_endpoint("two")


def a_race(hedge_after_s: float = math.inf) -> Race:
    return Race(Plan((FIRST, SECOND), Seconds(hedge_after_s), NanoDollars(1)))


def lost(endpoint: object = FIRST) -> Failure:
    return Failure(endpoint, UpstreamTimeoutError("late"))  # type: ignore[arg-type]


def won() -> Opened:
    return Opened(FIRST, WholeReply(), Delivered(), None)  # type: ignore[arg-type]


def move(race: Race, now: float = 0.0) -> object:
    return next_move(race, now=Seconds(now))


def test_the_first_offer_starts_at_once_and_the_next_only_on_failure() -> None:
    race = a_race()
    assert Start(FIRST) == move(race)
    race = race.began(Seconds(0.0))
    assert Wait(math.inf) == move(race, 1e9)
    race = race.heard(lost())
    assert Start(SECOND) == move(race)
    race = race.began(Seconds(1.0)).heard(lost(SECOND))
    assert isinstance(move(race), GiveUp)


def test_silence_starts_another_attempt_when_the_plan_says_so() -> None:
    race = a_race(hedge_after_s=2.0).began(Seconds(1.0))

    assert Wait(3.0) == move(race, 2.9)
    assert Start(SECOND) == move(race, 3.0)
    assert Wait(math.inf) == move(race.began(Seconds(3.0)), 9.0)


def test_a_winner_ends_the_race() -> None:
    winner = won()
    found = move(a_race().began(Seconds(0.0)).heard(winner))

    assert isinstance(found, Commit)
    assert winner is found.winner


def test_what_no_other_endpoint_would_answer_differently_is_given_up() -> None:
    refused = Failure(FIRST, InvalidRequestError("bad"))

    assert isinstance(move(a_race().began(Seconds(0.0)).heard(refused)), GiveUp)


@given(st.lists(st.sampled_from(["fail", "win", "wait"]), max_size=6), st.floats(0, 5))
def test_every_race_ends_within_its_plan(facts: list[str], hedge_after_s: float) -> None:
    race, now = a_race(hedge_after_s), 0.0
    for fact in facts:
        now += 1.0
        while isinstance(found := move(race, now), Start):
            race = race.began(Seconds(now))
        if isinstance(found, Commit | GiveUp):
            return
        if fact != "wait":
            race = race.heard(won() if fact == "win" else lost())
        assert race.started <= 2
