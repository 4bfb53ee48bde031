"""Plans, row by row of what the API says of routing: hard and soft filters, orders, several models.

Rows are named as in the API reference that this follows: section, then row.
"""

from dataclasses import replace
from typing import Any

import pytest

from proxy.errors import NoEndpointError
from proxy.model.endpoint import Endpoint, Model
from proxy.policy.planner import SPARES_MAX, awake, make_plan, survey
from proxy.policy.pricing import worst_case
from proxy.policy.situation import Present, Target
from tests.fakes.market import (
    EARLIER,
    NOW,
    asking,
    at,
    knowing,
    market,
    names,
    planned,
    rosters,
    seller,
)
from tests.fakes.things import a_call

CHEAP = seller("cheap", 1, 2, trains_on_prompts=True, supported_parameters=("temperature",))
MIDDLE = seller(
    "middle", 2, 4, tag="fp8", quantization="fp8", trains_on_prompts=False, context_length=8_000,
    output_tokens_max=1_000,
)  # fmt: skip
DEAR = seller(
    "dear", 4, 8, trains_on_prompts=False, retains_prompts=False, shown="Dear Cloud", request=1_000,
    supported_parameters=("temperature", "tools", "response_format", "structured_outputs", "verbosity"),
)  # fmt: skip
MODEL = market(DEAR, CHEAP, MIDDLE)
EVERY = ["cheap", "middle/fp8", "dear"]
TOOL = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}
FAST_DEAR = knowing(
    throughput={"cheap": 10, "middle/fp8": 20, "dear": 90},
    ttft={"cheap": 3.0, "middle/fp8": 0.2, "dear": 1.0},
)

ROWS_3_2: list[tuple[str, dict[str, Any], list[str]]] = [
    ("order: first, then the others", {"order": ["dear"]}, ["dear", "cheap", "middle/fp8"]),
    ("order: as listed", {"order": ["dear", "middle"]}, ["dear", "middle/fp8", "cheap"]),
    ("order: who does not serve is skipped", {"order": ["nobody", "DEAR"]},
     ["dear", "cheap", "middle/fp8"]),
    ("order: no draw", {"order": ["middle"]}, ["middle/fp8", "cheap", "dear"]),
    ("order: empty", {"order": []}, EVERY),
    ("only", {"only": ["dear", "middle"]}, ["middle/fp8", "dear"]),
    ("only: null", {"only": None}, EVERY),
    ("only: empty", {"only": []}, []),
    ("only: nobody", {"only": ["nobody"]}, []),
    ("ignore", {"ignore": ["cheap"]}, ["middle/fp8", "dear"]),
    ("ignore beats only", {"ignore": ["cheap"], "only": ["cheap", "dear"]}, ["dear"]),
    ("allow_fallbacks: default", {"allow_fallbacks": True}, EVERY),
    ("allow_fallbacks: the top alone", {"allow_fallbacks": False}, ["cheap"]),
    ("allow_fallbacks: the listed order", {"allow_fallbacks": False, "order": ["dear", "cheap"]},
     ["dear", "cheap"]),
    ("allow_fallbacks: nobody listed serves", {"allow_fallbacks": False, "order": ["nobody"]}, []),
    ("allow_fallbacks: sorted", {"allow_fallbacks": False, "sort": "throughput"}, ["dear"]),
    ("data_collection: allow", {"data_collection": "allow"}, EVERY),
    ("data_collection: deny", {"data_collection": "deny"}, ["middle/fp8", "dear"]),
    ("zdr", {"zdr": True}, ["dear"]),
    ("zdr: false", {"zdr": False}, EVERY),
    ("enforce_distillable_text", {"enforce_distillable_text": True}, []),
    ("quantizations", {"quantizations": ["fp8", "int4"]}, ["middle/fp8"]),
    ("quantizations: undeclared is unknown", {"quantizations": ["unknown"]}, ["cheap", "dear"]),
    ("sort: price", {"sort": "price"}, EVERY),
    ("sort: throughput", {"sort": "throughput"}, ["dear", "middle/fp8", "cheap"]),
    ("sort: latency", {"sort": "latency"}, ["middle/fp8", "dear", "cheap"]),
    ("sort: exacto", {"sort": "exacto"}, EVERY),
    ("sort: an object", {"sort": {"by": "latency", "partition": "model"}},
     ["middle/fp8", "dear", "cheap"]),
    ("max_price: prompt, a number", {"max_price": {"prompt": 2}}, ["cheap", "middle/fp8"]),
    ("max_price: completion, a string", {"max_price": {"completion": "2"}}, ["cheap"]),
    ("max_price: both", {"max_price": {"prompt": 4, "completion": 4.0}}, ["cheap", "middle/fp8"]),
    ("max_price: request", {"max_price": {"request": "0.0005"}}, ["cheap", "middle/fp8"]),
    ("max_price: request, just enough", {"max_price": {"request": 0.001}}, EVERY),
    ("max_price: image and audio are not sold by the piece", {"max_price": {"image": 0, "audio": "0"}},
     EVERY),
    ("max_price: nobody", {"max_price": {"prompt": 0}}, []),
    ("preferred_min_throughput: to the end", {"preferred_min_throughput": 20},
     ["middle/fp8", "dear", "cheap"]),
    ("preferred_min_throughput: percentiles", {"preferred_min_throughput": {"p90": 50}},
     ["dear", "cheap", "middle/fp8"]),
    ("preferred_max_latency: to the end", {"preferred_max_latency": 0.5},
     ["middle/fp8", "cheap", "dear"]),
    ("preferred_max_latency: nobody is excluded", {"preferred_max_latency": {"p50": 0.01}}, EVERY),
    ("unknown keys", {"experimental": {"x": 1}}, EVERY),
]  # fmt: skip


