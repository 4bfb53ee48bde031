"""A drawing, written as SVG: rectangles, lines, areas and words, in data coordinates of a panel.

Rule 1: no scripts, no fonts of its own; words and axes have the reader's text colour, by day and by night.
"""

import math
from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT = 900, 64, 20
STYLE = (
    "svg{color:#24292f;font:12px system-ui,sans-serif}"
    "@media (prefers-color-scheme:dark){svg{color:#d0d7de}}"
    "text{fill:currentColor}.axis{stroke:currentColor;stroke-opacity:.35}.edge{stroke:#fff;stroke-opacity:.7}"
)
"""An image on a page does not inherit its colours, so both are said here."""
COLOURS = ("#3f8fd6", "#e08a2e", "#45a36b", "#c65f8d", "#8a74d6", "#a08c2d")
"""Seen on white and on black, and told apart by the colour-blind through their order."""


class Panel:
    """One plot: a rectangle with two axes."""

    def __init__(
        self, top: float, height: float, x_max: float, y_range: tuple[float, float], *,
        log: bool = False,
    ) -> None:  # fmt: skip
        self.top, self.height, self.x_max = top, height, x_max
        self._low, self._high = y_range
        self._log = log

    def x(self, value: float) -> float:
        """Where a time stands, pixels."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * value / self.x_max, 1)

    def y(self, value: float) -> float:
        """Where a value stands, pixels; what is out of range stands at its end."""
        value = min(max(value, self._low), self._high)
        if self._log:
            share = math.log(value / self._low) / math.log(self._high / self._low)
        else:
            share = (value - self._low) / (self._high - self._low)
        return round(self.top + self.height * (1 - share), 1)


class Drawing:
    """One picture."""

    def __init__(self, title: str, height: int) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
        ]
        self.words(LEFT, 16, title, bold=True)

    def text(self) -> str:
        """The file."""
        return "\n".join([*self._parts, "</svg>\n"])

    def words(
        self, x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False,
        turned: bool = False,
    ) -> None:  # fmt: skip
        """Write something; `turned`: upwards."""
        more = ' font-weight="600"' if bold else ""
        more += f' transform="rotate(-90 {x} {y})"' if turned else ""
        self._parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(words)}</text>'
        )

    def block(
        self, x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1.0
    ) -> None:
        """A filled rectangle, at least half a pixel wide."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
            f'fill="{colour}" fill-opacity="{opacity}"/>'
        )

    def sides(self, panel: Panel, *times: float) -> None:
        """Upright lines through a panel."""
        low, high = panel.top, panel.top + panel.height
        for x in map(panel.x, times):
            self._parts.append(f'<line class="edge" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>')

    def strip(
        self, y: float, height: float, spans: Sequence[tuple[float, float]], colour: str
    ) -> None:
        """Many rectangles of one row, (from, to) in pixels, as one stroke."""
        path = "".join(f"M{x:.1f} {y}h{max(to - x, 0.5):.1f}" for x, to in spans)
        if path:
            self._parts.append(f'<path d="{path}" stroke="{colour}" stroke-width="{height}"/>')

    def line(self, panel: Panel, points: Sequence[tuple[float, float]], colour: str) -> None:
        """A curve through (time, value)."""
        path = " ".join(f"{panel.x(x)},{panel.y(y)}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
        )

    def area(
        self, panel: Panel, lower: Sequence[tuple[float, float]],
        upper: Sequence[tuple[float, float]], colour: str,
    ) -> None:  # fmt: skip
        """What lies between two curves."""
        path = " ".join(f"{panel.x(x)},{panel.y(y)}" for x, y in [*lower, *reversed(upper)])
        self._parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def axes(self, panel: Panel, ticks: Sequence[tuple[float, str]], name: str) -> None:
        """Marks at the left, and what they are of."""
        right = WIDTH - RIGHT
        for value, words in ticks:
            y = panel.y(value)
            self._parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
            self.words(LEFT - 6, y + 4, words, anchor="end")
        self.words(14, panel.top + panel.height / 2, name, anchor="middle", turned=True)

    def clock(self, panel: Panel, ticks: Sequence[tuple[float, str]]) -> None:
        """Times below a panel."""
        for at, words in ticks:
            self.words(panel.x(at), panel.top + panel.height + 16, words, anchor="middle")

    def legend(self, y: float, entries: Sequence[tuple[str, str]]) -> None:
        """(colour, word) side by side."""
        step = (WIDTH - LEFT - RIGHT) / max(len(entries), 1)
        for place, (colour, words) in enumerate(entries):
            x = LEFT + place * step
            self.block(x, y - 9, 10, 10, colour)
            self.words(x + 15, y, words)
