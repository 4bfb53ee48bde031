"""The relay passes text on as views: what it copies and allocates is held here."""

import pytest

from bench.copies import Way, content, measure

BUFFERS_MAX: dict[Way, float] = {"chunks": 3.0, "burst": 2.1}
"""Head, view and tail per read; in one read neighbours share a joint."""
BLOCKS_MAX: dict[Way, float] = {"chunks": 4.0, "burst": 2.0}
"""A view, and a list per read; 3.27 and 1.31 measured on CPython 3.11 when this was written."""


@pytest.mark.parametrize("way", ["chunks", "burst"])
def test_spliced_text_is_never_copied_and_costs_a_view_a_chunk(way: Way) -> None:
    found = measure(way)

    assert found.text_bytes > 0
    assert 0 == found.copied_bytes
    assert found.buffers <= BUFFERS_MAX[way]
    assert found.blocks < BLOCKS_MAX[way]


def test_content_is_read_through_the_framing() -> None:
    event = b'data: {"choices":[{"delta":{"content":"a b"}}]}\n\n'

    assert ["a b", "a b"] == content(b"31\r\n" + event + b"\r\n31\r\n" + event + b"\r\n")
