"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the repository; skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent: tests of recorded traffic need it")
    return SHARED
