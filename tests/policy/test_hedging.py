"""Races: one move for every state, and no state without one."""

import math
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from proxy.dialects.registry import DIALECTS
from proxy.errors import (
    HedgerowError,
    InvalidRequestError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
)
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Delivered
from proxy.model.outcome import Failure, Opened, Reply
from proxy.model.plan import Plan
from proxy.policy.hedge_rules import is_target
from proxy.policy.hedging import Commit, GiveUp, Race, Start, Wait, next_move, rules_out
from proxy.units import NanoDollars, Seconds
from tests.fakes.market import seller
from tests.fakes.things import a_call, a_provider, an_endpoint

OFFERS = ONE, TWO, THREE = tuple(an_endpoint(name) for name in ("one", "two", "three"))
TWIN = an_endpoint("one", tag="twin")
OTHER = an_endpoint("two", model="maker/other")
ABROAD = an_endpoint(a_provider("far", dialect="anthropic-messages"))
LATE, REFUSED = UpstreamTimeoutError("late"), UpstreamRefusedError("no")
UNSAYABLE = InvalidRequestError("cannot be said")
FOREVER = Wait(math.inf)


def race_of(*offers: Endpoint, hedge_after_s: float = math.inf, **fields: Any) -> Race:
    return Race(Plan(offers, Seconds(hedge_after_s), NanoDollars(0), **fields))


def a_race(*offers: Endpoint, **fields: Any) -> Race:
    """One that hedges after a second."""
    return race_of(*(offers or OFFERS), hedge_after_s=1.0, **fields)


def failure(
    error: HedgerowError = LATE, endpoint: Endpoint = ONE, *, sent: bool = False
) -> Failure:
    return Failure(endpoint, error, sent=sent)


def begun(race: Race, *offers: Endpoint, now: float = 0.0) -> Race:
    for offer in offers:
        race = race.began(offer, Seconds(now))
    return race


def after(race: Race, *failures: Failure) -> Race:
    """Each attempt in turn has failed; whatever they cost was paid."""
    for one in failures:
        race = begun(race, one.endpoint).heard(one)
    return race


def opened(endpoint: Endpoint = ONE) -> Opened:
    encoder = DIALECTS["openai-chat"].encode_response(a_call(), endpoint)
    return Opened(endpoint, cast("Reply", None), Delivered(), encoder)


def move(race: Race, now: float = 0.0) -> object:
    return next_move(race, now=Seconds(now))


# --- one after the other ---------------------------------------------------------------------------
def test_a_race_begins_with_the_first_offer() -> None:
    assert Start(ONE) == move(a_race())


def test_a_race_that_never_hedges_waits_for_the_one_attempt() -> None:
    assert FOREVER == move(begun(race_of(*OFFERS), ONE), 1e9)


def test_a_failure_starts_the_next_offer_at_once() -> None:
    assert Start(TWO) == move(after(a_race(), failure()))


def test_nothing_left_to_start_is_waited_for_or_given_up() -> None:
    race = begun(a_race(ONE), ONE)

    assert FOREVER == move(race, 99.0)
    assert GiveUp((failure(),)) == move(race.heard(failure()))


def test_a_refusal_ends_the_race_since_no_other_endpoint_would_differ() -> None:
    assert GiveUp((failure(REFUSED),)) == move(after(a_race(), failure(REFUSED)))


def test_an_endpoint_that_is_offered_twice_is_asked_twice() -> None:
    race = after(race_of(ONE, ONE), failure())

    assert Start(ONE) == move(race)
    assert GiveUp((failure(), failure())) == move(after(race, failure()))


def test_a_fact_makes_a_new_value() -> None:
    race = a_race()
    later = begun(race, ONE, now=5.0).heard(failure())

    assert (0, 0.0, (), 0) == (race.started, race.newest, race.failures, race.taken)
    assert (1, 5.0, 1, 1) == (later.started, later.newest, len(later.failures), later.taken)


# --- hedges ----------------------------------------------------------------------------------------
def test_silence_is_listened_to_until_the_hedge_is_due() -> None:
    race = begun(a_race(), ONE, now=10.0)

    assert Wait(11.0) == move(race, 10.9)
    assert Start(TWO, hedge=True) == move(race, 11.0)


def test_a_hedge_is_started_once_however_long_both_are_silent() -> None:
    race = begun(begun(a_race(), ONE), TWO, now=1.0)

    assert race.hedged
    assert not begun(a_race(), ONE).hedged
    assert FOREVER == move(race, 99.0)
    assert (ONE, TWO) == race.running


