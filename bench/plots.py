"""Pictures of the side-by-side run: small bars in panels, one panel for each question, and the ladder's curves.

Rule 1: panels of one picture and one unit share a scale, so that bars may be compared across them.
Rule 2: a panel without figures is not drawn, nor is a picture without panels.
Rule 3: the mock itself is shown only where it says how fast the load can be.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.chart import OTHERS_COLOUR, OURS_COLOUR, ROW, Bar, Chart, Mark, Scale, scale, short
from bench.day_svg import LEFT, RIGHT, WIDTH, Panel
from bench.page_results import DIRECT, OURS, Point, Results
from bench.page_tables import number

TOP, EDGE, GAP = 46, 16, 20
"""Pixels above the panels, beside them and between them."""
HEAD, FOOT = 20, 36
"""Pixels for what a panel is about, and for the scale below it."""


class Picture(NamedTuple):
    """One file."""

    title: str
    svg: str


class Bars(NamedTuple):
    """One picture of bars."""

    title: str
    columns: int
    panels: tuple[tuple[str, str], ...]
    """(metric, what the panel is about)."""
    direct: bool = False
    """Whether the mock, driven directly, has a bar."""


BARS = {
    "cpu": Bars(
        "CPU per request or stream, us, logarithmic: shorter is better", 2,
        (("plain.cpu", "a small request"), ("large.cpu", "a long document, 100 KB"),
         ("chunks.cpu", "a stream, a write per event"), ("burst.cpu", "a stream in one write"),
         ("translate.cpu", "another dialect"), ("translate_stream.cpu", "another dialect, streamed")),
    ),
    "rates": Bars(
        "Requests or streams a second on one core, logarithmic: longer is better", 2,
        (("plain.rate", "a small request"), ("large.rate", "a long document"),
         ("chunks.rate", "a stream, a write per event"), ("burst.rate", "a stream in one write"),
         ("translate.rate", "another dialect"), ("translate_stream.rate", "another dialect, streamed")),
        direct=True,
    ),
    "added": Bars(
        "Latency added to direct, us, logarithmic: shorter is better", 2,
        tuple((f"ladder.added_{p}.c{n}", f"{n} connection{'s' if n > 1 else ''}, {p}") for n in (1, 8, 64) for p in ("p50", "p99")),
    ),
    "half": Bars(
        "Latency added to direct at half of each one's own load, us, logarithmic: shorter is better", 2,
        (("half.plain.added_p50", "a small request, p50"), ("half.plain.added_p99", "a small request, p99"),
         ("half.chunks.added_p50", "a stream, p50"), ("half.chunks.added_p99", "a stream, p99")),
    ),
    "paced": Bars(
        "Paced streams, p99, logarithmic: shorter is better", 2,
        tuple((f"paced.{n}.{what}_p99", f"{words}, {n} streams at once")
              for n in (32, 200) for what, words in (("ttfb", "first content"), ("gap", "gap between events"))),
        direct=True,
    ),
    "memory": Bars(
        "Memory, MiB, logarithmic: shorter is better", 3,
        (("memory.idle", "idle"), ("memory.loaded", "most under load"), ("memory.after", "after the load")),
    ),
    "coldstart": Bars(
        "Cold start, ms, logarithmic: shorter is better", 2,
        (("coldstart.ready", "until it says it is ready"), ("coldstart.first", "until the first good answer")),
    ),
}  # fmt: skip

MARKS = {
    "direct": Mark(OTHERS_COLOUR, "plus", "2 3"),
    "nginx": Mark("#d55e00", "square"),
    "envoy": Mark("#009e73", "up"),
    "tensorzero": Mark("#cc79a7", "diamond"),
    "portkey": Mark("#c98a00", "down", "6 3"),
    "litellm": Mark("#9a7b5f", "cross", "6 3"),
    OURS: Mark(OURS_COLOUR, "circle", "", 3.0),
}
"""Colours of Okabe and Ito, some darker for white pages: told apart by the colour-blind."""
OTHER_MARK = Mark(OTHERS_COLOUR, "square", "1 3")
LADDER = "p99 against throughput, 1 to 128 connections, logarithmic: right and low is better"


def pictures(results: Results) -> dict[str, Picture]:
    """Every picture that the run has figures for, by what ends its file name."""
    drawn = {name: bars(results, kind) for name, kind in BARS.items()} | {"ladder": ladder(results)}
    return {name: picture for name, picture in drawn.items() if picture is not None}


class _Drawn(NamedTuple):
    """One panel."""

    words: str
    unit: str
    bars: list[Bar]


def bars(results: Results, kind: Bars) -> Picture | None:
    """Panels of bars in columns."""
    panels = [
        _Drawn(words, results.unit(metric), found)
        for metric, words in kind.panels
        if (found := _bars(results, metric, kind))
    ]
    if not panels:
        return None
    scales = {unit: _scale(panels, unit) for unit in {panel.unit for panel in panels}}
    height = HEAD + ROW * max(len(panel.bars) for panel in panels) + FOOT
    lines = -(-len(panels) // kind.columns)
    chart = Chart(kind.title, _told(panels), TOP + height * lines - EDGE // 2, left=EDGE)
    width = (WIDTH - 2 * EDGE - GAP * (kind.columns - 1)) / kind.columns
    for place, panel in enumerate(panels):
        left = round(EDGE + place % kind.columns * (width + GAP), 1)
        top = TOP + place // kind.columns * height
        # A picture of one unit has it in its title.
        unit = f", {panel.unit}" if len(scales) > 1 else ""
        chart.words(left, top + 10, panel.words + unit, bold=True)
        chart.bars((left, top + HEAD), width, panel.bars, scales[panel.unit])
    return Picture(kind.title, chart.text())


def _scale(panels: Sequence[_Drawn], unit: str) -> Scale:
    found = [bar for panel in panels if panel.unit == unit for bar in panel.bars]
    return scale([end for bar in found for end in (bar.low, bar.value, bar.high)])


def _bars(results: Results, metric: str, kind: Bars) -> list[Bar]:
    found = []
    for target in results.present():
        figure = results.figure(metric, target.name)
        if figure is not None and (target.name != DIRECT or kind.direct):
            words = number(figure.median)
            found.append(Bar(target.title, *figure, words, target.name == OURS))
    return found


def _told(panels: Sequence[_Drawn]) -> str:
    """The same in words."""
    return " ".join(
        f"{panel.words}: "
        + ", ".join(f"{bar.name} {bar.words} {panel.unit}".rstrip() for bar in panel.bars)
        + "."
        for panel in panels
    )


def ladder(results: Results) -> Picture | None:
    """A curve for each target: a point for each number of connections."""
    curves = {
        target: steps
        for target in results.present()
        if (steps := [p for p in results.ladder(target.name) if p.rate > 0 and p.p99_us > 0])
    }
    if not curves:
        return None
    across = scale([p.rate for steps in curves.values() for p in steps], room=0, whole=True)
    up = scale([p.p99_us / 1000 for steps in curves.values() for p in steps], room=0, whole=True)
    told = " ".join(
        f"{t.title}: {', '.join(_point(p) for p in steps)}." for t, steps in curves.items()
    )
    chart = Chart(LADDER, told, 480)
    panel = Panel(TOP, 360, _decades(across, across.high), (up.low, up.high), log=True)
    chart.axes(panel, [(value, short(value)) for value in up.ticks()], "p99, ms")
    chart.upright(panel, [(_decades(across, value), short(value)) for value in across.ticks()])
    chart.words((LEFT + WIDTH - RIGHT) / 2, TOP + 396, "requests/s", anchor="middle")
    # Ours is drawn last, on top of the others.
    for target, steps in sorted(curves.items(), key=lambda item: item[0].name == OURS):
        points = [(_decades(across, p.rate), p.p99_us / 1000) for p in steps]
        chart.curve(panel, points, MARKS.get(target.name, OTHER_MARK))
    entries = [(MARKS.get(target.name, OTHER_MARK), target.title) for target in curves]
    chart.key(TOP + 424, entries, bold=results.title(OURS))
    return Picture(LADDER, chart.text())


def _point(point: Point) -> str:
    return f"{number(point.rate)} requests/s with p99 {number(point.p99_us / 1000)} ms"


def _decades(across: Scale, value: float) -> float:
    """How far to the right, in powers of ten."""
    return math.log10(max(value, across.low) / across.low)
