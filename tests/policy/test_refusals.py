"""What is told where nothing may serve: one message, a reason for each endpoint, when to come again."""

from dataclasses import replace
from typing import Any

import pytest

from proxy.errors import (
    HedgerowError,
    InvalidRequestError,
    NoEndpointError,
    UpstreamCredentialError,
    UpstreamRateLimitError,
)
from proxy.model.endpoint import Model
from proxy.model.standing import NOTHING_KNOWN, Rest, Snapshot
from proxy.policy.inquiry import decide
from proxy.policy.planner import survey
from proxy.policy.refusals import EXPLAINED_MAX, check_ignored, near_names, reasons
from proxy.units import Seconds
from tests.fakes.market import NOW, asking, at, knowing, market, planned, seller
from tests.fakes.things import a_provider

SHORT = seller("short", 1, context_length=1_000, output_tokens_max=100, trains_on_prompts=True)
LONG = seller(
    "long", 9, context_length=50_000, supported_parameters=("tools",), retains_prompts=False
)
MODEL = market(SHORT, LONG)
PICTURE = [{"role": "user", "content": [{"type": "image_url"}, {"type": "input_audio"}]}]


def refused(*models: Model, snapshot: Snapshot = NOTHING_KNOWN, **fields: Any) -> HedgerowError:
    inquiry = asking(*(models or (MODEL,)), **fields)
    with pytest.raises(HedgerowError) as raised:
        decide(inquiry, at(snapshot), attempts_max=3)
    return raised.value


def told(error: HedgerowError) -> dict[str, Any]:
    """Reasons by endpoint, without ":maker/model"."""
    endpoints: Any = error.metadata["endpoints"]
    return {name.removesuffix(":maker/model"): why for name, why in endpoints.items()}


def availability(error: HedgerowError) -> dict[str, Any]:
    found: Any = error.metadata["availability"]
    return found


ROWS: list[tuple[dict[str, Any], str, str, list[str]]] = [
    ({"provider": {"only": ["nobody"]}},
     "No allowed providers are available for the selected model. Providers serving maker/model: long, "
     "short, but your request's provider.only preference permits only: nobody.",
     "constraint_filtered", ["allowed_providers"]),
    ({"provider": {"only": []}}, "permits only: nobody.", "constraint_filtered", ["allowed_providers"]),
    ({"provider": {"only": ["shirt", "lung"]}}, "permits only: shirt, lung; did you mean short?",
     "constraint_filtered", ["allowed_providers"]),
    ({"provider": {"only": ["lond", "longg"]}}, "; did you mean long?",
     "constraint_filtered", ["allowed_providers"]),
    ({"provider": {"order": ["nobody"], "allow_fallbacks": False}},
     "provider.order preference permits only: nobody.", "constraint_filtered", ["allowed_providers"]),
    ({"provider": {"ignore": ["short", "long"]}},
     "No endpoints found for maker/model that meet: ignored_providers.", "constraint_filtered",
     ["ignored_providers"]),
    ({"provider": {"data_collection": "deny"}},
     "No endpoints found matching your data policy for maker/model.", "privacy_restricted",
     ["data_policy:training"]),
    ({"provider": {"zdr": True, "ignore": ["long"]}}, "matching your data policy for maker/model.",
     "privacy_restricted", ["data_policy:zdr", "ignored_providers"]),
    ({"provider": {"max_price": {"prompt": 0.5}}}, "that meet: max_price.", "constraint_filtered",
     ["max_price"]),
    ({"provider": {"quantizations": ["int4"]}}, "that meet: quantization.", "constraint_filtered",
     ["quantization"]),
    ({"provider": {"require_parameters": True, "ignore": ["short"]}, "seed": 1},
     "that meet: require_parameters.", "constraint_filtered",
     ["ignored_providers", "require_parameters"]),
    ({"provider": {"enforce_distillable_text": True}}, "that meet: distillable.",
     "constraint_filtered", ["distillable"]),
    ({"provider": {"max_price": {"prompt": 5}}, "max_tokens": 2_000},
     "that meet: context_length, max_price, max_tokens.", "constraint_filtered",
     ["context_length", "max_price", "max_tokens"]),
    ({"messages": PICTURE}, "No endpoints found that support audio and image input.",
     "constraint_filtered", []),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "message", "code", "excluded"), ROWS, ids=lambda v: str(v)[:70])
