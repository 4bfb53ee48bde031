"""A call is complete once it is decoded."""

import pytest

from proxy.model.call import Caller
from tests.fakes.things import a_call


def test_a_call_knows_its_dialect_surface_and_models() -> None:
    call = a_call(models=["maker/other"])

    assert ("openai-chat", "chat") == (call.dialect, call.surface)
    assert ("maker/model", "maker/other") == call.models


def test_a_caller_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Caller(account="a").account = "b"  # type: ignore[misc]
