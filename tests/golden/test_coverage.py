"""COVERAGE.md says what is; no exchange is left untested."""

import re

import pytest

from tests.fakes.messages_recordings import counts, load_messages_recordings
from tests.fakes.recordings import ABSENT, load_recordings
from tests.golden.coverage import FILE, features_of, table

pytestmark = pytest.mark.skipif(
    not load_recordings(), reason=f"COVERAGE.md is NOT checked: {ABSENT}"
)


def test_the_table_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == table(), "run `python -m tests.golden.coverage`"


def test_every_exchange_is_read_by_a_test() -> None:
    rows = re.findall(r"^\| ([\w./-]+/[\w./-]+) \|.*\| (\w*) \|$", table(), re.MULTILINE)

    assert len(rows) == len(load_recordings()) + len(load_messages_recordings())
    # The gateway counts by itself, so a provider's refusal to count is nothing that it could meet.
    unasked = {one.name for one in counts() if one.status != 200}
    assert {name for name, letters in rows if not letters} == unasked


def test_what_an_exchange_exercises_is_seen() -> None:
    found = {feature for one in load_messages_recordings() for feature in features_of(one)}

    assert {"tools", "thinking", "redacted_thinking", "signature", "citations", "cache_control"} <= found  # fmt: skip
    assert {"image", "document", "server_tool_use", "ends in refusal", "counts tokens"} <= found
