"""The relay passes text on as views: what it copies and allocates is held here."""

from bench.copies import measure

BUFFERS_MAX = 2.1
"""A view and a joint a chunk, and one piece at either end."""
BLOCKS_MAX = 2.5
"""A view and its share of the list; 1.03 measured when this was written."""


def test_spliced_text_is_never_copied_and_costs_a_view_a_chunk() -> None:
    found = measure()

    assert 0 == found.copied_bytes
    assert found.buffers < BUFFERS_MAX
    assert found.blocks < BLOCKS_MAX