def planned_or_none(*models: Model, **fields: Any) -> list[str]:
    try:
        return planned(*models, **fields)
    except NoEndpointError:
        return []


@pytest.mark.parametrize(
    ("provider", "expected"),
    [pytest.param(provider, expected, id=f"3.2 {row}") for row, provider, expected in ROWS_3_2],
)
def test_the_provider_object_is_obeyed(provider: dict[str, Any], expected: list[str]) -> None:
    assert expected == planned_or_none(MODEL, provider=provider, present=at(FAST_DEAR))


ROWS_PARAMETERS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("require_parameters: all of them", {"provider": {"require_parameters": True}, "seed": 1},
     ["middle/fp8"]),
    ("require_parameters: one that all have",
     {"provider": {"require_parameters": True}, "temperature": 1}, EVERY),
    ("require_parameters: false strips", {"seed": 1}, EVERY),
    ("soft filter: tools", {"tools": [TOOL]}, ["middle/fp8", "dear"]),
    ("soft filter: response_format", {"response_format": {"type": "json_object"}},
     ["middle/fp8", "dear"]),
    ("soft filter: structured", {"response_format": SCHEMA}, ["middle/fp8", "dear"]),
    ("soft filter: verbosity", {"verbosity": "low"}, ["middle/fp8", "dear"]),
    ("soft filter: verbosity null is not sent", {"verbosity": None}, EVERY),
    ("soft filter: text asks for nothing", {"response_format": {"type": "text"}}, EVERY),
    ("soft filter: nobody left has it", {"tools": [TOOL], "provider": {"only": ["cheap"]}}, ["cheap"]),
    ("implicit: context length", {"max_tokens": 9_000}, ["cheap", "dear"]),
    ("implicit: context of the prompt",
     {"messages": [{"role": "user", "content": "a " * 22_000}], "prompt_bytes": 44_100},
     ["cheap", "dear"]),
    ("implicit: output cap", {"max_tokens": 1_001}, ["cheap", "dear"]),
    ("implicit: output cap, just enough", {"max_completion_tokens": 1_000}, EVERY),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "expected"),
    [pytest.param(fields, expected, id=f"3.2 {row}") for row, fields, expected in ROWS_PARAMETERS],
)
def test_what_a_request_holds_is_obeyed(fields: dict[str, Any], expected: list[str]) -> None:
    size = fields.pop("prompt_bytes", 400)
    inquiry = asking(MODEL, **fields)
    inquiry.call.prompt_bytes = size
    plan = make_plan(inquiry.call, inquiry.targets, inquiry.wanted, Present(NOW), attempts_max=9)

    assert plan is not None
    assert expected == names(plan.offers)


