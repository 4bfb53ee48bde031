"""What is true of the fast parser alone; what it shares with the other is in `test_parsers`."""

import subprocess
import sys
from pathlib import Path

import httptools
import pytest

from proxy.wire.llhttp import AVAILABLE, parse_request_head, parse_response_head
from proxy.wire.parsers import FAST
from tests.wire.differences import REQUESTS, RESPONSES
from tests.wire.raw import llhttp_head

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_the_fast_parser_where_it_is_installed() -> None:
    assert AVAILABLE
    assert (parse_request_head, parse_response_head) == (FAST.request_head, FAST.response_head)


def test_no_other_module_of_wire_imports_its_binding() -> None:
    importers = [
        p.name
        for p in (ROOT / "proxy" / "wire").rglob("*.py")
        if "import httptools" in p.read_text()
    ]

    assert ["llhttp.py"] == importers


def test_without_its_binding_the_module_says_so_and_can_be_imported() -> None:
    code = "import sys; sys.modules['httptools'] = None; from proxy.wire.llhttp import AVAILABLE; print(AVAILABLE)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=ROOT,
    )

    assert "False\n" == ran.stdout


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"TLS/1.0"])
def test_an_upgrade_that_llhttp_would_switch_for_is_ignored(upgrade: bytes) -> None:
    raw = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % upgrade
    with pytest.raises(httptools.HttpParserUpgrade):
        httptools.HttpRequestParser(object()).feed_data(raw)

    assert "/a" == parse_request_head(raw, 9).path


def test_what_llhttp_reads_and_we_do_not_is_what_the_list_says() -> None:
    """The rules before it are needed: llhttp by itself lets these pass."""
    for classes, kind in (
        (REQUESTS, httptools.HttpRequestParser),
        (RESPONSES, httptools.HttpResponseParser),
    ):
        alone = {each.name for each in classes if llhttp_head(each.example, kind) is not None}
        assert {each.name for each in classes if each.reads != "h11"} == alone