def test_no_second_hedge_follows_when_one_of_two_has_failed() -> None:
    race = begun(begun(a_race(), ONE), TWO, now=1.0).heard(failure(sent=True))

    assert (TWO,) == race.running
    assert FOREVER == move(race, 99.0)


def test_a_hedge_that_failed_leaves_the_primary_running() -> None:
    race = begun(begun(a_race(), ONE), TWO, now=1.0).heard(failure(endpoint=TWO, sent=True))

    assert (ONE,) == race.running
    assert FOREVER == move(race, 99.0)


def test_when_both_have_failed_the_next_is_a_retry_that_costs() -> None:
    race = begun(begun(a_race(), ONE), TWO, now=1.0)
    race = race.heard(failure(endpoint=TWO, sent=True)).heard(failure(sent=True))

    assert Start(THREE, costs=True) == move(race, 1.5)


def test_a_retry_may_be_hedged_if_nothing_was_yet() -> None:
    race = begun(after(a_race(), failure(sent=True)), TWO, now=5.0)

    assert Wait(6.0) == move(race, 5.5)
    assert Start(THREE, hedge=True) == move(race, 6.0)


def test_a_hedge_goes_to_another_provider() -> None:
    assert Start(TWO, hedge=True) == move(begun(a_race(ONE, TWIN, TWO), ONE), 1.0)


def test_offers_that_a_hedge_has_passed_over_are_still_there_for_retries() -> None:
    race = begun(a_race(ONE, TWIN, TWO), ONE)
    race = begun(race, TWO, now=1.0).heard(failure()).heard(failure(endpoint=TWO))

    assert Start(TWIN) == move(race, 1.0)


@pytest.mark.parametrize(
    "offers", [(ONE, TWIN), (ONE, OTHER), (ONE,)], ids=["twin", "other", "none"]
)
def test_without_another_provider_of_the_model_there_is_no_hedge(
    offers: tuple[Endpoint, ...],
) -> None:
    assert FOREVER == move(begun(a_race(*offers), ONE), 99.0)


def test_who_costs_more_than_twice_as_much_takes_no_hedge_unless_the_request_says_what_it_may_cost() -> (
    None
):
    cheap, dear = seller("cheap", 1), seller("dear", 3)
    race = begun(a_race(cheap, dear), cheap)
    paid = begun(a_race(cheap, dear, hedge_cost_max=NanoDollars(1)), cheap)

    assert FOREVER == move(race, 99.0)
    assert Start(dear, hedge=True) == move(paid, 99.0)
    assert Start(dear) == move(race.heard(failure(endpoint=cheap)), 99.0)


def test_a_hedge_that_is_refused_is_not_asked_for_again() -> None:
    race = begun(a_race(), ONE).unhedged("budget")

    assert "budget" == race.hedge_skipped
    assert not race.hedged
    assert FOREVER == move(race, 99.0)
    assert Start(TWO) == move(race.heard(failure()), 99.0)
    assert FOREVER == move(begun(race.heard(failure()), TWO, now=99.0), 199.0)


def test_a_refusal_without_a_reason_is_one_all_the_same() -> None:
    assert FOREVER == move(begun(a_race(), ONE).unhedged(""), 99.0)


def test_why_there_is_no_hedge_is_known_from_the_plan() -> None:
    assert "alone" == race_of(ONE, hedge_skipped="alone").hedge_skipped
    assert "" == a_race().hedge_skipped


def test_a_refused_offer_takes_no_hedge() -> None:
    race = begun(after(a_race(ONE, ABROAD, TWO), failure(UNSAYABLE)), ABROAD)

    assert FOREVER == move(race, 99.0)


def test_a_refusal_does_not_stop_an_attempt_that_is_running() -> None:
    race = begun(begun(a_race(), ONE), TWO, now=1.0).heard(failure(REFUSED))

    assert FOREVER == move(race, 1.5)


def test_whoever_opens_first_has_won_and_nothing_starts_behind_it() -> None:
    both = begun(begun(a_race(), ONE), TWO, now=1.0)
    for first, second in ((ONE, TWO), (TWO, ONE)):
        winner = opened(first)
        race = both.heard(winner)

        assert winner is cast("Commit", move(race, 99.0)).winner
        assert (second,) == race.running
        assert winner is cast("Commit", move(race.heard(opened(second)), 99.0)).winner
        assert winner is cast("Commit", move(race.heard(failure(endpoint=second)), 99.0)).winner


def test_only_what_runs_can_end() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        a_race().heard(failure())


