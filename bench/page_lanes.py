"""The lanes of the page: what was asked, a picture, a table, and whose rate was not its own.

Rule 1: a lane that the run lacks is left out; metrics that no lane claims come last, under their own titles.
Rule 2: how busy others kept the machine is not a row here: the method tells it once, for all lanes.
"""

from collections.abc import Iterator

from bench.page_chapters import CHAPTERS, Lane
from bench.page_results import DIRECT, Point, Results
from bench.page_tables import NOTHING, Row, by_target, listed, number, table

NOISE = ("others", "taken")
"""Metrics of the machine rather than of a target."""

LABELS = {
    "rate": "rate", "cpu": "CPU", "busy": "share of its core used", "rss": "most memory",
    "p50": "p50", "p99": "p99", "cpu_event": "CPU per event", "late": "client late by, p99",
    "added_p50": "added to direct, p50", "added_p99": "added to direct, p99",
    "ttfb_p50": "first content, p50", "ttfb_p99": "first content, p99",
    "added_ttfb_p50": "first content, added to direct, p50", "added_ttfb_p99": "first content, added to direct, p99",
    "gap_p50": "gap between events, p50", "gap_p99": "gap between events, p99", "added_gap_p99": "gap between events, added to direct, p99",
    "kept": "share of upstream connections open 2 s later",
    "ready": "until it says it is ready", "first": "until the first good answer",
    "idle": "idle", "loaded": "most under load", "after": "3 s after the load",
    "rate_1ms": "p99 within 1 ms", "rate_5ms": "p99 within 5 ms", "rate_25ms": "p99 within 25 ms",
}  # fmt: skip
"""By the end of an id; all others have the title that the run gives them."""


def chapters(results: Results, drawn: dict[str, str]) -> Iterator[str]:
    """Markdown blocks of every lane that was measured; `drawn`: titles of pictures by name."""
    claimed = set[str]()
    for chapter in CHAPTERS:
        blocks = [
            f"![{drawn[name]}](images/bench-{name}.svg)"
            for name in chapter.pictures
            if name in drawn
        ]
        blocks += [block for lane in chapter.lanes for block in _lane(results, lane)]
        if "ladder" in chapter.pictures:
            blocks += _ladder(results)
        if blocks:
            yield from (f"### {chapter.heading}", chapter.words, *blocks)
        claimed |= {name for lane in chapter.lanes for name in _rows(results, lane.prefix)}
    if found := by_target(results, _unclaimed(results, claimed)):
        yield "### More figures"
        yield found


def left_out(results: Results) -> list[str]:
    """Headings of the lanes that nobody was measured in."""
    return [
        f"{chapter.heading}: {lane.heading}" if lane.heading else chapter.heading
        for chapter in CHAPTERS
        for lane in chapter.lanes
        if not any(results.values.get(name) for name in _rows(results, lane.prefix))
    ]


def _lane(results: Results, lane: Lane) -> Iterator[str]:
    names = _rows(results, lane.prefix)
    found = by_target(results, _labelled(results, names, lane.prefix))
    if not found:
        return
    if lane.heading:
        yield f"#### {lane.heading}"
    if lane.words:
        yield lane.words
    yield found
    yield from _limits(results, lane.prefix + "rate")


def _rows(results: Results, prefix: str) -> list[str]:
    """Ids of a lane in the order of the run; those of the machine are left out."""
    return [
        name
        for name in dict.fromkeys([*results.metrics, *results.values])
        if name.startswith(prefix) and name.rpartition(".")[2] not in NOISE
    ]


def _labelled(results: Results, names: list[str], prefix: str) -> Iterator[Row]:
    for name in names:
        end = name.removeprefix(prefix)
        yield Row(_with_unit(results, name, label(results, name, end)), name)
        if end in {"cpu", "cpu_event"}:
            yield Row("… as a multiple of nginx's", name, "nginx")


def _with_unit(results: Results, name: str, words: str) -> str:
    unit = results.unit(name)
    return words if unit in {"", "share"} else f"{words}, {unit}"


def label(results: Results, name: str, end: str) -> str:
    """What a metric is called inside its lane."""
    what, _, connections = end.partition(".c")
    if what in LABELS:
        return LABELS[what] + (f", {_connections(int(connections))}" if connections else "")
    return results.metrics[name].title.strip() if name in results.metrics else end


def _connections(many: int) -> str:
    return f"{many} connection{'' if many == 1 else 's'}"


def _limits(results: Results, metric: str) -> Iterator[str]:
    """Names those whose rate says how fast the load was."""
    slack = [
        t.title for t in results.present() if results.limited(metric, t.name) and t.name != DIRECT
    ]
    if slack:
        yield (
            f"{listed(slack)} did not use all of a core: the other one, with the mock and the load, was the limit, or the target waited for something. So the rate "
            "is the least that can be said, and a comparison of rates flatters the others. Compare CPU."
        )  # fmt: skip


def _ladder(results: Results) -> Iterator[str]:
    curves = {
        target.title: {point.connections: point for point in points}
        for target in results.present()
        if (points := results.ladder(target.name))
    }
    steps = sorted({step for points in curves.values() for step in points})
    if steps:
        yield "The same as figures: requests/s, and p99 in ms."
        yield table(
            ["", *curves],
            (
                [_connections(step), *(_step(points.get(step)) for points in curves.values())]
                for step in steps
            ),
        )


def _step(point: Point | None) -> str:
    return f"{number(point.rate)}; {number(point.p99_us / 1000)}" if point else NOTHING


def _unclaimed(results: Results, claimed: set[str]) -> Iterator[Row]:
    for name in _rows(results, ""):
        if name not in claimed:
            yield Row(_with_unit(results, name, label(results, name, name)), name)
