"""Four pictures of a day: who served, who rested, what clients and the budget saw, how long they waited."""

from array import array
from collections import Counter

from bench.day_findings import budget_use, percentile
from bench.day_notes import KINDS, Notes
from bench.day_svg import COLOURS, LEFT, Drawing, Panel

BINS = 288
"""Points of a curve: five minutes of a day."""
TOP = 46
MARK = "#d1453b"
"""What befalls endpoints."""
REASONS = {"trouble": ("#d9a441", "asked last"), "rate_limit": ("#3f8fd6", "rests: 429"),
           "breaker": ("#c0392b", "rests: breaker")}  # fmt: skip
KIND_COLOURS = dict(zip(KINDS, COLOURS, strict=False))


def pictures(notes: Notes) -> dict[str, str]:
    """SVG texts by what ends their file name."""
    return {
        "shares": shares(notes),
        "rests": rests(notes),
        "errors": errors(notes),
        "ttft": ttft(notes),
    }


def shares(notes: Notes) -> str:
    """Attempts by endpoint, stacked, as shares."""
    drawing = Drawing("Share of attempts by endpoint", 418 + _events_height(notes))
    panel = Panel(TOP, 300, notes.script.span_s, (0.0, 1.0))
    width = notes.script.span_s / BINS
    counts = [
        [_count(notes.started_at[id_], place, width) for place in range(BINS)]
        for id_ in notes.endpoints
    ]
    totals = [sum(column) or 1 for column in zip(*counts, strict=True)]
    below = [0.0] * BINS
    for row, colour in zip(counts, COLOURS, strict=True):
        above = [low + n / all_ for low, n, all_ in zip(below, row, totals, strict=True)]
        drawing.area(panel, _curve(below, width), _curve(above, width), colour)
        below = above
    drawing.axes(panel, [(0.0, "0"), (0.5, "50 %"), (1.0, "100 %")], "share")
    drawing.clock(panel, _hours(notes))
    drawing.legend(
        TOP + 342, [(c, _name(i)) for c, i in zip(COLOURS, notes.endpoints, strict=True)]
    )
    _mark_events(drawing, panel, notes, TOP + 362, outlined=True)
    return drawing.text()


def rests(notes: Notes) -> str:
    """Who was left alone, or asked last, and why; a red line where something was the matter."""
    row = 34
    height = row * len(notes.endpoints)
    drawing = Drawing("Who rests, who is asked last", 118 + height + _events_height(notes))
    panel = Panel(TOP, height, notes.script.span_s, (0.0, 1.0))
    for place, id_ in enumerate(notes.endpoints):
        y = TOP + place * row
        drawing.words(LEFT - 6, y + 20, _name(id_), anchor="end")
        for reason, (colour, _) in REASONS.items():
            found = [
                (panel.x(span.begins), panel.x(min(span.ends, notes.script.span_s)))
                for span in notes.spans
                if span.endpoint == id_ and span.why == reason
            ]
            drawing.strip(y + 19, 18, found, colour)
        for event in notes.script.events:
            if _name(id_) in event.who:
                x = panel.x(event.begins)
                drawing.block(x, y + 4, panel.x(event.ends) - x, 4, MARK)
    drawing.clock(panel, _hours(notes))
    drawing.legend(TOP + height + 42, [*REASONS.values(), (MARK, "something is the matter")])
    _mark_events(drawing, panel, notes, TOP + height + 62)
    return drawing.text()


