"""`hedgerow version`."""

from proxy import __version__
from tests.cli.process import hedgerow


def test_it_prints_name_and_version() -> None:
    assert hedgerow("version").stdout == f"hedgerow {__version__}\n"
