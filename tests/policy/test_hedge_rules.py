"""When to hedge, whom to ask, what it costs, and when never."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from proxy.config.settings import HedgingSettings
from proxy.dialects.registry import DIALECTS
from proxy.model.endpoint import Endpoint, Prices
from proxy.model.preferences import ANYTHING, HedgeTerms, Preferences
from proxy.model.standing import NOTHING_KNOWN, Quantiles, Rest, Snapshot, Standing
from proxy.policy.hedge_rules import (
    CACHED_TOKENS_MIN,
    asks_for_reasoning,
    delay_s,
    expected_rest_s,
    extra_cost,
    is_target,
    percentile,
    unhedgeable,
    unrepeatable,
)
from proxy.units import NanoDollars, Seconds
from tests.fakes.market import seller, usd
from tests.fakes.things import a_call, a_provider, an_endpoint

SETTINGS = HedgingSettings()
ONE, TWO = an_endpoint("one"), an_endpoint("two")
CALM = Quantiles(0.5, 0.8, 1.2, 4.0, p95=2.0)
PLAIN_TOOL = {"type": "function", "function": {"name": "f"}}


def knowing(**figures: Standing) -> Snapshot:
    """Standings by provider; "one" is its endpoint of the model, "one_" the provider itself."""
    return Snapshot({
        name[:-1] if name.endswith("_") else f"{name}:maker/model": standing
        for name, standing in figures.items()
    })  # fmt: skip


def known(ttft: Quantiles = CALM, samples: int = 100) -> Standing:
    return Standing(ttft=ttft, samples=samples)


def delay(
    snapshot: Snapshot = NOTHING_KNOWN, primary: Endpoint = ONE, *others: Endpoint,
    reasoning: bool = False, **settings: Any,
) -> float:  # fmt: skip
    changed = HedgingSettings(**settings)
    return delay_s(primary, others or (primary, TWO), snapshot, changed, reasoning=reasoning)


# --- percentiles ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, 0.5), (50, 0.5), (75, 0.8), (90, 1.2), (95, 2.0), (99, 4.0), (99.9, 4.0), (100, 4.0)],
)
def test_known_percentiles_are_taken_as_they_are(percent: float, expected: float) -> None:
    assert expected == percentile(CALM, percent)


def test_between_two_known_ones_the_logarithm_is_a_straight_line() -> None:
    assert pytest.approx(math.sqrt(2.0 * 4.0)) == percentile(CALM, 97)
    assert pytest.approx(math.sqrt(0.5 * 0.8)) == percentile(CALM, 62.5)


def test_without_a_p95_its_neighbours_say_what_it_is() -> None:
    found = percentile(Quantiles(0.5, 0.8, 1.0, 4.0), 95)

    assert pytest.approx(4.0 ** (5 / 9)) == found


def test_figures_of_zero_have_no_logarithm() -> None:
    assert 1.0 == percentile(Quantiles(0.0, 0.0, 0.0, 1.0), 97)
    assert 0.0 == percentile(Quantiles(0.0, 0.0, 0.0, 0.0), 97)


RISING = st.lists(st.floats(0, 1e6), min_size=5, max_size=5).map(
    lambda v: Quantiles(*(w := sorted(v))[:3], w[4], p95=w[3])
)


@given(RISING, st.floats(0, 100), st.floats(0, 100))
def test_percentiles_rise_and_stay_within_what_is_known(
    figures: Quantiles, one: float, two: float
) -> None:
    low, high = percentile(figures, min(one, two)), percentile(figures, max(one, two))

    assert low <= high * (1 + 1e-9)
    assert figures.p50 * (1 - 1e-9) <= low
    assert high <= figures.p99 * (1 + 1e-9)


# --- the delay ------------------------------------------------------------------------------------
def test_the_delay_is_the_percentile_that_the_budget_allows() -> None:
    assert 2.0 == delay(knowing(one=known()))
    assert 1.2 == delay(knowing(one=known()), budget_share=0.1)
    assert 4.0 == delay(knowing(one=known()), budget_share=0.01)


def test_few_samples_say_less_than_those_of_the_whole_provider() -> None:
    few = known(Quantiles(9, 9, 9, 9, 9), samples=99)
    shared = known(Quantiles(0.1, 0.2, 0.5, 3.0, p95=1.0))

    assert 1.0 == delay(knowing(one=few, one_=shared))
    assert 2.5 == delay(knowing(one=few, one_=known(samples=99)))
    assert 2.5 == delay(knowing(one=Standing(samples=500), one_=Standing(samples=500)))


def test_what_a_catalogue_expects_comes_before_the_default() -> None:
    expected = an_endpoint("one", expected_ttft_s=0.6)

    assert pytest.approx(1.8) == delay(NOTHING_KNOWN, expected)
    assert 2.5 == delay()
    assert 1.5 == delay(default_s=1.5)


def test_a_healthy_endpoint_s_p99_is_the_most_that_a_sick_one_is_waited_for() -> None:
    sick = Quantiles(0.4, 1.0, 3.0, 20.0, p95=9.0)

    assert 4.0 == delay(knowing(one=known(sick)), cap_s=4.0)
    snapshot = knowing(one=known(sick), two=known(Quantiles(0.3, 0.4, 0.5, 1.7, p95=0.6)))
    assert 1.7 == delay(snapshot)
    assert 1.7 == delay(snapshot, ONE, TWO)


@pytest.mark.parametrize(
    "unfit",
    [
        {"standings": {"two:maker/model": known(Quantiles(1, 1, 1, 1, 1), samples=99)}},
        {"standings": {"two:maker/model": Standing(samples=500)}},
        {"resting": {"two:maker/model": Rest(Seconds(9), "breaker")}},
        {"troubled": {"two:maker/model": Seconds(9)}},
    ],
    ids=["few samples", "no figures", "resting", "troubled"],
)
def test_who_is_not_known_to_be_well_sets_no_limit(unfit: dict[str, Any]) -> None:
    well = Snapshot({
        "one:maker/model": known(), "two:maker/model": known(Quantiles(1, 1, 1, 1, 1)),
    })  # fmt: skip
    assert 1.0 == delay(well)

    standings = {**well.standings, **unfit.pop("standings", {})}
    assert 2.0 == delay(Snapshot(standings, **unfit))


def test_who_serves_another_model_sets_no_limit() -> None:
    other = an_endpoint("two", model="maker/other")
    snapshot = Snapshot({"one:maker/model": known(), other.id: known(Quantiles(1, 1, 1, 1, 1))})

    assert 2.0 == delay(snapshot, ONE, ONE, other)


def test_the_delay_has_a_floor_in_seconds_and_one_in_medians() -> None:
    quick, steady = Quantiles(0.01, 0.02, 0.03, 0.05, p95=0.04), Quantiles(2, 2, 2, 2, 2)

    assert 0.2 == delay(knowing(one=known(quick)))
    assert 3.0 == delay(knowing(one=known(steady)))
    assert 2.0 == delay(knowing(one=known(steady)), floor_medians=1.0)


def test_the_delay_has_a_cap_and_a_higher_one_for_reasoning() -> None:
    slow = knowing(one=known(Quantiles(3, 5, 8, 30, p95=20)))

    assert 4.0 == delay(slow)
    assert 8.0 == delay(slow, reasoning=True)
    assert 1.0 == delay(slow, cap_s=1.0)


@given(RISING, st.booleans())
def test_the_delay_is_always_within_floor_and_cap(figures: Quantiles, reasoning: bool) -> None:
    found = delay(knowing(one=known(figures)), reasoning=reasoning)

    assert SETTINGS.floor_s <= found <= (SETTINGS.cap_reasoning_s if reasoning else SETTINGS.cap_s)


# --- whom ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("offer", "dearer", "expected"),
    [
        (TWO, False, True),
        (an_endpoint("one", tag="twin"), True, False),
        (an_endpoint("two", model="maker/other"), True, False),
        (seller("two", 4, 16), False, True),
        (seller("two", 4.1, 16), False, False),
        (seller("two", 4.1, 16), True, True),
    ],
    ids=["other", "same provider", "other model", "twice the price", "dearer", "dearer, allowed"],
)
def test_a_hedge_goes_to_the_same_model_elsewhere_for_a_like_price(
    offer: Endpoint, dearer: bool, expected: bool
) -> None:
    assert expected is is_target(offer, ONE, dearer=dearer)


# --- never ------------------------------------------------------------------------------------------
def why(
    *offers: Endpoint, wanted: Preferences = ANYTHING, sticky: str | None = None,
    settings: HedgingSettings = SETTINGS, prompt_bytes: int = 400, **fields: Any,
) -> str:  # fmt: skip
    call = a_call(**fields)
    call.prompt_bytes = prompt_bytes
    return unhedgeable(call, offers or (ONE, TWO), wanted, settings, sticky=sticky)


LONG = (CACHED_TOKENS_MIN + 1) * 4
OWN = an_endpoint("two", own_key="last")
TERMS = Preferences(hedge=HedgeTerms())


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("", why()),
        ("disabled", why(settings=HedgingSettings(enabled=False))),
        ("disabled", why(settings=HedgingSettings(enabled=False), wanted=TERMS)),
        ("request", why(wanted=Preferences(hedge=False))),
        ("", why(wanted=TERMS)),
        ("not_streamed", why(stream=False)),
        ("alone", why(ONE)),
        ("alone", why(ONE, an_endpoint("one", tag="twin"), an_endpoint("two", model="a/b"))),
        ("price", why(ONE, seller("two", 9))),
        ("", why(ONE, seller("two", 9), TWO)),
        ("price", why(ONE, seller("two", 9), wanted=TERMS)),
        (
            "",
            why(
                ONE, seller("two", 9), wanted=Preferences(hedge=HedgeTerms(cost_max=NanoDollars(1)))
            ),
        ),
        ("own_key", why(ONE, OWN)),
        ("own_key", why(replace(ONE, own_key="first"), TWO)),
        ("", why(ONE, OWN, wanted=TERMS)),
        ("sticky", why(sticky=ONE.id, prompt_bytes=LONG)),
        ("", why(sticky=ONE.id, prompt_bytes=LONG - 4)),
        ("", why(sticky=TWO.id, prompt_bytes=LONG)),
        ("stored", why(store=True)),
    ],
    ids=str,
)
def test_a_request_is_hedged_unless_there_is_a_reason(expected: str, found: str) -> None:
    assert expected == found


def said(*parts: Any, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    user = {"role": "user", "content": "hi"}
    return {"messages": [user, {"role": role, "content": list(parts) or "yes", **fields}, user]}


SIGNED = {"type": "reasoning.text", "text": "x", "signature": "s"}
UNSIGNED = {"type": "reasoning.text", "text": "x"}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "x"}
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ("", {}),
        ("", {"tools": [PLAIN_TOOL]}),
        ("", {"tools": [{"type": "custom", "custom": {"name": "f"}}]}),
        ("", {"tools": [{"name": "f", "input_schema": {}}]}),
        ("", {"tools": []}),
        ("", {"tools": None}),
        ("server_tools", {"tools": [PLAIN_TOOL, {"type": "openrouter:web_search"}]}),
        ("server_tools", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ("server_tools", {"tools": [{"type": "computer_20250124", "name": "computer"}]}),
        ("server_tools", {"tools": [{"type": ["function"]}]}),
        ("server_tools", {"tools": ["function"]}),
        ("server_tools", {"web_search_options": {"search_context_size": "low"}}),
        ("server_tools", {"mcp_servers": [{"url": "x"}]}),
        ("", {"mcp_servers": []}),
        ("stored", {"store": True}),
        ("", {"store": False}),
        ("stored", {"background": True}),
        ("stored", {"previous_response_id": "resp_1"}),
        ("", {"previous_response_id": None}),
        ("signed_thinking", said(reasoning_details=[UNSIGNED, SIGNED])),
        ("signed_thinking", said(reasoning_details=[ENCRYPTED])),
        ("", said(reasoning_details=[UNSIGNED])),
        ("", said(reasoning="x", reasoning_details=None)),
        ("signed_thinking", said({"type": "thinking", "thinking": "x", "signature": "s"}, TEXT)),
        ("signed_thinking", said(TEXT, {"type": "redacted_thinking", "data": "x"})),
        ("", said({"type": "thinking", "thinking": "x"}, TEXT, "x")),
        ("", said(SIGNED, role="user")),
        ("", {"messages": ["x"]}),
    ],
    ids=str,
)
def test_only_what_leaves_nothing_behind_is_answered_twice(
    expected: str, fields: dict[str, Any]
) -> None:
    call = a_call()
    call.body.update(fields)

    assert expected == unrepeatable(call)


def test_plugins_run_at_the_gateway_s_side_and_counting_generates_nothing() -> None:
    call = a_call()
    call.ours = {"plugins": []}
    assert "" == unrepeatable(call)
    call.ours = {"plugins": [{"id": "web"}]}
    assert "server_tools" == unrepeatable(call)

    counting = a_call()
    counting.surface = "count_tokens"
    assert "surface" == unrepeatable(counting)


def test_anthropic_s_bodies_are_understood_as_well() -> None:
    thinking = {"type": "thinking", "thinking": "x", "signature": "s"}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thinking, TEXT]},
        {"role": "user", "content": "go on"},
    ]
    body = {"model": "maker/model", "max_tokens": 9, "messages": messages}
    call = DIALECTS["anthropic-messages"].decode_request(body, "messages")

    assert "signed_thinking" == unrepeatable(call)


# --- what it costs ------------------------------------------------------------------------------------
def priced(**changes: Any) -> Endpoint:
    provider = a_provider(bills_cancelled=changes.pop("bills_cancelled", False))
    prices = Prices(usd(1), usd(10), **{key: usd(changes.pop(key)) for key in list(changes) if key.startswith(("cache", "request"))})  # fmt: skip
    return an_endpoint(provider, prices=prices, **changes)


@pytest.mark.parametrize(
    ("expected", "endpoint", "fields"),
    [
        (100 * 1_000 + 32 * 10_000, priced(), {}),
        (100 * 1_250 + 32 * 10_000, priced(cache_write=1.25), {}),
        (100 * 1_000 + 32 * 10_000, priced(cache_write=0.5), {}),
        (100 * 1_000 + 32 * 10_000 + 7, priced(request=0.007), {}),
        (100 * 1_000 + 2 * 32 * 10_000, priced(), {"n": 2}),
        (100 * 1_000 + 1_024 * 10_000, priced(bills_cancelled=True), {}),
        (100 * 1_000 + 200 * 10_000, priced(bills_cancelled=True), {"max_tokens": 200}),
        (100 * 1_000 + 1_024 * 10_000, priced(bills_cancelled=True), {"max_tokens": 9_000}),
        (100 * 1_000 + 500 * 10_000, priced(bills_cancelled=True, output_tokens_max=500), {}),
    ],
    ids=["plain", "cache write", "cheap write", "per request", "two choices", "billed on", "capped",
         "long", "endpoint's cap"],
)  # fmt: skip
def test_a_loser_costs_its_prompt_and_a_little_output_or_all_of_it(
    expected: int, endpoint: Endpoint, fields: dict[str, Any]
) -> None:
    assert expected == extra_cost(a_call(**fields), endpoint)


def test_costs_are_rounded_up() -> None:
    call = a_call()
    call.prompt_bytes = 1

    assert 1 == extra_cost(call, seller("a", 0.0005, 0))
    assert 0 == extra_cost(call, seller("a", 0))


# --- what is gained -----------------------------------------------------------------------------------
STEPS = Quantiles(1.0, 2.0, 3.0, 10.0, p95=4.0)


@pytest.mark.parametrize(
    ("silence_s", "expected"),
    [
        (10.0, 0.0),
        (99.0, 0.0),
        (9.0, (10 - 9) * 1 / 5),
        (4.0, (10 - 4) * 1 / 5),
        (3.0, ((4 - 3) * 4 + (10 - 3) * 1) / 10),
        (0.0, (1 * 25 + 2 * 15 + 3 * 5 + 4 * 4 + 10 * 1) / 100),
    ],
)
def test_what_is_still_to_be_waited_for_is_never_said_to_be_more_than_the_figures_tell(
    silence_s: float, expected: float
) -> None:
    assert pytest.approx(expected) == expected_rest_s(STEPS, silence_s)


@given(RISING, st.floats(0, 1e6))
def test_what_is_still_to_be_waited_for_ends_at_p99(figures: Quantiles, silence_s: float) -> None:
    found = expected_rest_s(figures, silence_s)

    assert 0 <= found <= max(figures.p99 - silence_s, 0) * (1 + 1e-9)


# --- reasoning ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, False),
        ({"reasoning": {"effort": "high"}}, True),
        ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning": {"enabled": True}}, True),
        ({"reasoning": {"enabled": False}}, False),
        ({"reasoning": {}}, False),
        ({"reasoning": None}, False),
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": None}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "disabled"}, "reasoning": {"max_tokens": 9}}, True),
    ],
    ids=str,
)
def test_reasoning_is_asked_for_in_three_ways(body: dict[str, Any], expected: bool) -> None:
    assert expected is asks_for_reasoning(body)