@pytest.mark.parametrize(("allowed", "expected"), [(True, EVERY), (False, []), (None, [])], ids=str)
def test_distillable_is_what_the_author_allows(allowed: bool | None, expected: list[str]) -> None:
    model = replace(MODEL, distillable=allowed)

    assert expected == planned_or_none(model, provider={"enforce_distillable_text": True})


@pytest.mark.parametrize("provider", [{"zdr": True}, {"data_collection": "deny"}], ids=str)
def test_what_is_not_known_of_a_provider_counts_against_it(provider: dict[str, Any]) -> None:
    assert [] == planned_or_none(market(seller("mute", 1)), provider=provider)


PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"input_modalities": ("text", "image")}, EVERY),
        ({"input_modalities": ("text",)}, []),
        ({"input_modalities": ("text",), "inputs_known": False}, EVERY),
    ],
    ids=str,
)
def test_a_model_must_take_what_the_prompt_holds(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert expected == planned_or_none(replace(MODEL, **changes), messages=PICTURE)


# --- the operator's ceilings --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ceilings", "provider", "expected"),
    [
        ({"data_collection": "deny"}, {"data_collection": "allow"}, ["middle/fp8", "dear"]),
        ({"zdr": True}, {"zdr": False}, ["dear"]),
        ({"only": ["cheap", "dear"]}, {"only": ["middle", "dear"]}, ["dear"]),
        ({"ignore": ["cheap"]}, {"ignore": ["dear"]}, ["middle/fp8"]),
        ({"ignore": ["cheap"]}, {"order": ["cheap"]}, ["middle/fp8", "dear"]),
        ({"max_price": {"prompt": 2}}, {"max_price": {"prompt": 9}}, ["cheap", "middle/fp8"]),
    ],
    ids=str,
)
def test_a_request_can_only_tighten_the_operators_ceilings(
    ceilings: dict[str, Any], provider: dict[str, Any], expected: list[str]
) -> None:
    assert expected == planned(MODEL, ceilings=ceilings, provider=provider)


# --- who rests ----------------------------------------------------------------------------------
def test_whom_a_breaker_rests_is_the_last_resort_and_other_rests_are_kept() -> None:
    present = at(knowing(resting={"cheap": "breaker", "middle/fp8": "rate_limit"}))

    assert ["dear", "cheap"] == planned(MODEL, present=present)
    assert ["dear"] == planned(MODEL, present=present, provider={"allow_fallbacks": False})


def test_a_provider_whose_keys_all_rest_is_not_asked() -> None:
    assert ["middle/fp8", "dear"] == planned(
        MODEL, present=at(knowing(resting={"cheap!": "credential"}))
    )


def test_a_rest_that_is_over_keeps_nobody_away() -> None:
    assert EVERY == planned(
        MODEL, present=at(knowing(resting={"cheap": "rate_limit"}, until=EARLIER))
    )


def test_if_breakers_rest_all_they_are_asked_in_the_order_wished_for() -> None:
    every = at(knowing(resting=dict.fromkeys(EVERY, "breaker")))

    assert ["dear", "cheap", "middle/fp8"] == planned(
        MODEL, present=every, provider={"order": ["dear"]}
    )
    assert ["dear"] == planned(
        MODEL, present=every, provider={"order": ["dear"], "allow_fallbacks": False}
    )
    assert ["cheap"] == planned(MODEL, present=every, provider={"allow_fallbacks": False})


def test_a_listed_order_without_fallbacks_keeps_its_last_resort() -> None:
    present = at(knowing(resting={"dear": "breaker"}))
    provider = {"order": ["dear", "cheap"], "allow_fallbacks": False}

    assert ["cheap", "dear"] == planned(MODEL, present=present, provider=provider)


def test_who_wakes_is_told_from_who_is_left_alone() -> None:
    present = at(knowing(resting={"cheap": "breaker", "dear": "credential"}))

    assert ([MIDDLE], [CHEAP]) == awake([CHEAP, MIDDLE, DEAR], present)
    alone = (MIDDLE,)
    assert awake(alone, present)[0] is alone


