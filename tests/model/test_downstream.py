"""The doors' connections are what stages take them for."""

import inspect

from proxy.doors.lane import LaneConnection
from proxy.model.downstream import Downstream


def test_the_lane_has_every_method_of_a_downstream_with_its_parameters() -> None:
    for name, method in inspect.getmembers(Downstream, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(method).parameters) == list(
                inspect.signature(getattr(LaneConnection, name)).parameters
            )
