"""Explanations: every endpoint of the models asked for, in the plan's order or with reasons."""

from dataclasses import replace
from typing import Any

import pytest

from proxy.model.explanation import Candidate, Explanation
from proxy.model.standing import NOTHING_KNOWN, Snapshot
from proxy.policy.explaining import EVERYTHING_OUT, LAST, explain
from proxy.policy.inquiry import explanation
from proxy.policy.sequence import DRAWN
from tests.fakes.market import NOW, asking, at, knowing, market, seller

A = seller("a", 1, 2, tag="fp8", expected_ttft_s=0.5, expected_throughput=40.0)
B, C = seller("b", 2), seller("c", 3)
MODEL = market(A, B, C)


def told(
    *models: Any, snapshot: Snapshot = NOTHING_KNOWN, attempts_max: int = 2, **fields: Any
) -> Explanation:
    ceilings = fields.pop("ceilings", None)
    inquiry = asking(*(models or (MODEL,)), ceilings=ceilings, **fields)
    return explanation(inquiry, at(snapshot), attempts_max=attempts_max)


def by_name(found: Explanation) -> dict[str, Candidate]:
    return {one.endpoint.partition(":")[0]: one for one in found.candidates}


def test_candidates_stand_in_the_order_in_which_they_would_be_asked() -> None:
    found = told()

    assert ["a/fp8:maker/model", "b:maker/model", "c:maker/model"] == [
        one.endpoint for one in found.candidates
    ]
    assert [1, 2, 3] == [one.place for one in found.candidates]
    assert [True, True, False] == [one.selected for one in found.candidates]
    assert {DRAWN} == {one.why for one in found.candidates}
    assert ("maker/model", "direct", "available=3, selected=A") == (
        found.requested, found.strategy, found.summary,
    )  # fmt: skip


def test_a_candidate_is_shown_with_what_is_known_of_it() -> None:
    one = by_name(told())["a/fp8"]

    assert ("A", "fp8", "maker/model", "1", "2", 0.5, 40.0, "healthy") == (
        one.provider, one.tag, one.model, one.prompt_usd_per_million,
        one.completion_usd_per_million, one.ttft_p50, one.throughput_p50, one.state,
    )  # fmt: skip
    live = by_name(told(snapshot=knowing(ttft={"a/fp8": 2}, throughput={"a/fp8": 9})))["a/fp8"]
    assert (2.0, 9.0) == (live.ttft_p50, live.throughput_p50)
    unknown = by_name(told())["b"]
    assert (None, None) == (unknown.ttft_p50, unknown.throughput_p50)


def test_who_is_out_has_reasons_and_comes_last() -> None:
    found = told(provider={"only": ["b"], "max_price": {"prompt": 2}})

    assert ["b", "a/fp8", "c"] == list(by_name(found))
    assert ["not in provider.only"] == by_name(found)["a/fp8"].out
    assert ["not in provider.only", "prompt costs $3 per million (provider.max_price)"] == (
        by_name(found)["c"].out
    )
    assert "the only one" == by_name(found)["b"].why


def test_whom_the_operator_excludes_is_told_so_first() -> None:
    found = by_name(told(ceilings={"ignore": ["a"]}, provider={"ignore": ["b"]}))

    assert [EVERYTHING_OUT] == found["a/fp8"].out
    assert ["in provider.ignore"] == found["b"].out


def test_without_fallbacks_the_others_are_told_why() -> None:
    found = by_name(told(provider={"allow_fallbacks": False}))

    assert ["fallbacks are not allowed, and another one comes first"] == found["b"].out


def test_states_are_those_of_now() -> None:
    snapshot = knowing(troubled=["b", "c"], resting={"c": "rate_limit", "a/fp8": "breaker"})
    found = by_name(told(snapshot=snapshot))

    assert {"a/fp8": "resting", "b": "troubled", "c": "resting"} == {
        name: one.state for name, one in found.items()
    }
    assert ["rests for 10 s (rate_limit)"] == found["c"].out
    assert (LAST, 2) == (found["a/fp8"].why, found["a/fp8"].place)
    over = knowing(troubled=["b"], resting={"c": "breaker"}, until=NOW)
    assert {"healthy"} == {one.state for one in told(snapshot=over).candidates}


def test_nobody_is_an_explanation_too() -> None:
    found = told(provider={"only": ["nobody"]})

    assert "available=0, selected=none" == found.summary
    assert all(one.out and not one.selected for one in found.candidates)


@pytest.mark.parametrize(
    ("fields", "strategy"),
    [
        ({}, "direct"),
        ({"models": ["maker/model"], "model": "maker/other"}, "fallback"),
        ({"model": "maker/model:free"}, "free"),
        ({"model": "maker/model:nitro"}, "direct"),
    ],
    ids=str,
)
def test_a_strategy_is_named(fields: dict[str, Any], strategy: str) -> None:
    models = (MODEL, market(B, id_="maker/other"), market(C, id_="maker/model:free"))

    assert strategy == told(*models, **fields).strategy


def test_experiments_have_a_strategy_and_keep_the_name_asked_for() -> None:
    inquiry = asking(MODEL)
    inquiry.call.arm, inquiry.call.requested = "x/maker/model", "split/x"
    found = explanation(inquiry, at(NOTHING_KNOWN), attempts_max=2)

    assert ("split", "split/x") == (found.strategy, found.requested)


def test_notes_tell_what_has_no_effect() -> None:
    plain = market(replace(A, supported_parameters=("seed",)), id_="maker/plain")
    found = told(plain, model="maker/plain:beta", tools=[{"type": "x"}])

    assert [
        ":beta has no effect.",
        "No endpoint of maker/plain that may serve this is known to support tools: "
        "it may have no effect.",
    ] == found.notes


def test_a_copy_with_a_callers_key_is_told_apart_from_ours() -> None:
    model = market(B, replace(B, own_key="first"))
    found = told(model, attempts_max=1)

    assert [(1, True), (2, False)] == [(one.place, one.selected) for one in found.candidates]
    assert {"callers' own keys around ours"} == {one.why for one in found.candidates}


def test_demoted_endpoints_are_shown_where_they_are_planned() -> None:
    slow = knowing(ttft={"a/fp8": 9, "b": 1})
    found = told(snapshot=slow, provider={"preferred_max_latency": 2})

    assert ["b", "c", "a/fp8"] == list(by_name(found))


def test_offers_are_what_the_caller_says() -> None:
    inquiry = asking(MODEL)
    found = explain(
        inquiry.call, inquiry.targets, inquiry.wanted, at(NOTHING_KNOWN), offers=[C], notes=["x"]
    )

    assert (["x"], "available=3, selected=C") == (found.notes, found.summary)
    assert {"c": False} == {"c": by_name(found)["c"].selected}  # an equal one, not that very one
