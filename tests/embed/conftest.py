"""The provider of all tests here."""

from collections.abc import Iterator

import pytest

from tests.embed.rig import Provider, provider_in_thread


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """One replay server; tests tell their requests apart by model and order."""
    with provider_in_thread() as running:
        yield running
