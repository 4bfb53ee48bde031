"""Offers: who may serve, cheapest first, within what client and operator allow."""

from typing import Any

import pytest

from proxy.errors import InvalidRequestError, NoEndpointError
from proxy.model.endpoint import Endpoint, Prices
from proxy.policy.planner import make_plan
from proxy.units import NanoDollarsPerMillion as Price
from tests.fakes.things import a_call, a_model, a_provider, an_endpoint


def priced(name: str, usd: int, **provider: Any) -> Endpoint:
    price = Price(usd * 10**9)
    return an_endpoint(provider=a_provider(name, **provider), prices=Prices(price, price))


DEAR = priced("dear", 9, trains_on_prompts=False, retains_prompts=False)
CHEAP = priced("cheap", 1, trains_on_prompts=True)
MIDDLE = priced("middle", 5, trains_on_prompts=False)
ALL = (DEAR, CHEAP, MIDDLE)


def offers(
    preferences: dict[str, Any] | None = None, ceilings: dict[str, Any] | None = None, **limits: int
) -> list[str]:
    plan = make_plan(
        a_call(provider=preferences),
        [a_model(*ALL)],
        ceilings or {},
        attempts_max=limits.get("attempts_max", 3),
    )
    return [offer.provider.id for offer in plan.offers]


def test_the_cheapest_is_asked_first() -> None:
    assert ["cheap", "middle", "dear"] == offers()
    assert ["cheap", "middle"] == offers(attempts_max=2)


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        ({"order": ["Dear", "middle"]}, ["dear", "middle", "cheap"]),
        ({"only": ["dear"]}, ["dear"]),
        ({"ignore": ["cheap"]}, ["middle", "dear"]),
        ({"allow_fallbacks": False}, ["cheap"]),
        ({"data_collection": "deny"}, ["middle", "dear"]),
        ({"zdr": True}, ["dear"]),
        ({"max_price": {"prompt": 5}}, ["cheap", "middle"]),
        ({"max_price": {"completion": "1"}}, ["cheap"]),
        ({"quantizations": ["unknown"]}, ["cheap", "middle", "dear"]),
    ],
)
def test_preferences_choose_and_order(preferences: dict[str, Any], expected: list[str]) -> None:
    assert expected == offers(preferences)


def test_the_operators_ceilings_hold_whatever_is_asked() -> None:
    assert ["middle", "dear"] == offers({"data_collection": "allow"}, {"data_collection": "deny"})
    assert ["dear"] == offers({"ignore": ["middle"]}, {"ignore": ["cheap"]})


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        ({"only": ["nobody"]}, "No allowed providers are available"),
        ({"zdr": True, "ignore": ["dear"]}, "data policy"),
        ({"ignore": ["dear", "cheap", "middle"]}, "No endpoints found for maker/model"),
    ],
)
def test_an_empty_plan_says_what_emptied_it(preferences: dict[str, Any], message: str) -> None:
    with pytest.raises(NoEndpointError, match=message):
        offers(preferences)


@pytest.mark.parametrize(
    ("preferences", "path"),
    [
        ({"only": "dear"}, "provider.only"),
        ({"order": [1]}, "provider.order"),
        ({"max_price": {"prompt": "x"}}, "max_price.prompt"),
    ],
)
def test_a_preference_of_a_wrong_type_is_named(preferences: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError, match=path):
        offers(preferences)


def test_models_are_tried_in_the_order_asked() -> None:
    plan = make_plan(a_call(), [a_model(DEAR), a_model(CHEAP)], {}, attempts_max=3)

    assert [DEAR, CHEAP] == list(plan.offers)
