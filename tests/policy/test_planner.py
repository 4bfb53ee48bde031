"""Plans: which endpoints may serve, in what order, and what is said when none may."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from proxy.errors import InvalidRequestError, NoEndpointError
from proxy.model.endpoint import Endpoint, Model, Prices
from proxy.policy.planner import NEVER, blended, make_plan
from proxy.policy.pricing import worst_case
from proxy.units import NanoDollarsPerMillion
from tests.fakes.things import a_call, a_model, a_provider, an_endpoint


def priced(name: str, prompt: int, completion: int, **changes: Any) -> Endpoint:
    prices = Prices(
        NanoDollarsPerMillion(prompt * 10**9), NanoDollarsPerMillion(completion * 10**9)
    )
    provider = a_provider(
        name,
        **{k: changes.pop(k) for k in ("trains_on_prompts", "retains_prompts") if k in changes},
    )
    return an_endpoint(prices=prices, provider=provider, **changes)


CHEAP = priced("cheap", 1, 2, trains_on_prompts=True)
MIDDLE = priced("middle", 2, 4, tag="fp8", quantization="fp8", trains_on_prompts=False)
DEAR = priced("dear", 4, 8, trains_on_prompts=False, retains_prompts=False)
MODEL = a_model(DEAR, CHEAP, MIDDLE)


def planned(
    preferences: dict[str, Any] | None = None,
    *models: Model,
    ceilings: dict[str, Any] | None = None,
    attempts_max: int = 3,
) -> list[str]:
    call = a_call(provider=preferences or {})
    plan = make_plan(call, models or (MODEL,), ceilings or {}, attempts_max=attempts_max)
    return [offer.provider.id for offer in plan.offers]


def test_the_cheapest_comes_first() -> None:
    assert ["cheap", "middle", "dear"] == planned()


def test_equal_prices_are_ordered_by_name_whatever_the_catalogue_says() -> None:
    one, two = priced("b", 1, 1), priced("a", 1, 1)

    assert ["a", "b"] == planned({}, a_model(one, two)) == planned({}, a_model(two, one))


def test_a_model_asked_for_first_is_served_first_whatever_it_costs() -> None:
    assert ["dear", "cheap"] == planned({}, a_model(DEAR), a_model(CHEAP))


def test_no_more_attempts_are_planned_than_allowed() -> None:
    assert ["cheap", "middle"] == planned(attempts_max=2)


def test_prompt_tokens_weigh_three_times() -> None:
    assert (3 * 1 + 2) * 10**9 == blended(CHEAP)


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        ({"order": ["dear"]}, ["dear", "cheap", "middle"]),
        ({"order": ["dear", "middle"]}, ["dear", "middle", "cheap"]),
        ({"order": ["DEAR", "nobody"]}, ["dear", "cheap", "middle"]),
        ({"order": ["middle/fp8"]}, ["middle", "cheap", "dear"]),
        ({"order": ["middle/fp16"]}, ["cheap", "middle", "dear"]),
        ({"order": []}, ["cheap", "middle", "dear"]),
        ({"order": ["dear"], "allow_fallbacks": False}, ["dear"]),
        ({"allow_fallbacks": True}, ["cheap", "middle", "dear"]),
        ({"only": ["dear", "middle"]}, ["middle", "dear"]),
        ({"only": ["Middle"]}, ["middle"]),
        ({"only": ["middle/fp8"]}, ["middle"]),
        ({"only": []}, ["cheap", "middle", "dear"]),
        ({"only": None}, ["cheap", "middle", "dear"]),
        ({"ignore": ["cheap"]}, ["middle", "dear"]),
        ({"ignore": ["middle/fp8", "cheap"]}, ["dear"]),
        ({"data_collection": "deny"}, ["middle", "dear"]),
        ({"data_collection": "allow"}, ["cheap", "middle", "dear"]),
        ({"zdr": True}, ["dear"]),
        ({"zdr": False}, ["cheap", "middle", "dear"]),
        ({"quantizations": ["fp8"]}, ["middle"]),
        ({"quantizations": ["unknown"]}, ["cheap", "dear"]),
        ({"max_price": {"prompt": 2}}, ["cheap", "middle"]),
        ({"max_price": {"completion": "2"}}, ["cheap"]),
        ({"max_price": {"prompt": 4.0, "completion": 4}}, ["cheap", "middle"]),
        ({"max_price": {"prompt": None}}, ["cheap", "middle", "dear"]),
        ({"unknown": 1}, ["cheap", "middle", "dear"]),
    ],
    ids=str,
)
def test_a_clients_preferences_are_kept(preferences: dict[str, Any], expected: list[str]) -> None:
    assert expected == planned(preferences)


def test_the_operators_ceilings_hold_beside_the_clients_wishes() -> None:
    assert ["middle", "dear"] == planned({}, ceilings={"data_collection": "deny"})
    assert ["middle"] == planned({"only": ["cheap", "middle"]}, ceilings={"ignore": ["cheap"]})
    with pytest.raises(NoEndpointError):
        planned(
            {"data_collection": "allow", "only": ["cheap"]}, ceilings={"data_collection": "deny"}
        )


def test_what_is_not_known_of_a_provider_counts_against_it() -> None:
    model = a_model(priced("mute", 1, 1))

    for preferences in ({"zdr": True}, {"data_collection": "deny"}):
        with pytest.raises(NoEndpointError, match="data policy for maker/model"):
            planned(preferences, model)


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        ({"only": ["nobody"]}, "Providers serving maker/model: cheap, dear, middle."),
        ({"max_price": {"prompt": 0}}, "No endpoints found for maker/model."),
    ],
)
def test_an_empty_plan_says_why(preferences: dict[str, Any], message: str) -> None:
    with pytest.raises(NoEndpointError, match=message):
        planned(preferences)


@pytest.mark.parametrize(
    ("preferences", "path"),
    [
        ({"order": "dear"}, r"\$\.provider\.order"),
        ({"only": [1]}, r"\$\.provider\.only"),
        ({"ignore": {}}, r"\$\.provider\.ignore"),
        ({"quantizations": ["fp8", None]}, r"\$\.provider\.quantizations"),
        ({"max_price": {"prompt": "cheap"}}, r"\$\.provider\.max_price\.prompt"),
        ({"max_price": {"completion": -1}}, r"\$\.provider\.max_price\.completion"),
        ({"max_price": {"completion": True}}, r"\$\.provider\.max_price\.completion"),
    ],
    ids=str,
)
def test_a_preference_of_the_wrong_type_is_named(preferences: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError, match=path):
        planned(preferences)


def test_the_hold_covers_the_dearest_offer_and_no_hedge_is_planned_yet() -> None:
    call = a_call(max_tokens=10)
    plan = make_plan(call, [MODEL], {}, attempts_max=2)

    assert (NEVER, 10) == (plan.hedge_after_s, plan.output_tokens_max)
    assert worst_case(call, MIDDLE) == plan.cost_max


ENDPOINTS = st.lists(
    st.builds(priced, st.sampled_from("abcdef"), st.integers(0, 9), st.integers(0, 9)), max_size=8
)


@given(
    st.lists(ENDPOINTS, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "order": st.lists(st.sampled_from("abc")),
            "only": st.lists(st.sampled_from("abcdef")),
            "ignore": st.lists(st.sampled_from("abc")),
            "max_price": st.fixed_dictionaries({"prompt": st.integers(0, 9)}),
        },
    ),
    st.integers(1, 3),
)
def test_a_plan_offers_what_is_allowed_or_there_is_none(
    models: list[list[Endpoint]], preferences: dict[str, Any], attempts_max: int
) -> None:
    call = a_call(provider=preferences)
    allowed = {
        id(e)
        for endpoints in models
        for e in endpoints
        if (not preferences.get("only") or e.provider.id in preferences["only"])
        and e.provider.id not in preferences.get("ignore", [])
        and e.prices.prompt <= preferences.get("max_price", {}).get("prompt", 9) * 10**9
    }
    asked = [Model("maker/model", "M", 0, 1, tuple(endpoints)) for endpoints in models]
    if not allowed:
        with pytest.raises(NoEndpointError):
            make_plan(call, asked, {}, attempts_max=attempts_max)
        return

    plan = make_plan(call, asked, {}, attempts_max=attempts_max)

    assert min(len(allowed), attempts_max) == len(plan.offers)
    assert {id(offer) for offer in plan.offers} <= allowed
    assert plan.cost_max == max(worst_case(call, offer) for offer in plan.offers)
