"""An observation is a value: what is not told is nothing."""

import pytest

from proxy.model.observation import Observation
from proxy.units import Seconds
from tests.fakes.things import an_endpoint


def test_an_observation_cannot_be_changed() -> None:
    one = Observation(an_endpoint(), Seconds(1.0), "none")

    with pytest.raises(AttributeError):
        one.fault = "endpoint"  # type: ignore[misc]
