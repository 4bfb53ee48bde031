"""Markdown: numbers, lists of names, and tables whose columns are targets.

Rule 1: a figure is a median; its spread stands behind it wherever there was more than one round.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.page_results import Figure, Results, Rival

NOTHING = "–"
"""A target that was not measured, or cannot do it."""


class Row(NamedTuple):
    """One line of a lane's table."""

    label: str
    metric: str
    against: str | None = None
    """Give multiples of this target's figure instead of the figure."""


def number(value: float) -> str:
    """Three significant digits, or all before the point."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.1 or size < 0.0005:
        return f"{value:.2f}" if size else "0"
    return f"{value:.3f}"


def spread(figure: Figure) -> str:
    """`141 (138 to 145)`, or the median alone where the ends look the same."""
    ends = number(figure.low), number(figure.high)
    if ends[0] == ends[1]:
        return number(figure.median)
    return f"{number(figure.median)} ({ends[0]} to {ends[1]})"


def times(factor: float) -> str:
    """`51 times`, `3.1 times`; close to one `1.07 times`."""
    digits = 2 if factor < 1.995 else 1 if factor < 9.95 else 0
    return f"{factor:,.{digits}f} times"


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def rivals(found: Sequence[Rival]) -> str:
    """`LiteLLM (51 times) and Portkey (9.3 times)`."""
    return listed(
        rival.target.title + ("" if rival.factor is None else f" ({times(rival.factor)})")
        for rival in found
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True) -> str:
    """Columns after the first stand to the right where they are figures."""
    lines = [f"| {' | '.join(heads)} |"]
    lines.append("|---" + ("|--:" if figures else "|---") * (len(heads) - 1) + "|")
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def by_target(results: Results, rows: Iterable[Row]) -> str:
    """A line for each metric that anybody has, a column for each target that has any; else empty."""
    rows = [row for row in rows if results.values.get(row.metric)]
    targets = [
        target
        for target in results.present()
        if any(results.figure(row.metric, target.name) for row in rows)
    ]
    heads = ["", *(_head(target.name, target.title) for target in targets)]
    lines = []
    for row in rows:
        found = [_found(results, row, target.name) for target in targets]
        if any(found):
            cells = [spread(figure) if figure else NOTHING for figure in found]
            lines.append([row.label, *cells])
    return table(heads, lines) if lines else ""


def _found(results: Results, row: Row, target: str) -> Figure | None:
    if row.against is None:
        return results.figure(row.metric, target)
    return results.ratio(row.metric, target, row.against) if target != "direct" else None


def _head(name: str, title: str) -> str:
    return f"**{title}**" if name == "hedgerow" else title