def test_a_refusal_says_which_rules_left_nobody(
    fields: dict[str, Any], message: str, code: str, excluded: list[str]
) -> None:
    error = refused(**fields)

    assert isinstance(error, NoEndpointError)
    assert error.message.endswith(message)
    assert {
        "code": code, "retryable": False, "requested_models": ["maker/model"],
        "excluded_by": excluded,
    } == availability(error)  # fmt: skip
    assert {"short", "long"} == set(told(error))
    assert all(told(error).values())


def test_filters_that_contradict_each_other_are_told_for_each_endpoint() -> None:
    provider = {"only": ["short"], "zdr": True, "max_price": {"prompt": 0.5}}

    assert {
        "short": [
            "may keep prompts (provider.zdr)",
            "prompt costs $1 per million (provider.max_price)",
        ],
        "long": ["not in provider.only", "prompt costs $9 per million (provider.max_price)"],
    } == told(refused(provider=provider))


def test_who_is_wanted_and_does_not_fit_is_not_called_unwanted() -> None:
    error = refused(provider={"only": ["short"], "zdr": True})

    assert "No endpoints found matching your data policy for maker/model." == error.message


# --- the prompt is too long ---------------------------------------------------------------------
def test_a_prompt_too_long_for_all_is_the_callers_fault() -> None:
    error = refused(max_tokens=60_000, provider={"ignore": ["short"]})

    assert isinstance(error, InvalidRequestError)
    assert (400, "context_length_exceeded") == (error.status, error.error_type)
    assert "This endpoint's maximum context length is 50000 tokens" in error.message
    assert "in provider.ignore" in told(error)["short"]


def test_the_length_told_is_that_of_those_wanted() -> None:
    small = market(replace(SHORT, output_tokens_max=None), LONG)
    error = refused(small, max_tokens=2_000, provider={"only": ["short"]})

    assert "maximum context length is 1000 tokens" in error.message


# --- who rests ----------------------------------------------------------------------------------
def test_rate_limits_of_all_are_a_429_that_says_when_to_come_again() -> None:
    snapshot = Snapshot(
        resting={
            SHORT.id: Rest(Seconds(NOW + 20.0), "rate_limit"),
            LONG.id: Rest(Seconds(NOW + 1.2), "rate_limit"),
        }
    )
    error = refused(snapshot=snapshot)

    assert isinstance(error, UpstreamRateLimitError)
    assert (429, (("retry-after", "2"),)) == (error.status, error.headers)
    assert ("capacity_exhausted", True) == (
        availability(error)["code"], availability(error)["retryable"],
    )  # fmt: skip
    assert ["rests for 20 s (rate_limit)"] == told(error)["short"]
    assert "provider_name" not in error.metadata


def test_a_rest_that_is_nearly_over_is_waited_for_a_second() -> None:
    soon = knowing(resting={"short": "rate_limit", "long": "credential"}, until=Seconds(NOW + 0.01))
    error = refused(snapshot=soon)

    assert (429, (("retry-after", "1"),)) == (error.status, error.headers)


def test_keys_refused_everywhere_are_a_502() -> None:
    error = refused(snapshot=knowing(resting={"short!": "credential", "long!": "credential"}))

    assert isinstance(error, UpstreamCredentialError)
    assert (502, (("retry-after", "10"),)) == (error.status, error.headers)


def test_the_only_provider_that_rests_is_named() -> None:
    error = refused(
        snapshot=knowing(resting={"short": "rate_limit", "long": "rate_limit"}),
        provider={"only": ["long"]},
    )

    assert "Long" == error.metadata["provider_name"]
    assert ["not in provider.only", "rests for 10 s (rate_limit)"] == told(error)["short"]


def test_only_who_could_serve_is_waited_for() -> None:
    error = refused(snapshot=knowing(resting={"long": "rate_limit"}), provider={"only": ["nobody"]})
    assert isinstance(error, NoEndpointError)

    blind = refused(snapshot=knowing(resting={"long": "rate_limit"}), messages=PICTURE)
    assert isinstance(blind, NoEndpointError)


def test_who_has_what_was_asked_for_is_waited_for_the_others_are_not() -> None:
    model = market(LONG, replace(SHORT, supported_parameters=("seed",)))
    error = refused(model, snapshot=knowing(resting={"long": "credential"}), tools=[{"type": "x"}])

    assert isinstance(error, UpstreamCredentialError)
    assert ["does not support tools, others do"] == told(error)["short"]