# --- several models -----------------------------------------------------------------------------
OTHER = market(seller("cheap", 0.1), seller("far", 0.2), id_="maker/other")
THIRD = market(seller("third", 0.05), id_="maker/third")
BOTH = {"model": "maker/model", "models": ["maker/other"]}


def across(*models: Model, **fields: Any) -> list[str]:
    inquiry = asking(*models, **{k: v for k, v in fields.items() if k not in {"present", "most"}})
    present = fields.get("present", Present(NOW))
    plan = make_plan(
        inquiry.call, inquiry.targets, inquiry.wanted, present, attempts_max=fields.get("most", 9)
    )
    return [] if plan is None else [offer.id for offer in plan.offers]


def test_3_5_models_are_candidates_in_turn_whatever_they_cost() -> None:
    assert [
        "cheap:maker/model", "middle/fp8:maker/model", "dear:maker/model",
        "cheap:maker/other", "far:maker/other",
    ] == across(MODEL, OTHER, **BOTH)  # fmt: skip


def test_3_5_every_model_has_a_place_among_few_attempts() -> None:
    fields = {"model": "maker/model", "models": ["maker/other", "maker/third"]}

    assert ["cheap:maker/model", "cheap:maker/other", "third:maker/third"] == across(
        MODEL, OTHER, THIRD, **fields, most=3
    )
    assert ["cheap:maker/model", "cheap:maker/other"] == across(
        MODEL, OTHER, THIRD, **fields, most=2
    )
    assert ["cheap:maker/model", "middle/fp8:maker/model", "cheap:maker/other"] == across(
        MODEL, OTHER, **BOTH, most=3
    )


def test_3_2_without_fallbacks_other_models_are_still_candidates() -> None:
    assert ["cheap:maker/model", "cheap:maker/other"] == across(
        MODEL, OTHER, **BOTH, provider={"allow_fallbacks": False}
    )


def test_3_2_partition_none_ranks_all_models_together() -> None:
    by_price = across(MODEL, OTHER, **BOTH, provider={"sort": {"by": "price", "partition": "none"}})
    by_model = across(MODEL, OTHER, **BOTH, provider={"sort": "price"})

    assert ["cheap:maker/other", "far:maker/other", "cheap:maker/model"] == by_price[:3]
    assert "cheap:maker/model" == by_model[0]


def test_3_2_an_order_is_stronger_than_a_ranking_of_all_models() -> None:
    provider = {"order": ["dear"], "sort": {"by": "price", "partition": "none"}}

    assert "dear:maker/model" == across(MODEL, OTHER, **BOTH, provider=provider)[0]


def test_3_2_a_cut_off_may_promote_another_model() -> None:
    slow = knowing(ttft={"cheap": 9, "middle/fp8": 9, "dear": 9, "far:maker/other": 0.1})
    provider = {"preferred_max_latency": 1}

    assert ["cheap:maker/other", "far:maker/other", "cheap:maker/model"] == across(
        MODEL, OTHER, **BOTH, provider=provider, present=at(slow)
    )[:3]


def test_a_model_whose_endpoints_keep_failing_comes_behind_the_others() -> None:
    broken = at(knowing(resting=dict.fromkeys(EVERY, "breaker")))
    found = across(MODEL, OTHER, **BOTH, present=broken)

    assert ["cheap:maker/other", "far:maker/other", "cheap:maker/model"] == found[:3]


def test_the_last_resort_stays_last_whatever_the_others_are_like() -> None:
    snapshot = knowing(
        resting={"cheap": "breaker"}, ttft={"middle/fp8": 9, "dear": 9, "cheap": 0.1}
    )

    assert ["middle/fp8", "dear", "cheap"] == planned(
        MODEL, provider={"preferred_max_latency": 1}, present=at(snapshot)
    )
    together = {"sort": {"by": "price", "partition": "none"}}
    assert (
        "cheap:maker/model"
        == across(MODEL, OTHER, **BOTH, provider=together, present=at(snapshot))[-1]
    )


