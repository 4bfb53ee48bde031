"""Plain tables."""

from proxy.cli.columns import columns


def test_columns_are_as_wide_as_their_widest_cell_and_lines_end_clean() -> None:
    assert columns([("A", "B"), ("long", "x"), ("s", "")]) == ["A     B", "long  x", "s"]
