"""Bars and curves on logarithmic scales, on top of the drawing that the other pictures are made with.

Rule 1: nobody is told by colour alone: bars have their names beside them, curves their own marks and dashes.
Rule 2: who does not see the picture gets the same figures as its description.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from bench.day_svg import LEFT, RIGHT, WIDTH, Drawing, Panel

OURS_COLOUR, OTHERS_COLOUR = "#2f86cf", "#8c959f"
"""Seen on white and on black; ours is bold besides."""
ROW, BAR = 20, 13
"""Pixels from bar to bar, and of a bar."""
NAMES, FIGURES = 78, 58
"""Pixels for names at the left of bars and for figures at their right."""


class Bar(NamedTuple):
    """One figure of one target."""

    name: str
    value: float
    low: float
    high: float
    """The spread; drawn where it is one."""
    words: str
    """The figure as a reader sees it."""
    ours: bool = False


class Scale(NamedTuple):
    """A logarithmic scale from end to end."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where a value stands between the ends, 0 to 1; what is outside stands at an end."""
        value = min(max(value, self.low), self.high)
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[float]:
        """Powers of ten from end to end; between them 2 and 5 where there are few."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if self.high / self.low < 100 else (1,)
        found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [value for value in found if self.low * 0.999 <= value <= self.high * 1.001]


def scale(values: Sequence[float], *, room: float = 0.2, whole: bool = False) -> Scale:
    """From the power of ten below all values to the greatest, or to the power of ten above it.

    Args:
        values: those that are not above zero do not count.
        room: decades that even the least value has below it.
    """
    found = [value for value in values if value > 0] or [1.0]
    low = math.floor(math.log10(min(found)) - room)
    high = math.log10(max(found))
    high = max(math.ceil(high) if whole else high, low + 1)
    return Scale(10.0**low, 10.0**high)


class Mark(NamedTuple):
    """How a curve looks."""

    colour: str
    shape: str
    """circle, square, diamond, up, down, cross or plus."""
    dashes: str = ""
    width: float = 1.4


class Chart(Drawing):
    """One picture with a description."""

    def __init__(self, title: str, told: str, height: int, *, left: float = LEFT) -> None:
        super().__init__(title, height)
        # The title stands above the leftmost words, wherever these are.
        self._parts.pop()
        self.words(left, 16, title, bold=True)
        # Readers look for it right behind the title, before anything that is drawn.
        self._parts.insert(2, f"<desc>{escape(told)}</desc>")

    def bars(
        self, corner: tuple[float, float], width: float, bars: Sequence[Bar], scale: Scale
    ) -> None:
        """Bars from top to bottom with upright lines behind; `corner` is the upper left one, pixels."""
        left, top = corner
        begins, room = left + NAMES, width - NAMES - FIGURES
        bottom = top + ROW * len(bars)
        for tick in scale.ticks():
            x = round(begins + room * scale.share(tick), 1)
            self._parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
            self.words(x, bottom + 14, short(tick), anchor="middle")
        for place, bar in enumerate(bars):
            y = top + ROW * place + (ROW - BAR) / 2
            ends = begins + room * scale.share(bar.value)
            colour = OURS_COLOUR if bar.ours else OTHERS_COLOUR
            self.words(begins - 6, y + BAR - 2, bar.name, anchor="end", bold=bar.ours)
            self.block(begins, y, ends - begins, BAR, colour)
            furthest = ends
            if bar.high > bar.low:
                low, high = (begins + room * scale.share(end) for end in (bar.low, bar.high))
                self._whisker(low, high, y + BAR / 2)
                furthest = max(ends, high)
            self.words(round(furthest + 6, 1), y + BAR - 2, bar.words, bold=bar.ours)

    def _whisker(self, low: float, high: float, y: float) -> None:
        """From the lowest to the highest round."""
        ends = f"M{low:.1f} {y - 3}v6M{low:.1f} {y}H{high:.1f}M{high:.1f} {y - 3}v6"
        self._parts.append(
            f'<path d="{ends}" fill="none" stroke="currentColor" stroke-width="1.2"/>'
        )

    def curve(self, panel: Panel, points: Sequence[tuple[float, float]], mark: Mark) -> None:
        """A line through (x, y) in the panel's coordinates, with a mark at each point."""
        places = [(panel.x(x), panel.y(y)) for x, y in points]
        path = " ".join(f"{x},{y}" for x, y in places)
        dashes = f' stroke-dasharray="{mark.dashes}"' if mark.dashes else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{mark.colour}" stroke-width="{mark.width}"{dashes}/>'
        )
        for x, y in places:
            self.mark(x, y, mark)

    def mark(self, x: float, y: float, mark: Mark) -> None:
        """One point."""
        size = 3.4 + mark.width / 2
        outline = _OUTLINES[mark.shape]
        path = (
            "M" + "L".join(f"{x + size * dx:.1f} {y + size * dy:.1f}" for dx, dy in outline) + "Z"
        )
        if mark.shape == "circle":
            self._parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{mark.colour}"/>'
            )
        else:
            self._parts.append(f'<path d="{path}" fill="{mark.colour}"/>')

    def upright(self, panel: Panel, at: Sequence[tuple[float, str]]) -> None:
        """Lines through the panel with words below."""
        for value, words in at:
            x = panel.x(value)
            self._parts.append(
                f'<line class="axis" x1="{x}" x2="{x}" y1="{panel.top}" y2="{panel.top + panel.height}"/>'
            )
            self.words(x, panel.top + panel.height + 16, words, anchor="middle")

    def key(self, y: float, entries: Sequence[tuple[Mark, str]], *, bold: str = "") -> None:
        """Marks with their names, side by side."""
        step = (WIDTH - LEFT - RIGHT) / max(len(entries), 1)
        for place, (mark, words) in enumerate(entries):
            x = LEFT + 8 + place * step
            dashes = f' stroke-dasharray="{mark.dashes}"' if mark.dashes else ""
            self._parts.append(
                f'<line x1="{x - 10:.1f}" x2="{x + 10:.1f}" y1="{y - 4}" y2="{y - 4}" stroke="{mark.colour}" '
                f'stroke-width="{mark.width}"{dashes}/>'
            )
            self.mark(x, y - 4, mark)
            self.words(round(x + 15, 1), y, words, bold=words == bold)


def short(value: float) -> str:
    """`10`, `1k`, `0.1`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


_OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "circle": ((0, 0),),
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "up": ((0, -1.2), (1.2, 0.9), (-1.2, 0.9)),
    "down": ((0, 1.2), (1.2, -0.9), (-1.2, -0.9)),
    "plus": ((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4),
             (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)),
    "cross": ((-1.2, -0.7), (-0.7, -1.2), (0, -0.5), (0.7, -1.2), (1.2, -0.7), (0.5, 0),
              (1.2, 0.7), (0.7, 1.2), (0, 0.5), (-0.7, 1.2), (-1.2, 0.7), (-0.5, 0)),
}  # fmt: skip