def test_a_model_that_cannot_serve_leaves_the_others() -> None:
    sighted = replace(OTHER, input_modalities=("text", "image"))

    assert ["cheap:maker/other", "far:maker/other"] == across(
        MODEL, sighted, **BOTH, messages=PICTURE
    )


def test_3_9_own_keys_cross_models_where_all_are_ranked_together() -> None:
    own = market(
        seller("own", 50, own_key="first"), seller("spare", 0.01, own_key="last"), id_="maker/own"
    )
    fields = {"model": "maker/model", "models": ["maker/own"]}
    found = across(MODEL, own, **fields, provider={"sort": {"by": "price", "partition": "none"}})

    assert "own:maker/own" == found[0]
    assert "spare:maker/own" == found[-1]
    assert "cheap:maker/model" == across(MODEL, own, **fields)[0]


# --- the plan -----------------------------------------------------------------------------------
@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_no_more_attempts_are_planned_than_allowed(most: int) -> None:
    assert EVERY[:most] == planned(MODEL, attempts_max=most)


def test_the_hold_covers_the_dearest_offer_or_spare() -> None:
    call = a_call(max_tokens=10)
    target = Target(rosters([MODEL])["maker/model"])
    inquiry = asking(MODEL)
    plan = make_plan(call, [target], inquiry.wanted, Present(NOW), attempts_max=2)

    assert plan is not None
    assert 10 == plan.output_tokens_max
    assert max(worst_case(call, one) for one in (CHEAP, MIDDLE, DEAR)) == plan.cost_max
    assert plan.cost_max == worst_case(call, DEAR)  # a spare


def test_who_is_not_offered_stands_in_for_who_cannot_be_reached() -> None:
    many = [seller(f"p{n}", n + 1) for n in range(9)]
    one = asking(market(*many))
    plan = make_plan(one.call, one.targets, one.wanted, Present(NOW), attempts_max=2)
    two = asking(MODEL, OTHER, **BOTH)
    across_two = make_plan(two.call, two.targets, two.wanted, Present(NOW), attempts_max=2)

    assert plan is not None
    assert (["p0", "p1"], ["p2", "p3", "p4"]) == (names(plan.offers), names(plan.spares))
    assert SPARES_MAX == len(plan.spares)
    assert across_two is not None
    assert ["middle/fp8", "dear", "far"] == names(across_two.spares)
    alone = asking(MODEL, provider={"allow_fallbacks": False})
    single = make_plan(alone.call, alone.targets, alone.wanted, Present(NOW), attempts_max=2)
    assert single is not None
    assert () == single.spares


def test_nobody_is_no_plan() -> None:
    inquiry = asking(MODEL, provider={"only": ["nobody"]})

    assert None is make_plan(
        inquiry.call, inquiry.targets, inquiry.wanted, Present(NOW), attempts_max=3
    )


def test_a_survey_tells_features_that_some_have_from_those_that_nobody_has() -> None:
    plain: list[Endpoint] = [seller("a", 1, supported_parameters=("tools",)), CHEAP]
    inquiry = asking(market(*plain), tools=[TOOL], response_format=SCHEMA)
    found = survey(inquiry.call, inquiry.targets[0], inquiry.wanted, Present(NOW))

    assert (("tools",), ("structured_outputs",)) == (found.features, found.lacking)
    assert ["a"] == names(found.ordered) == names(found.fit)


def test_what_all_have_leaves_nobody_out() -> None:
    both = market(*(seller(name, 1, supported_parameters=("tools",)) for name in "ab"))
    inquiry = asking(both, tools=[TOOL], verbosity="low")
    found = survey(inquiry.call, inquiry.targets[0], inquiry.wanted, Present(NOW))

    assert ((), ("verbosity",)) == (found.features, found.lacking)
    assert ["a", "b"] == names(found.ordered)


def test_service_tiers_are_for_those_who_opt_in() -> None:
    tiered = market(CHEAP, seller("cheap", 0.5, tag="flex", tier="flex"))

    assert ["cheap"] == planned(tiered)
    assert ["cheap/flex"] == planned(tiered, service_tier="flex")