def errors(notes: Notes) -> str:
    """Client errors by minute, attempts beyond the first, and how much of the budget was in use."""
    drawing = Drawing("Client errors, attempts, retry budget", 458 + _events_height(notes))
    span_s = notes.script.span_s
    width = span_s / BINS
    panel = Panel(TOP, 100, span_s, (0.5, 1000.0), log=True)
    for minute, many in Counter(int(failed.at // 60) for failed in notes.failures).items():
        x, y = panel.x(minute * 60), panel.y(many)
        drawing.block(x, y, 1.5, TOP + 100 - y, MARK)
    drawing.axes(panel, [(1.0, "1"), (10.0, "10"), (100.0, "100"), (1000.0, "1000")], "errors/min")
    extra, use, most_used = [], [], budget_use(notes)
    for place in range(BINS):
        more = _count(notes.paid, place, width) + _count(notes.free, place, width)
        extra.append(100 * more / max(_count(notes.requests, place, width), 1))
        use.append(max(most_used[int(place * width) : int((place + 1) * width)]))
    panel = Panel(TOP + 130, 100, span_s, (0.01, 200.0), log=True)
    drawing.line(panel, _curve(extra, width), COLOURS[0])
    marks = [(value, f"{value:g} %") for value in (0.01, 0.1, 1.0, 10.0, 100.0)]
    drawing.axes(panel, marks, "extra attempts")
    panel = Panel(TOP + 260, 100, span_s, (0.0, 1.0))
    drawing.line(panel, _curve(use, width), COLOURS[2])
    drawing.axes(panel, [(0.0, "0"), (0.5, "50 %"), (1.0, "100 %")], "budget in use")
    drawing.clock(panel, _hours(notes))
    _mark_events(drawing, Panel(TOP, 360, span_s, (0.0, 1.0)), notes, TOP + 402)
    return drawing.text()


def ttft(notes: Notes) -> str:
    """Median and p99 of the client's wait, by kind of traffic; seconds, logarithmic."""
    drawing = Drawing("Time to first token by kind of traffic", 448 + _events_height(notes))
    span_s = notes.script.span_s
    for percent, top, most, bins in ((50, TOP, 4.0, BINS), (99, TOP + 180, 70.0, BINS // 3)):
        panel, width = Panel(top, 150, span_s, (0.2, most), log=True), span_s / bins
        for kind, colour in KIND_COLOURS.items():
            waits: list[list[float]] = [[] for _ in range(bins + 1)]
            for at, waited in zip(*notes.ttft[kind], strict=True):
                waits[min(int(at / width), bins)].append(waited)
            curve = [
                ((place + 0.5) * width, percentile(sorted(found), percent))
                for place, found in enumerate(waits[:bins])
                if found
            ]
            drawing.line(panel, curve, colour)
        marks = [
            (value, f"{value:g} s") for value in (0.2, 0.5, 1.0, 4.0, 15.0, 60.0) if value <= most
        ]
        drawing.axes(panel, marks, f"p{percent}")  # fmt: skip
    drawing.clock(panel, _hours(notes))
    drawing.legend(TOP + 372, [(colour, kind) for kind, colour in KIND_COLOURS.items()])
    _mark_events(drawing, Panel(TOP, 330, span_s, (0.0, 1.0)), notes, TOP + 392)
    return drawing.text()


def _mark_events(
    drawing: Drawing, panel: Panel, notes: Notes, below: float, *, outlined: bool = False
) -> None:
    """Numbers over the panel, their meaning under it."""
    for number, event in enumerate(notes.script.events, 1):
        x = panel.x(event.begins)
        drawing.block(x, TOP - 8, panel.x(event.ends) - x, 5, MARK)
        if outlined:
            drawing.sides(panel, event.begins, event.ends)
        else:
            drawing.block(x, TOP, panel.x(event.ends) - x, panel.height, MARK, opacity=0.12)
        drawing.words(x, TOP - 12, str(number))
        column, line = (number - 1) % PER_LINE, (number - 1) // PER_LINE
        drawing.words(LEFT + column * 205, below + 14 + line * 18, f"{number} {event.name}")


PER_LINE = 4


def _events_height(notes: Notes) -> int:
    return 18 * -(-len(notes.script.events) // PER_LINE)


def _hours(notes: Notes) -> list[tuple[float, str]]:
    span_s = notes.script.span_s
    if span_s > 7_200:
        return [(hour * 3600.0, f"{hour} h") for hour in range(0, int(span_s / 3600) + 1, 3)]
    return [(minute * 60.0, f"{minute} min") for minute in range(0, int(span_s / 60) + 1, 5)]


def _curve(values: list[float], width: float) -> list[tuple[float, float]]:
    return [((place + 0.5) * width, value) for place, value in enumerate(values)]


def _count(counts: "array[int]", place: int, width: float) -> int:
    return sum(counts[int(place * width) : int((place + 1) * width)])


def _name(endpoint: str) -> str:
    return endpoint.partition(":")[0]
