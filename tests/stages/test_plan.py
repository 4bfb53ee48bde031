"""Names are resolved, then the planner decides under the operator's ceilings."""

from dataclasses import replace

import pytest

from proxy.config.settings import LimitSettings, Settings
from proxy.errors import NoEndpointError, UnknownModelError
from proxy.stages.plan import plan
from tests.fakes.downstream import a_gateway
from tests.fakes.things import a_call, a_model, an_endpoint

ENDPOINTS = (an_endpoint("one"), an_endpoint("two"), an_endpoint("six"))


async def test_every_model_asked_for_is_planned_in_turn() -> None:
    other = replace(a_model(an_endpoint("two", model="maker/other")), id="maker/other")
    gateway = a_gateway(a_model(ENDPOINTS[0]), other)
    planned = plan(a_call(models=["maker/other"]), gateway)

    assert ["one:maker/model", "two:maker/other"] == [offer.id for offer in planned.offers]


async def test_attempts_are_bounded_by_the_settings() -> None:
    gateway = a_gateway(
        a_model(*ENDPOINTS), settings=Settings(limits=LimitSettings(attempts_max=2))
    )

    assert 2 == len(plan(a_call(), gateway).offers)


async def test_the_operators_ceilings_hold() -> None:
    gateway = a_gateway(a_model(*ENDPOINTS), ceilings={"only": ["six"]})

    assert ["six:maker/model"] == [offer.id for offer in plan(a_call(), gateway).offers]
    with pytest.raises(NoEndpointError):
        plan(a_call(provider={"only": ["one"]}), gateway)


async def test_an_unknown_model_is_told() -> None:
    with pytest.raises(UnknownModelError, match="no/such is not a valid model ID"):
        plan(a_call(model="no/such"), a_gateway())