# --- races that a client asked for -----------------------------------------------------------------
def test_a_race_of_two_starts_both_at_once_at_different_providers() -> None:
    race = a_race(ONE, TWIN, TWO, at_once=2)

    assert Start(ONE) == move(race)
    race = begun(race, ONE)
    assert Start(TWO) == move(race)
    race = begun(race, TWO)
    assert FOREVER == move(race, 0.5)
    assert not race.hedged


def test_a_race_takes_another_endpoint_of_a_provider_where_there_is_no_other_provider() -> None:
    assert Start(TWIN) == move(begun(a_race(ONE, OTHER, TWIN, at_once=2), ONE))


def test_a_race_has_no_more_attempts_than_there_are_of_the_model() -> None:
    assert FOREVER == move(begun(a_race(ONE, ABROAD, at_once=3), ONE, ABROAD), 99.0)
    assert FOREVER == move(begun(race_of(ONE, OTHER, at_once=2), ONE))


def test_a_race_of_three_starts_three() -> None:
    race = begun(a_race(at_once=3), ONE, TWO)

    assert Start(THREE) == move(race)
    assert FOREVER == move(begun(race, THREE), 99.0)


def test_one_of_a_race_that_is_left_alone_may_be_hedged_once() -> None:
    race = begun(a_race(at_once=2), ONE, TWO).heard(failure(sent=True))

    assert Start(THREE, hedge=True) == move(race, 1.0)
    assert begun(race, THREE, now=1.0).hedged


def test_a_race_that_could_not_be_started_goes_on_to_the_next() -> None:
    assert Start(TWO) == move(after(a_race(at_once=2), failure(sent=False)))


def test_attempts_that_start_together_are_no_retries() -> None:
    race = begun(a_race(at_once=2), ONE, TWO)
    race = race.heard(failure(sent=True)).heard(failure(endpoint=TWO, sent=True))

    assert Start(THREE, costs=True) == move(race)
    assert 1 == race.covered


# --- what a refusal rules out ----------------------------------------------------------------------
def test_a_refusal_leaves_offers_of_other_models() -> None:
    race = after(race_of(ONE, TWO, OTHER), failure(REFUSED))

    assert Start(OTHER) == move(race)
    assert GiveUp((failure(REFUSED), failure(LATE, OTHER))) == move(
        after(race, failure(LATE, OTHER))
    )


def test_what_cannot_be_said_in_one_dialect_may_be_said_in_another() -> None:
    assert Start(ABROAD) == move(after(race_of(ONE, TWO, ABROAD), failure(UNSAYABLE)))


def test_what_cannot_be_said_is_said_to_other_models_all_the_same() -> None:
    race = after(race_of(ONE, OTHER, TWO), failure(UNSAYABLE))

    assert Start(OTHER) == move(race)
    assert GiveUp((failure(UNSAYABLE), failure(LATE, OTHER))) == move(
        after(race, failure(LATE, OTHER))
    )


# --- what a retry costs ----------------------------------------------------------------------------
def test_the_first_attempt_is_free() -> None:
    assert Start(ONE, costs=False) == move(a_race())


@pytest.mark.parametrize("sent", [True, False])
def test_a_retry_of_what_a_provider_may_have_seen_costs(sent: bool) -> None:
    assert Start(TWO, costs=sent) == move(after(a_race(), failure(sent=sent)))


def test_a_retry_that_was_paid_and_never_sent_is_not_paid_twice() -> None:
    race = after(a_race(), failure(sent=True), failure(endpoint=TWO, sent=False))

    assert Start(THREE, costs=False) == move(race)


@pytest.mark.parametrize("first", [True, False])
def test_every_failure_that_was_sent_is_paid_for(first: bool) -> None:
    race = after(a_race(), failure(sent=first), failure(endpoint=TWO, sent=True))

    assert Start(THREE, costs=True) == move(race)


def test_a_retry_that_is_denied_ends_the_race() -> None:
    race = after(a_race(), failure(sent=True)).denied()

    assert GiveUp((failure(sent=True),), denied=True) == move(race)


def test_nothing_left_to_try_is_no_denial() -> None:
    assert GiveUp((failure(sent=True),)) == move(after(a_race(ONE), failure(sent=True)))


def test_an_attempt_that_runs_is_heard_even_where_no_more_may_start() -> None:
    assert FOREVER == move(begun(a_race(), ONE).denied(), 99.0)


# --- spares ----------------------------------------------------------------------------------------
SPARES = (an_endpoint("four"), an_endpoint("five"))


def test_who_could_not_be_reached_is_replaced_by_a_spare() -> None:
    race = race_of(ONE, TWO, spares=SPARES)
    asked = []
    while isinstance(found := move(race), Start):
        asked.append(found.offer.provider.id)
        race = after(race, failure(endpoint=found.offer, sent=False))

    assert ["one", "two", "four", "five"] == asked
    assert isinstance(found, GiveUp)


