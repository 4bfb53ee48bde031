"""The registry knows exactly the dialects that a provider may be configured to speak."""

import pytest

from proxy.config import settings
from proxy.dialects.registry import DIALECTS


def test_the_configurable_dialects_are_all_there_and_no_others() -> None:
    assert sorted(settings.DIALECTS) == sorted(DIALECTS)


def test_the_registry_cannot_be_added_to() -> None:
    with pytest.raises(TypeError):
        DIALECTS["other"] = DIALECTS["openai-chat"]  # type: ignore[index]