# --- several models, and nobody at all ------------------------------------------------------------
def test_one_model_without_eyes_does_not_speak_for_the_other() -> None:
    sighted = market(
        seller("far", 1), id_="maker/sighted", input_modalities=("text", "image", "audio")
    )
    error = refused(
        MODEL, sighted, models=["maker/sighted"], messages=PICTURE,
        provider={"max_price": {"prompt": 0}},
    )  # fmt: skip

    assert (
        "No endpoints found for maker/model, maker/sighted that meet: max_price." == error.message
    )
    assert ["the model takes no audio input", "the model takes no image input"] == told(error)[
        "short"
    ]


def test_blind_models_that_rest_are_not_waited_for() -> None:
    sighted = market(
        seller("far", 1), id_="maker/sighted", input_modalities=("text", "image", "audio")
    )
    error = refused(
        MODEL, sighted, models=["maker/sighted"], messages=PICTURE,
        provider={"max_price": {"prompt": 0}},
        snapshot=knowing(resting={"short": "rate_limit"}),
    )  # fmt: skip

    assert isinstance(error, NoEndpointError)


def test_a_model_that_nobody_sells_says_so_and_nothing_more() -> None:
    error = refused(market())

    assert "No endpoints found for maker/model." == error.message
    assert ("no_endpoints", {}) == (availability(error)["code"], told(error))


def test_what_the_operator_excludes_is_not_listed_by_name() -> None:
    inquiry = asking(MODEL, ceilings={"ignore": ["short", "long"]})
    with pytest.raises(NoEndpointError) as raised:
        decide(inquiry, at(NOTHING_KNOWN), attempts_max=3)

    assert {"maker/model": ["the operator's policy leaves none of its endpoints"]} == (
        raised.value.metadata["endpoints"]
    )


def test_reasons_are_bounded() -> None:
    many = market(*(seller(f"p{n}", 1) for n in range(EXPLAINED_MAX + 10)))

    assert EXPLAINED_MAX == len(told(refused(many, provider={"zdr": True})))


def test_a_candidate_has_no_reason_and_a_tier_that_nobody_asked_for_has_one() -> None:
    flex = seller("short", 1, tag="flex", tier="flex")
    inquiry = asking(market(SHORT, LONG, flex), tools=[{"type": "x"}])
    found = survey(inquiry.call, inquiry.targets[0], inquiry.wanted, at(NOTHING_KNOWN))
    every = {e.provider.id + e.tag: e for e in found.roster.every}

    assert [] == reasons(found, every["short"], at(NOTHING_KNOWN))
    assert ["its service tier flex was not asked for"] == reasons(
        found, every["shortflex"], at(NOTHING_KNOWN)
    )
    resting = at(knowing(resting={"short": "breaker"}))
    assert [] == reasons(found, every["short"], resting)


def test_the_usual_tier_is_called_default() -> None:
    model = market(SHORT, seller("flexible", 9, tag="flex", tier="flex"))
    error = refused(model, service_tier="flex", provider={"max_price": {"prompt": 5}})

    assert ["its service tier default was not asked for"] == told(error)["short"]


# --- slips in `ignore` ----------------------------------------------------------------------------
OURS = {
    "together": replace(a_provider("together"), name="Together AI"),
    "moonshotai": replace(a_provider("moonshotai"), name="Moonshot AI"),
}


@pytest.mark.parametrize(
    ("names", "index", "near"),
    [
        (["togehter"], 0, "together"),
        (["nobody", "moonshot-ai"], 1, "moonshot"),
        (["together", "together", "togethr/fp8"], 2, "together"),
    ],
)
def test_a_slip_in_ignore_is_refused(names: list[str], index: int, near: str) -> None:
    with pytest.raises(
        InvalidRequestError, match=f"No provider '{names[index]}'; the nearest"
    ) as raised:
        check_ignored(names, OURS)

    assert {"field": f"provider.ignore[{index}]"} == raised.value.metadata
    assert near in raised.value.message
    assert f"`$.provider.ignore[{index}]`" in raised.value.message


@pytest.mark.parametrize(
    "names", [[], ["together"], ["moonshot ai", "together ai"], ["moonshotai/fp8"], ["azure", "x"]]
)
def test_known_names_and_strangers_may_be_ignored(names: list[str]) -> None:
    check_ignored(names, OURS)


def test_near_is_near() -> None:
    assert (["deepinfra"], []) == (
        near_names("deepinfre", ["together", "deepinfra"]), near_names("zz", ["together"]),
    )  # fmt: skip


def test_a_request_with_a_slip_is_not_planned() -> None:
    with pytest.raises(InvalidRequestError, match="the nearest known one is 'short'"):
        planned(MODEL, provider={"ignore": ["shorts"]})
