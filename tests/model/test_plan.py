"""A plan is decided once."""

import math

import pytest

from proxy.model.plan import Plan
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import an_endpoint


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Plan((an_endpoint(),), Seconds(math.inf), NanoDollars(1)).offers = ()  # type: ignore[misc]
