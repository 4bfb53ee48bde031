"""A model's endpoints, arranged once: cheapest first, within the operator's ceilings."""

from dataclasses import replace
from itertools import permutations

import pytest

from proxy.model.endpoint import Endpoint, Prices
from proxy.model.preferences import Preferences
from proxy.policy.roster import (
    ANY_INPUT,
    UNBOUNDED,
    blended,
    make_roster,
    running_weights,
    supports,
    weight,
)
from tests.fakes.market import market, names, seller, usd

FLEX = seller("acme", 0.5, tag="flex", tier="flex", context_length=500, output_tokens_max=7)
CHEAP, ALIKE, DEAR = seller("b", 1, 2), seller("a", 1, 2), seller("c", 4)


@pytest.mark.parametrize("endpoints", list(permutations([CHEAP, ALIKE, DEAR, FLEX])), ids=str)
def test_the_cheapest_come_first_whatever_the_catalogue_says(
    endpoints: tuple[Endpoint, ...],
) -> None:
    roster = make_roster(market(*endpoints))

    assert ["acme/flex", "a", "b", "c"] == names(roster.every)
    assert ["a", "b", "c"] == names(roster.usual)
    assert (500, 7) == (roster.context_min, roster.output_min)


def test_prompt_tokens_weigh_three_times() -> None:
    assert usd(3 * 1 + 2) == blended(CHEAP)


def test_half_the_price_has_four_times_the_weight_and_what_is_free_takes_all() -> None:
    assert pytest.approx(4) == weight(seller("x", 1)) / weight(seller("y", 2))
    assert weight(seller("free", 0)) > 1e9 * weight(seller("z", 0.001))


def test_sums_run_over_the_usual_ones() -> None:
    roster = make_roster(market(FLEX, CHEAP, DEAR))
    one, two = weight(CHEAP), weight(DEAR)

    assert (one, one + two) == roster.cumulative == running_weights(roster.usual)


def test_ceilings_leave_out_and_tiers_are_covered() -> None:
    roster = make_roster(market(FLEX, CHEAP, DEAR), Preferences(ignore=("acme", "b")))

    assert ["c"] == names(roster.every)


@pytest.mark.parametrize(("allowed", "left"), [(True, 1), (False, 0), (None, 0)], ids=str)
def test_ceilings_may_demand_distillable_models(allowed: bool | None, left: int) -> None:
    model = replace(market(CHEAP), distillable=allowed)

    assert left == len(make_roster(model, Preferences(distillable=True)).every)
    assert 1 == len(make_roster(model).every)


def test_a_roster_may_be_empty() -> None:
    roster = make_roster(market(CHEAP), Preferences(only=()))

    assert ((), (), (), UNBOUNDED, UNBOUNDED) == (
        roster.every, roster.usual, roster.cumulative, roster.context_min, roster.output_min,
    )  # fmt: skip
    assert (frozenset(), False, False) == (roster.silent_on, roster.caches, roster.own_keys)


def test_endpoints_that_list_nothing_take_everything() -> None:
    listing = replace(CHEAP, supported_parameters=("tools",))

    assert (True, True, False) == (
        supports(CHEAP, "x"), supports(listing, "tools"), supports(listing, "verbosity"),
    )  # fmt: skip
    assert frozenset() == make_roster(market(CHEAP)).silent_on
    assert {"response_format", "structured_outputs", "verbosity"} == make_roster(
        market(CHEAP, listing)
    ).silent_on


def test_what_matters_now_and_then_is_noted() -> None:
    prices = Prices(usd(1), usd(1), cache_read=usd(0.1))
    caching, own = replace(CHEAP, prices=prices), replace(DEAR, own_key="last")

    assert (True, False) == (make_roster(market(caching)).caches, make_roster(market(CHEAP)).caches)
    assert (True, False) == (make_roster(market(own)).own_keys, make_roster(market(CHEAP)).own_keys)


def test_unknown_kinds_of_input_are_tried() -> None:
    assert ANY_INPUT == make_roster(market(CHEAP, inputs_known=False)).modalities
    assert {"text"} == make_roster(market(CHEAP)).modalities
