"""Every dialect a file may name exists, and no other."""

from proxy.config import DIALECTS as NAMED
from proxy.dialects.registry import DIALECTS


def test_configuration_and_code_know_the_same_dialects() -> None:
    assert set(NAMED) == set(DIALECTS)
