"""Whether a hedge is affordable: every budget and guard by itself, and what was counted."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from proxy.config.settings import HedgingSettings
from proxy.live.hedges import ALLOWANCE, Hedges
from proxy.model.endpoint import Endpoint
from proxy.model.standing import Quantiles, Rest, RestReason, Snapshot, Standing
from proxy.policy.hedge_rules import expected_rest_s
from proxy.units import NANO, NanoDollars, Seconds
from tests.fakes.things import an_endpoint

ONE, TWO = an_endpoint("one"), an_endpoint("two")
NOW = Seconds(100.0)
FREE, CENT, DOLLAR = NanoDollars(0), NanoDollars(NANO // 100), NanoDollars(NANO)


def a_hedges(
    *, resting: dict[str, RestReason] | None = None, until: float = 101.0, endpoints: int = 4,
    figures: Quantiles | None = None, shared: int = 1_000_000, **settings: Any,
) -> Hedges:  # fmt: skip
    left = iter([True] * shared) if shared < 1_000_000 else iter(lambda: True, False)
    return Hedges(
        HedgingSettings(**settings),
        lambda: NOW,
        snapshot=Snapshot(
            standings={ONE.id: Standing(ttft=figures, samples=100)} if figures else {},
            resting={n: Rest(Seconds(until), why) for n, why in (resting or {}).items()},
        ),
        siblings={ONE.model: endpoints},
        withdraw=lambda _: next(left, False),
    )


def ask(
    hedges: Hedges, cost: NanoDollars = FREE, now: Seconds = NOW, *,
    target: Endpoint = TWO, cost_max: NanoDollars | None = None,
) -> str:  # fmt: skip
    return hedges.ask(ONE, target, cost, now, cost_max=cost_max)


def test_a_hedge_is_granted_and_counted() -> None:
    hedges = a_hedges()

    assert "" == ask(hedges)
    assert 1 == hedges.statistics().fired
    assert {} == hedges.statistics().skipped


def test_alone_in_the_world_it_grants_as_well() -> None:
    hedges = Hedges(HedgingSettings(), lambda: NOW)

    assert "" == ask(hedges)


# --- tokens -----------------------------------------------------------------------------------------
def test_without_tokens_there_is_no_hedge_until_requests_have_earned_one() -> None:
    hedges = a_hedges(budget_burst=2, budget_per_s=0)

    assert ["", "", "budget"] == [ask(hedges) for _ in range(3)]
    for _ in range(20):
        hedges.request(NOW)
    assert ["", "budget"] == [ask(hedges) for _ in range(2)]
    assert {"budget": 2} == hedges.statistics().skipped


def test_a_gateway_with_little_traffic_hedges_once_a_second() -> None:
    hedges = a_hedges(budget_burst=1)
    said = [ask(hedges, now=Seconds(at / 2)) for at in range(200, 206)]

    assert ["", "budget", "", "budget", "", "budget"] == said


def test_the_budget_that_retries_share_is_asked_as_well_and_keeps_the_token() -> None:
    hedges = a_hedges(shared=1)

    assert ["", "budget"] == [ask(hedges), ask(hedges)]
    assert 9 == hedges.statistics().tokens


def test_what_is_refused_for_another_reason_takes_no_token() -> None:
    hedges = a_hedges()
    for _ in range(20):
        ask(hedges, DOLLAR)

    assert 10 == hedges.statistics().tokens
    assert {"cost": 20} == hedges.statistics().skipped


# --- money ------------------------------------------------------------------------------------------
def test_hedges_may_cost_a_share_of_what_clients_paid_in_24_hours() -> None:
    hedges = a_hedges(budget_burst=1_000)
    hedges.spent(DOLLAR, NOW)

    assert ["", "", "cost"] == [ask(hedges, CENT) for _ in range(3)]
    assert "" == ask(hedges, FREE)
    assert 2 * CENT == hedges.statistics().cost_day
    assert DOLLAR == hedges.statistics().spent_day


def test_what_was_spent_and_lost_is_forgotten_after_a_day() -> None:
    hedges, later = a_hedges(), Seconds(NOW + 24 * 3600)
    hedges.spent(DOLLAR, NOW)
    assert ["", "", "cost"] == [ask(hedges, CENT) for _ in range(3)]

    assert "cost" == ask(hedges, CENT, later)
    hedges.spent(DOLLAR, later)
    assert "" == ask(hedges, CENT, later)


def test_a_new_gateway_has_an_allowance() -> None:
    hedges = a_hedges()
    assert "" == ask(hedges, ALLOWANCE)
    assert "cost" == ask(hedges, NanoDollars(1))

    hedges.spent(NanoDollars(CENT * 9), NOW)
    assert "cost" == ask(hedges, NanoDollars(1))
    hedges.spent(NanoDollars(CENT * 2), NOW)
    assert "" == ask(hedges, NanoDollars(1))


def test_who_wants_to_spend_nothing_hedges_where_it_is_free() -> None:
    hedges = a_hedges(cost_share_max=0)
    hedges.spent(DOLLAR, NOW)

    assert "cost" == ask(hedges, NanoDollars(1))
    assert "cost" == ask(a_hedges(cost_share_max=0), NanoDollars(1))
    assert "" == ask(hedges, FREE)


@pytest.mark.parametrize(
    ("cost", "cost_max", "expected"),
    [(5 * CENT, None, ""), (5 * CENT + 1, None, "cost"), (CENT, CENT, ""), (CENT + 1, CENT, "cost"),
     (5 * CENT + 1, DOLLAR, "cost")],
)  # fmt: skip
def test_one_hedge_costs_no_more_than_the_settings_and_the_request_say(
    cost: int, cost_max: NanoDollars | None, expected: str
) -> None:
    hedges = a_hedges()
    hedges.spent(NanoDollars(100 * DOLLAR), NOW)

    assert expected == ask(hedges, NanoDollars(cost), cost_max=cost_max)


def test_an_estimate_makes_room_for_what_is_owed() -> None:
    hedges = a_hedges()
    hedges.spent(DOLLAR, NOW)
    assert "" == ask(hedges, NanoDollars(2 * CENT))
    assert "cost" == ask(hedges, CENT)
    hedges.lost(ONE, TWO, NOW, booked=NanoDollars(2 * CENT), cost=CENT)

    assert CENT == hedges.statistics().cost
    assert "" == ask(hedges, CENT)


# --- guards -----------------------------------------------------------------------------------------
def test_where_a_fifth_of_200_are_late_nothing_is_hedged() -> None:
    hedges = a_hedges()
    for _ in range(39):
        hedges.late(NOW, ONE, True)
    assert "" == ask(hedges)
    hedges.late(NOW, ONE, True)
    assert "late" == ask(hedges)
    assert 0.2 == hedges.statistics().late_share

    for _ in range(161):
        hedges.late(NOW, ONE, False)
    assert "" == ask(hedges)


@pytest.mark.parametrize(
    ("resting", "endpoints", "expected"),
    [
        ({"three:maker/model": "breaker"}, 4, ""),
        ({"three:maker/model": "breaker"}, 3, "resting"),
        ({"three:maker/model": "breaker", "four/fp8:maker/model": "rate_limit"}, 4, "resting"),
        ({"three:maker/other": "breaker", "four:maker/other": "breaker"}, 4, ""),
        ({"three:maker/model:free": "breaker", "four:maker/model:free": "breaker"}, 4, ""),
        ({"two:maker/model": "breaker"}, 100, "resting"),
        ({"two": "credential"}, 100, "resting"),
        ({"one": "credential"}, 3, "resting"),
        ({"three": "credential", "four": "credential"}, 4, ""),
        ({}, 0, ""),
    ],
    ids=str,
)
def test_where_many_endpoints_of_the_model_rest_or_the_target_does_it_is_not_hedged(
    resting: dict[str, RestReason], endpoints: int, expected: str
) -> None:
    assert expected == ask(a_hedges(resting=resting, endpoints=endpoints))


def test_a_rest_that_is_over_counts_for_nothing() -> None:
    resting: dict[str, RestReason] = {"two:maker/model": "breaker", "one:maker/model": "breaker"}

    assert "" == ask(a_hedges(resting=resting, until=100.0))


def test_a_provider_that_fails_hedges_gets_none_until_it_has_answered_something() -> None:
    hedges = a_hedges()
    for _ in range(5):
        assert "" == ask(hedges)
        hedges.lost(ONE, TWO, NOW, booked=FREE, cost=FREE, failed=True)
    assert "throttled" == ask(hedges)
    assert "" == ask(hedges, target=an_endpoint("three"))
    hedges.succeeded("two")

    assert "" == ask(hedges)
    assert (5, 0) == (hedges.statistics().failed, hedges.statistics().lost)


def test_a_hedge_that_loses_throttles_nobody() -> None:
    hedges = a_hedges()
    for _ in range(9):
        hedges.lost(ONE, TWO, NOW, booked=FREE, cost=FREE)

    assert "" == ask(hedges)
    assert 9 == hedges.statistics().lost


# --- counting ---------------------------------------------------------------------------------------
def test_requests_that_are_never_hedged_are_counted_by_reason() -> None:
    hedges = a_hedges()
    for reason in ("alone", "", "alone", "request"):
        hedges.request(NOW, reason)

    assert {"alone": 2, "request": 1} == hedges.statistics().skipped


def test_a_hedge_that_wins_has_saved_what_its_primary_would_have_taken_at_least() -> None:
    figures = Quantiles(1.0, 2.0, 3.0, 10.0, p95=4.0)
    hedges = a_hedges(figures=figures)
    ask(hedges, NanoDollars(7))
    hedges.won(ONE, TWO, NOW, booked=NanoDollars(7), cost=NanoDollars(5), silence_s=4.0)
    told = hedges.statistics()

    assert (1, 5) == (told.won, told.cost)
    assert expected_rest_s(figures, 4.0) == told.saved_s
    assert told.saved_s > 1


@pytest.mark.parametrize(
    ("figures", "silence_s"),
    [(None, 4.0), (Quantiles(1, 2, 3, 10, 4), None)],
    ids=["unknown", "failed"],
)
def test_without_figures_or_silence_nothing_is_said_to_be_saved(
    figures: Quantiles | None, silence_s: float | None
) -> None:
    hedges = a_hedges(figures=figures)
    hedges.won(ONE, TWO, NOW, booked=FREE, cost=FREE, silence_s=silence_s)

    assert (1, 0.0) == (hedges.statistics().won, hedges.statistics().saved_s)


def test_a_standing_without_times_tells_nothing_either() -> None:
    hedges = Hedges(HedgingSettings(), lambda: NOW, snapshot=Snapshot({ONE.id: Standing()}))
    hedges.won(ONE, TWO, NOW, booked=FREE, cost=FREE, silence_s=1.0)

    assert 0.0 == hedges.statistics().saved_s


@given(
    st.lists(st.tuples(st.integers(0, 3 * CENT), st.floats(0, 600), st.floats(0, 1)), max_size=100)
)
def test_whatever_happens_hedges_cost_no_more_than_their_share(
    steps: list[tuple[int, float, float]],
) -> None:
    hedges, now, spent = a_hedges(budget_burst=1_000), 0.0, 0
    for cost, later, share in steps:
        now += later
        hedges.spent(NanoDollars(2 * CENT), Seconds(now))
        spent += 2 * CENT
        if not ask(hedges, NanoDollars(cost), Seconds(now)):
            owed = NanoDollars(int(cost * share))
            hedges.lost(ONE, TWO, Seconds(now), booked=NanoDollars(cost), cost=owed)
    told = hedges.statistics()

    assert told.cost <= max(0.02 * spent, ALLOWANCE)
    assert told.fired + sum(told.skipped.values()) == len(steps)
