"""The present is fetched and handed on; what settling needs is noted on the call."""

from dataclasses import replace
from typing import Any

import pytest
from trio.testing import MockClock

from proxy.config.settings import ArmSettings, ExperimentSettings, LimitSettings, Settings
from proxy.errors import NoEndpointError, UnknownModelError, UpstreamRateLimitError
from proxy.gateway import Gateway
from proxy.live.sticky import IDLE_S
from proxy.model.call import Call, Caller
from proxy.model.endpoint import Prices
from proxy.model.observation import Observation
from proxy.model.plan import Plan
from proxy.stages.plan import at_present, inquiry_of, plan
from proxy.units import Seconds
from tests.fakes.downstream import a_gateway
from tests.fakes.market import market, usd
from tests.fakes.things import a_call, a_model, an_endpoint

ENDPOINTS = (an_endpoint("one"), an_endpoint("two"), an_endpoint("six"))
CALLER = Caller("open")


def ids(planned: Plan) -> list[str]:
    return [offer.id for offer in planned.offers]


def planned(gateway: Gateway, call: Call | None = None, **fields: Any) -> list[str]:
    return ids(plan(call or a_call(**fields), CALLER, gateway))


async def test_every_model_asked_for_is_planned_in_turn() -> None:
    other = replace(a_model(an_endpoint("two", model="maker/other")), id="maker/other")
    gateway = a_gateway(a_model(ENDPOINTS[0]), other)

    assert ["one:maker/model", "two:maker/other"] == planned(gateway, models=["maker/other"])


async def test_attempts_are_bounded_by_the_settings() -> None:
    gateway = a_gateway(
        a_model(*ENDPOINTS), settings=Settings(limits=LimitSettings(attempts_max=2))
    )

    assert 2 == len(planned(gateway))


async def test_the_operators_ceilings_hold() -> None:
    gateway = a_gateway(a_model(*ENDPOINTS), ceilings={"only": ["six"]})

    assert ["six:maker/model"] == planned(gateway)
    with pytest.raises(NoEndpointError):
        planned(gateway, provider={"only": ["one"]})


async def test_an_unknown_model_is_told() -> None:
    with pytest.raises(UnknownModelError, match="no/such is not a valid model ID"):
        planned(a_gateway(), model="no/such")


async def test_the_draw_is_the_gateways_own() -> None:
    gateway = a_gateway(a_model(*ENDPOINTS))
    first = set()
    for number in range(10):
        gateway.identities.draw = lambda number=number: number / 10
        first.add(planned(gateway)[0])

    assert {"one:maker/model", "two:maker/model", "six:maker/model"} == first


async def test_live_troubles_and_rests_are_seen() -> None:
    gateway = a_gateway(a_model(*ENDPOINTS))
    limited = Observation(ENDPOINTS[2], gateway.clock(), "rate_limit", retry_after_s=20.0)
    gateway.live.observe(limited)

    assert ["one:maker/model", "two:maker/model"] == planned(gateway)
    with pytest.raises(UpstreamRateLimitError) as raised:
        planned(gateway, provider={"only": ["six"]})
    assert (("retry-after", "20"),) == raised.value.headers


async def test_options_of_providers_are_noted_on_the_call() -> None:
    call = a_call(provider={"options": {"One": {"x": 1}}})
    planned(a_gateway(a_model(*ENDPOINTS)), call)

    assert {"one": {"x": 1}} == call.options


# --- conversations --------------------------------------------------------------------------------
def caching(*names: str) -> Gateway:
    prices = Prices(usd(2), usd(8), cache_read=usd(0.2))
    return a_gateway(a_model(*(an_endpoint(name, prices=prices) for name in names)))


async def test_a_conversation_returns_to_who_served_it(autojump_clock: MockClock) -> None:
    gateway, call = caching("one", "two", "six"), a_call(session_id="s")
    assert "one:maker/model" == planned(gateway, call)[0]
    gateway.live.sticky.keep(call.sticky, "six:maker/model", gateway.clock())

    assert "six:maker/model" == planned(gateway, session_id="s")[0]
    assert "one:maker/model" == planned(gateway, session_id="other")[0]
    assert "one:maker/model" == ids(plan(a_call(session_id="s"), Caller("else"), gateway))[0]
    autojump_clock.jump(IDLE_S)
    assert "one:maker/model" == planned(gateway, session_id="s")[0]


async def test_no_conversation_is_kept_where_nobody_caches_or_nobody_else_serves() -> None:
    for gateway in (a_gateway(a_model(*ENDPOINTS)), caching("one")):
        call = a_call(session_id="s")
        planned(gateway, call)
        assert "" == call.sticky


# --- experiments ----------------------------------------------------------------------------------
A, B = market(an_endpoint("one"), id_="maker/a"), market(an_endpoint("two"), id_="maker/b")


async def test_an_experiment_chooses_the_models() -> None:
    arms = (ArmSettings("maker/a", 1.0), ArmSettings("maker/b", 3.0))
    gateway = a_gateway(A, B, settings=Settings(experiments={"x": ExperimentSettings(arms)}))
    gateway.identities.draw = lambda: 0.9
    call = a_call(model="split/x")

    assert ["two:maker/b", "one:maker/a"] == planned(gateway, call)
    assert ("x/maker/b", "split/x", ("maker/b", "maker/a")) == (
        call.arm, call.requested, call.models,
    )  # fmt: skip


async def test_no_experiment_leaves_the_models_as_they_are() -> None:
    gateway, call = a_gateway(A), a_call(model="maker/a")
    inquiry = inquiry_of(call, gateway)

    assert ("", "maker/a", ("maker/a",)) == (call.arm, call.requested, call.models)
    assert ["maker/a"] == [target.roster.model.id for target in inquiry.targets]


# --- explanations ---------------------------------------------------------------------------------
async def test_an_explanation_is_noted_where_it_was_asked_for() -> None:
    gateway = a_gateway(a_model(*ENDPOINTS))
    call, silent = a_call(), a_call()
    call.explained = True
    offers = planned(gateway, call)
    planned(gateway, silent)

    assert None is silent.explanation
    assert call.explanation is not None
    assert offers == [one.endpoint for one in call.explanation.candidates if one.selected]


async def test_a_refusal_is_explained_too() -> None:
    call = a_call(provider={"only": ["nobody"]})
    call.explained = True
    with pytest.raises(NoEndpointError):
        planned(a_gateway(a_model(*ENDPOINTS)), call)

    assert call.explanation is not None
    assert all(one.out for one in call.explanation.candidates)


async def test_a_request_adds_to_the_retry_budget() -> None:
    gateway = a_gateway(a_model(*ENDPOINTS), clock=lambda: 5.0)
    heard: list[Seconds] = []
    gateway.live.retries.request = heard.append  # type: ignore[method-assign]
    planned(gateway)

    assert [5.0] == heard


async def test_the_present_is_that_of_the_gateway() -> None:
    gateway = a_gateway(clock=lambda: 7.0)
    present = at_present(inquiry_of(a_call(), gateway), gateway)

    assert (7.0, gateway.live.snapshot, 0.0, None) == (
        present.now, present.snapshot, present.draw, present.sticky,
    )  # fmt: skip
