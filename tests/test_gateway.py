"""The services are one value that nobody changes."""

from dataclasses import FrozenInstanceError

import pytest

from tests.fakes.downstream import a_gateway


async def test_services_are_not_exchanged_while_they_run() -> None:
    gateway = a_gateway(keys=["x"])

    assert frozenset({"x"}) == gateway.keys
    with pytest.raises(FrozenInstanceError):
        gateway.keys = frozenset()  # type: ignore[misc]
