"""Scenarios run through every door; what concerns HTTP/1.1 alone is marked `LANE`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.rig import Door, rig as rig_of


@pytest.fixture(params=["lane", "h2"])
def door(request: pytest.FixtureRequest) -> Door:
    """How clients speak."""
    assert request.param in {"lane", "h2"}
    return "lane" if request.param == "lane" else "h2"


@pytest.fixture
def rig(door: Door) -> Callable[..., Any]:
    """`tests.rig.rig` with clients at one of the doors."""
    return partial(rig_of, door=door)
