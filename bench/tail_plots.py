"""Pictures of `bench.tail`: how many requests wait longer than t, and what is sent when.

Rule 1: both axes of a survival curve are logarithmic; a point at (8 s, 1 %) says that one request in a
hundred waited longer than eight seconds.
"""

import math
from collections.abc import Sequence

from bench.day_svg import COLOURS, LEFT, Drawing, Panel
from bench.tail_findings import Run, survival
from bench.tail_settings import MODES
from bench.tail_worlds import WORLDS

TOP, HEIGHT = 46, 300
LEAST_S, MOST_S = 0.1, 300.0
MODE_COLOURS = {
    "none": "#d1453b",
    "hedged": COLOURS[0],
    "race": COLOURS[2],
    "unbounded": COLOURS[4],
}
SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
GREY = "#8c959f"
ANCHORS = ("start", "middle")
"""Of words in the first and second line below the bars."""


def pictures(runs: Sequence[Run]) -> dict[str, str]:
    """SVG texts by what ends their file name."""
    drawn = {}
    for how, world in dict.fromkeys((run.how, run.world) for run in runs):
        found = [run for run in runs if (run.how, run.world) == (how, world)]
        name = world if how == "virtual" else f"{world}-sockets"
        drawn[name] = survivals(found)
    return drawn


def survivals(runs: Sequence[Run]) -> str:
    """Share of requests that wait longer than t, a curve for each run of one world."""
    how = "virtual time" if runs[0].how == "virtual" else "over sockets"
    drawing = Drawing(f"{WORLDS[runs[0].world].title}: requests that wait longer, {how}", 424)
    least = _least(max(len(run.waits) for run in runs))
    panel = Panel(TOP, HEIGHT, _x(MOST_S), (least, 1.0), log=True)
    decades = [10.0**-n for n in range(round(-math.log10(least)) + 1)]
    drawing.axes(panel, [(share, f"{100 * share:g} %") for share in decades], "requests")
    for run in runs:
        curve = [(_x(waited), share) for waited, share in survival(run.waits)]
        drawing.line(panel, curve, MODE_COLOURS[run.mode])
    drawing.clock(panel, [(_x(at), f"{at:g} s") for at in SECONDS])
    drawing.words(LEFT, TOP + HEIGHT + 40, "time to the first token", anchor="start")
    drawing.legend(TOP + HEIGHT + 66, [(MODE_COLOURS[run.mode], _told(run)) for run in runs])
    return drawing.text()


def _told(run: Run) -> str:
    title = MODES[run.mode].title
    return f"{title}: p99 {run.p(99):.2g} s" + (
        f", +{100 * run.extra:.3g} %" if run.extra > 0 else ""
    )


def _x(seconds: float) -> float:
    return math.log10(min(max(seconds, LEAST_S), MOST_S) / LEAST_S)


def _least(waits: int) -> float:
    """The lowest decade that so many waits reach; at most six."""
    return 10.0 ** -min(max(math.floor(math.log10(max(waits, 10))), 1), 6)


def timeline(delay_s: float = 1.5) -> str:
    """What is sent when, for one request whose first attempt stalls."""
    drawing = Drawing("One request whose first attempt stalls", 240)
    panel = Panel(TOP, 100, 3.0, (0.0, 1.0))
    won_s, row = delay_s + 0.6, 44
    rows = (("alder", 0.0, won_s, GREY), ("birch", delay_s, 2.9, COLOURS[0]))
    for place, (name, begins, ends, colour) in enumerate(rows):
        y = TOP + 14 + place * row
        drawing.words(LEFT - 6, y + 13, name, anchor="end")
        drawing.block(panel.x(begins), y, panel.x(ends) - panel.x(begins), 18, colour, opacity=0.45)
    y = TOP + 14 + row
    drawing.block(panel.x(won_s), y, panel.x(2.9) - panel.x(won_s), 18, COLOURS[0])
    drawing.sides(panel, won_s)
    marks = (
        (0.0, "request", 0), (delay_s, "silence: the second attempt starts", 0),
        (won_s, "first token: the client has it, alder's socket is closed", 1),
    )  # fmt: skip
    for at, words, line in marks:
        x = panel.x(at)
        drawing.block(x, TOP, 1, 116, GREY)
        drawing.words(x if line else x + 4, TOP + 134 + 18 * line, words, anchor=ANCHORS[line])
    drawing.clock(Panel(TOP, 164, 3.0, (0.0, 1.0)), [(n / 2, f"{n / 2:g} s") for n in range(7)])
    return drawing.text()
