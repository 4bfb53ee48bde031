"""Each filter: whom it lets through, and what it says of the others."""

from typing import Any

import pytest

from proxy.model.preferences import Preferences, PriceCeiling
from proxy.policy.filters import OPERATOR, Filter, demand_filters, preference_filters
from tests.fakes.market import seller, usd
from tests.fakes.things import a_call

USUAL = seller("acme", 2, 3, trains_on_prompts=False, retains_prompts=False, shown="Acme Inc")
FP8 = seller("acme", 2, 3, tag="fp8", quantization="fp8")
FLEX = seller("acme", 1, tag="flex", tier="flex", quantization="fp8", shown="Acme Inc")
OTHER = seller("other", 2, 3, trains_on_prompts=True, request=5)
EVERY = [USUAL, FP8, FLEX, OTHER]
NAMES = ["usual", "fp8", "flex", "other"]


def passing(filters: list[Filter]) -> list[str]:
    return [
        name
        for name, endpoint in zip(NAMES, EVERY, strict=True)
        if all(one.passes(endpoint) for one in filters)
    ]


ROWS: list[tuple[str, dict[str, Any], list[str], str, str]] = [
    ("3.1 a provider, but not its tiers", {"only": ("acme",)}, ["usual", "fp8"],
     "allowed_providers", "not in provider.only"),
    ("3.1 the displayed name", {"only": ("acme inc",)}, ["usual"],
     "allowed_providers", "not in provider.only"),
    ("3.1 exactly that endpoint", {"only": ("acme/fp8",)}, ["fp8"],
     "allowed_providers", "not in provider.only"),
    ("3.1 a tier by its name", {"only": ("acme/flex",)}, ["flex"],
     "allowed_providers", "not in provider.only"),
    ("3.2 only, empty", {"only": ()}, [], "allowed_providers", "not in provider.only"),
    ("3.2 ignore", {"ignore": ("acme",)}, ["other"],
     "ignored_providers", "in provider.ignore"),
    ("3.2 ignore a tier", {"ignore": ("acme/flex", "other")}, ["usual", "fp8"],
     "ignored_providers", "in provider.ignore"),
    ("3.2 the listed order alone", {"order": ("other",), "allow_fallbacks": False}, ["other"],
     "allowed_providers", "not in provider.order, and fallbacks are not allowed"),
    ("3.2 data_collection", {"deny_collection": True}, ["usual"],
     "data_policy:training", "may train on prompts (provider.data_collection)"),
    ("3.2 zdr", {"zdr": True}, ["usual"], "data_policy:zdr", "may keep prompts (provider.zdr)"),
    ("3.2 quantizations", {"quantizations": frozenset(("fp8",))}, ["fp8", "flex"],
     "quantization", "quantization is unknown"),
    ("3.2 max_price prompt", {"price_max": PriceCeiling(prompt=usd(1.5))}, ["flex"],
     "max_price", "prompt costs $2 per million (provider.max_price)"),
    ("3.2 max_price completion", {"price_max": PriceCeiling(completion=usd(2))}, ["flex"],
     "max_price", "output costs $3 per million (provider.max_price)"),
    ("3.2 max_price request", {"price_max": PriceCeiling(request=usd(1))}, ["usual", "fp8", "flex"],
     "max_price", "its price per request is above provider.max_price"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "expected", "code", "why"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_preference_lets_through_and_says_why_not(
    fields: dict[str, Any], expected: list[str], code: str, why: str
) -> None:
    filters = preference_filters(Preferences(**fields))
    out = [e for name, e in zip(NAMES, EVERY, strict=True) if name not in expected]

    assert expected == passing(filters)
    assert {code} == {one.code for one in filters}
    assert why in {one.why(endpoint) for one in filters for endpoint in out}


def test_no_wish_is_no_filter() -> None:
    assert [] == preference_filters(Preferences(order=("acme",), price_max=PriceCeiling()))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"only": ("acme",)}, ["usual", "fp8", "flex"]),
        ({"only": ("acme inc",)}, ["usual", "flex"]),
        ({"only": ("acme/fp8",)}, ["fp8"]),
        ({"ignore": ("acme",)}, ["other"]),
        ({"ignore": ("acme/flex",)}, ["usual", "fp8", "other"]),
    ],
    ids=str,
)
def test_an_operator_who_names_a_provider_means_its_tiers_too(
    fields: dict[str, Any], expected: list[str]
) -> None:
    filters = preference_filters(Preferences(**fields), whose=OPERATOR)

    assert expected == passing(filters)
    assert all(one.why(USUAL).endswith(("policy.only", "policy.ignore")) for one in filters)


SMALL = seller("small", 1, context_length=1_000, output_tokens_max=100)
LARGE = seller("large", 1, context_length=100_000, supported_parameters=("temperature",))
NOTHING = Preferences()


def test_a_request_that_fits_everywhere_needs_no_filter() -> None:
    call = a_call(max_tokens=100)
    call.prompt_bytes = 4_500

    assert [] == demand_filters(call, NOTHING, 1_000, 100)


def test_a_long_prompt_needs_room_for_its_answer_too() -> None:
    call = a_call(messages=[{"role": "user", "content": "x" * 5_000}], max_tokens=50)
    call.prompt_bytes = 5_100
    (found,) = demand_filters(call, NOTHING, 1_000, 100)

    assert ("context_length", False, True) == (found.code, found.passes(SMALL), found.passes(LARGE))
    assert "context length 1000 is less than the 1050 tokens needed" == found.why(SMALL)


def test_a_body_that_is_long_for_other_reasons_is_looked_at_closely() -> None:
    picture = {"type": "image_url", "image_url": {"url": "x" * 50_000}}
    call = a_call(messages=[{"role": "user", "content": [picture]}])
    call.prompt_bytes = 50_100
    (found,) = demand_filters(call, NOTHING, 1_000, 100)

    assert found.passes(SMALL)


def test_a_cap_needs_an_endpoint_that_gives_as_much() -> None:
    (found,) = demand_filters(a_call(max_tokens=101), NOTHING, 1_000, 100)

    assert ("max_tokens", False, True) == (found.code, found.passes(SMALL), found.passes(LARGE))
    assert "gives at most 100 output tokens, 101 were asked for" == found.why(SMALL)


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ({"temperature": 1}, True),
        ({"seed": 1, "top_p": 1}, False),
        ({"max_tokens": 1}, True),
        ({"service_tier": "auto"}, True),
        ({"seed": None}, True),
    ],
    ids=str,
)
def test_parameters_can_be_required(body: dict[str, Any], passes: bool) -> None:
    call = a_call(**body)
    (found,) = demand_filters(call, Preferences(require_parameters=True), 10**6, 10**6)

    assert ("require_parameters", passes) == (found.code, found.passes(LARGE))
    assert found.passes(SMALL)  # it lists nothing, so nothing is known against it


def test_missing_parameters_are_named() -> None:
    call = a_call(seed=1, top_p=1, temperature=0)
    (found,) = demand_filters(call, Preferences(require_parameters=True), 10**6, 10**6)

    assert "does not support seed, top_p" == found.why(LARGE)
