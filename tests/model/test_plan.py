"""A plan is decided once: it cannot be changed."""

import math

import pytest

from proxy.model.plan import Plan
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import an_endpoint


def test_a_plan_cannot_be_changed_and_has_no_cap_unless_it_says_so() -> None:
    plan = Plan((an_endpoint(),), Seconds(math.inf), NanoDollars(5))

    assert None is plan.output_tokens_max
    with pytest.raises(AttributeError):
        plan.offers = ()  # type: ignore[misc]
