"""What plans say of attempts beside one another: when, how many at once, for how much, or why never."""

from typing import Any

import pytest

from proxy.config.settings import HedgingSettings
from proxy.model.endpoint import Model
from proxy.model.plan import Plan
from proxy.model.standing import NOTHING_KNOWN, Quantiles, Snapshot, Standing
from proxy.policy.inquiry import decide, inquire
from proxy.policy.planner import NEVER
from proxy.policy.situation import Present
from proxy.units import NanoDollars
from tests.fakes.market import NOW, listed, market, names, rosters, seller
from tests.fakes.things import a_call

MODEL = market(seller("one", 1), seller("two", 1.5), seller("one", 2, tag="twin"))
STEADY = Quantiles(0.5, 0.8, 1.2, 4.0, p95=2.0)
KNOWN = Snapshot({"one:maker/model": Standing(ttft=STEADY, samples=100)})
PLAIN_TOOL = {"type": "function", "function": {"name": "f"}}


def plan(
    *models: Model, snapshot: Snapshot = NOTHING_KNOWN, hedging: HedgingSettings | None = None,
    attempts_max: int = 3, sticky: str | None = None, prompt_bytes: int = 400, **fields: Any,
) -> Plan:  # fmt: skip
    served = models or (MODEL,)
    call = a_call(**{"model": served[0].id, **fields})
    call.prompt_bytes = prompt_bytes
    inquiry = inquire(
        call, listed(*served), rosters(served), hedging or HedgingSettings(race_max=3)
    )
    return decide(inquiry, Present(NOW, snapshot, 0.0, sticky), attempts_max=attempts_max)


def test_the_delay_is_the_default_until_there_are_figures() -> None:
    found = plan()

    assert "one" == names(found.offers)[0]
    assert (2.5, 1, None, "") == (
        found.hedge_after_s, found.at_once, found.hedge_cost_max, found.hedge_skipped,
    )  # fmt: skip
    assert 2.0 == plan(snapshot=KNOWN).hedge_after_s
    assert 1.0 == plan(hedging=HedgingSettings(default_s=1.0)).hedge_after_s


def test_the_others_of_the_plan_say_how_long_is_too_long() -> None:
    quick = Standing(ttft=Quantiles(0.5, 0.6, 0.7, 1.0, p95=0.8), samples=100)

    assert (
        1.0 == plan(snapshot=Snapshot({**KNOWN.standings, "two:maker/model": quick})).hedge_after_s
    )


@pytest.mark.parametrize("asked", [{"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}])
def test_who_asks_for_reasoning_is_waited_for_longer(asked: dict[str, Any]) -> None:
    slow = Snapshot({"one:maker/model": Standing(ttft=Quantiles(3, 5, 8, 30, p95=20), samples=100)})

    assert 4.0 == plan(snapshot=slow).hedge_after_s
    assert 8.0 == plan(snapshot=slow, **asked).hedge_after_s


def test_a_request_s_own_delay_and_price_come_first() -> None:
    wanted = {"hedge": {"after_ms": 70, "max_extra_cost": "0.001"}}
    found = plan(snapshot=KNOWN, provider=wanted)

    assert (0.07, 1_000_000) == (found.hedge_after_s, found.hedge_cost_max)
    assert 2.0 == plan(snapshot=KNOWN, provider={"hedge": {"max_extra_cost": 1}}).hedge_after_s


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("disabled", {"hedging": HedgingSettings(enabled=False)}),
        ("request", {"provider": {"hedge": False}}),
        ("not_streamed", {"stream": False}),
        ("alone", {"provider": {"only": ["one"]}}),
        ("alone", {"provider": {"allow_fallbacks": False}}),
        ("alone", {"attempts_max": 1}),
        (
            "server_tools",
            {"tools": [PLAIN_TOOL], "web_search_options": {}, "plugins": [{"id": "x"}]},
        ),
        ("sticky", {"sticky": "one:maker/model", "prompt_bytes": 20_000}),
    ],
    ids=str,
)
def test_a_plan_that_never_hedges_says_why(why: str, fields: dict[str, Any]) -> None:
    found = plan(snapshot=KNOWN, **fields)

    assert (NEVER, why) == (found.hedge_after_s, found.hedge_skipped)


def test_a_request_s_delay_does_not_overrule_a_reason() -> None:
    found = plan(provider={"hedge": {"after_ms": 70}, "only": ["one"]})

    assert (NEVER, "alone") == (found.hedge_after_s, found.hedge_skipped)


def test_a_spare_may_take_the_hedge_but_not_where_there_is_one_attempt() -> None:
    crowded = market(
        seller("one", 1), seller("one", 1, tag="a"), seller("one", 1, tag="b"), seller("two", 1.1)
    )

    assert ["two"] == names(plan(crowded).spares)
    assert "" == plan(crowded).hedge_skipped
    assert "alone" == plan(crowded, attempts_max=1).hedge_skipped


def test_who_is_much_dearer_takes_a_hedge_only_for_a_price_that_was_named() -> None:
    model = market(seller("one", 1), seller("two", 9))
    paid = plan(model, provider={"hedge": {"max_extra_cost": 0.01}})

    assert "price" == plan(model).hedge_skipped
    assert ("", 2.5) == (paid.hedge_skipped, paid.hedge_after_s)
    assert NanoDollars(10_000_000) == paid.hedge_cost_max


# --- races ----------------------------------------------------------------------------------------
def test_a_race_starts_as_many_as_were_asked_for_and_hedges_nothing() -> None:
    found = plan(provider={"race": {"n": 2}})

    assert (2, NEVER, "race") == (found.at_once, found.hedge_after_s, found.hedge_skipped)
    assert 3 == plan(provider={"race": {"n": 3}}).at_once


def test_a_race_is_no_larger_than_what_there_is_of_the_model() -> None:
    other = market(seller("three", 1), id_="maker/other")
    alone = plan(
        market(seller("one", 1)), other, provider={"race": {"n": 3}}, models=["maker/other"]
    )

    assert 2 == plan(provider={"race": {"n": 3}}, attempts_max=2).at_once
    assert (1, "alone") == (alone.at_once, alone.hedge_skipped)


def test_a_reply_that_is_not_streamed_may_be_raced() -> None:
    assert 2 == plan(provider={"race": {"n": 2}}, stream=False).at_once


def test_what_must_not_be_answered_twice_is_not_raced_either() -> None:
    found = plan(provider={"race": {"n": 2}}, store=True)

    assert (1, NEVER, "stored") == (found.at_once, found.hedge_after_s, found.hedge_skipped)