def test_no_more_attempts_reach_a_provider_than_there_are_offers() -> None:
    unsent = after(race_of(ONE, TWO, spares=SPARES), failure(sent=False))
    sent = after(unsent, failure(endpoint=TWO, sent=True))
    again = after(sent, failure(endpoint=SPARES[0], sent=True))

    assert Start(SPARES[0], costs=True) == move(sent)
    assert isinstance(move(again), GiveUp)
    assert not cast("GiveUp", move(again)).denied


def test_a_spare_is_no_hedge_where_there_is_one_attempt_only() -> None:
    assert FOREVER == move(begun(a_race(ONE, spares=SPARES), ONE), 5.0)


def test_a_spare_takes_the_hedge_where_no_offer_is_at_another_provider() -> None:
    assert Start(SPARES[0], hedge=True) == move(begun(a_race(ONE, TWIN, spares=SPARES), ONE), 5.0)


# --- all states ------------------------------------------------------------------------------------
ERRORS = (LATE, REFUSED, UNSAYABLE)
EVERY = (*OFFERS, TWIN, OTHER, ABROAD)
Fates = list[tuple[str, float, bool]]
FATES = st.lists(
    st.tuples(
        st.sampled_from(["time", "deny", "unhedge", "late", "refused", "unsayable", "opened"]),
        st.floats(0, 5),
        st.booleans(),
    ),
    max_size=12,
)


@st.composite
def plans(draw: st.DrawFn) -> Race:
    offers = draw(st.lists(st.sampled_from(EVERY), min_size=1, max_size=4))
    return race_of(
        *offers,
        hedge_after_s=draw(st.sampled_from([0.0, 0.5, 2.0, math.inf])),
        spares=tuple(draw(st.lists(st.sampled_from(EVERY), max_size=2))),
        at_once=draw(st.sampled_from([1, 1, 2, 3])),
        hedge_cost_max=draw(st.sampled_from([None, NanoDollars(1)])),
    )


def check(race: Race, now: float) -> object:
    """The move, if it is one that makes sense."""
    found, room = move(race, now), len(race.plan.offers)
    sent = sum(one.sent for one in race.failures)
    match found:
        case Commit(winner):
            assert winner is race.winner
        case Start(offer, costs, hedge):
            assert offer in race.plan.offers + race.plan.spares
            assert not any(rules_out(failure, offer) for failure in race.failures)
            assert not race.refused
            assert len(race.running) + sent < room
            assert not costs or (not race.running and sent)
            if hedge:
                dearer = race.plan.hedge_cost_max is not None
                assert 1 == len(race.running)
                assert not race.hedged and not race.skipped
                assert is_target(offer, race.running[0], dearer=dearer)
                assert now >= race.newest + race.plan.hedge_after_s
            else:
                assert not race.running or race.started < race.plan.at_once
        case Wait(until):
            assert race.running
            assert until > now
        case GiveUp(failures, denied):
            assert not race.running
            assert race.failures == failures
            assert race.refused or not denied
        case other:
            pytest.fail(f"no move: {other}")
    assert len(race.running) <= max(2, race.plan.at_once)
    assert len(race.running) + sent <= room
    assert race.started == len(race.running) + len(race.failures) + (race.winner is not None)
    unsent = sum(not failure.sent for failure in race.failures)
    assert max(race.started - 1, 0) <= race.covered + unsent
    return found


@given(plans(), FATES)
def test_every_state_has_one_move_that_makes_sense_and_every_race_ends(
    race: Race, fates: Fates
) -> None:
    now, hedges = 0.0, 0
    for fate, span, flag in fates + [("late", 0.0, True)] * 20:
        found = check(race, now)
        if isinstance(found, (Commit, GiveUp)):
            return
        if isinstance(found, Start):
            if found.costs and fate == "deny":
                race = race.denied()
            elif found.hedge and fate == "unhedge":
                race = race.unhedged("budget")
            else:
                hedges += found.hedge
                race = race.began(found.offer, Seconds(now))
                assert race.hedged == (hedges > 0)
            continue
        now += span
        ended = race.running[-1 if flag else 0]
        if fate == "opened":
            race = race.heard(opened(ended))
        elif fate in ("late", "refused", "unsayable"):
            error = {"late": LATE, "refused": REFUSED, "unsayable": UNSAYABLE}[fate]
            race = race.heard(failure(error, ended, sent=flag))
        assert hedges <= 1
    pytest.fail("still racing")
