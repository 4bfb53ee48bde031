"""A results JSON of the side-by-side run: who took part, and every figure by metric, target and round.

Rule 1: what a run lacks (a target, a lane, a round) is no error; whoever asks for it gets nothing.
Rule 2: two targets are compared round by round, because both halves of a ratio saw the same minute.
"""

from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from bench.budgets import BUSY_MIN
from bench.machine import ROOT

OURS, DIRECT = "hedgerow", "direct"
EVEN = 0.05
"""Medians of ratios closer to one than this are called even."""
OPEN = 0.005
"""Shares of connections left open that differ by less are the same."""


class ResultsError(Exception):
    """There is no results file, or it is of another kind; the message says which."""


class Figure(NamedTuple):
    """What one target did in all rounds, in the unit of the metric."""

    median: float
    low: float
    high: float


class Target(msgspec.Struct, frozen=True):
    """One column."""

    name: str
    title: str
    about: str = ""
    version: str = ""
    missing: str | None = None
    """Why it was not measured; None where it was."""


class Metric(msgspec.Struct, frozen=True):
    """One row."""

    name: str
    title: str
    unit: str = ""
    part: str = ""
    better: Literal["lower", "higher"] = "lower"


class Verdict(msgspec.Struct, frozen=True):
    """What became of one budget."""

    metric: str
    limit: float
    holds: bool
    against: str | None = None
    """The target whose figure is one; None where the limit is in the unit of the metric."""
    at_least: bool = False
    found: float | None = None
    spread: tuple[float, float] | None = None
    doubt: str | None = None
    """Why the figure proves less than it seems to."""


class Point(msgspec.Struct, frozen=True):
    """One step of the ladder of connections."""

    connections: int
    rate: float
    p50_us: float
    p99_us: float


class Curves(msgspec.Struct, frozen=True):
    """What is no single figure."""

    ladder: dict[str, list[Point]] = {}


class Pinned(msgspec.Struct, frozen=True):
    """Cores by number; None: not pinned."""

    proxy: int | None = None
    load: int | None = None


class Results(msgspec.Struct, frozen=True):
    """One run."""

    at: str
    targets: list[Target]
    metrics: dict[str, Metric]
    values: dict[str, dict[str, list[float | None]]]
    machine: dict[str, str | int | float | None] = {}
    pinned: Pinned = Pinned()
    seconds: float | None = None
    rounds: int = 1
    parts: list[str] = []
    curves: Curves = Curves()
    notes: dict[str, list[str]] = {}
    budgets: list[Verdict] = []
    took_s: float | None = None

    def present(self) -> list[Target]:
        """Who was measured, in the order of the table."""
        return [target for target in self.targets if target.missing is None]

    def title(self, name: str) -> str:
        """How a target is called on the page."""
        return next((target.title for target in self.targets if target.name == name), name)

    def figure(self, metric: str, target: str) -> Figure | None:
        """Median and spread; None where nothing was measured."""
        found = [n for n in self.values.get(metric, {}).get(target, []) if n is not None]
        return Figure(median(found), min(found), max(found)) if found else None

    def ratio(self, metric: str, target: str, other: str) -> Figure | None:
        """`target` over `other`, round by round; None where one is missing or not above zero."""
        rounds = self.values.get(metric, {})
        found = [
            one / two
            for one, two in zip(rounds.get(target, []), rounds.get(other, []), strict=False)
            if one is not None and two is not None and one > 0 and two > 0
        ]
        return Figure(median(found), min(found), max(found)) if found else None

    def ladder(self, target: str) -> list[Point]:
        """One point for each number of connections, in order; medians, if there are several."""
        points = self.curves.ladder.get(target, [])
        return [
            Point(
                connections,
                median(point.rate for point in points if point.connections == connections),
                median(point.p50_us for point in points if point.connections == connections),
                median(point.p99_us for point in points if point.connections == connections),
            )
            for connections in sorted({point.connections for point in points})
        ]

    def unit(self, metric: str) -> str:
        """The unit as a reader sees it."""
        return self.metrics[metric].unit if metric in self.metrics else ""

    def limited(self, metric: str, target: str) -> bool:
        """Whether this is a rate at which the load, not the target, had reached its end."""
        kind, _, what = metric.rpartition(".")
        busy = self.figure(f"{kind}.busy", target)
        return what == "rate" and busy is not None and busy.median < BUSY_MIN


class Rival(NamedTuple):
    """How far apart another target and Hedgerow are."""

    target: Target
    factor: float | None
    """Above one; None where a figure is zero or below it, so that no ratio means anything."""


class Standing(NamedTuple):
    """Where Hedgerow stands in one metric."""

    ours: Figure
    better: list[Rival]
    """Than whom it is better, widest gap first."""
    even: list[Rival]
    worse: list[Rival]


def standing(results: Results, metric: str) -> Standing | None:
    """Hedgerow beside everybody but the mock itself; None where it was not measured."""
    ours = results.figure(metric, OURS)
    if ours is None:
        return None
    found = Standing(ours, [], [], [])
    for target in results.present():
        if target.name not in {OURS, DIRECT}:
            _place(found, results, metric, target)
    for rivals in found[1:]:
        rivals.sort(key=lambda rival: -(rival.factor or 0))
    return found


def _place(found: Standing, results: Results, metric: str, target: Target) -> None:
    """Put one target on the side where it belongs."""
    theirs, more_open = results.figure(metric, target.name), _more_open(results, metric, target)
    if abs(more_open) > OPEN:
        (found.better if more_open > 0 else found.worse).append(Rival(target, None))
    elif theirs is not None:
        ratio = results.ratio(metric, OURS, target.name)
        factor = None if ratio is None else max(ratio.median, 1 / ratio.median)
        gain = found.ours.median - theirs.median if ratio is None else ratio.median - 1
        higher = metric in results.metrics and results.metrics[metric].better == "higher"
        if _even(ratio, found.ours, theirs):
            found.even.append(Rival(target, factor))
        else:
            (found.better if (gain > 0) == higher else found.worse).append(Rival(target, factor))


def _more_open(results: Results, metric: str, target: Target) -> float:
    """Percentiles of closing are of the connections that were closed: who leaves some open is behind."""
    theirs = results.figure("leaving.kept", target.name)
    ours = results.figure("leaving.kept", OURS)
    if not metric.startswith("leaving.") or theirs is None or ours is None:
        return 0.0
    return theirs.median - ours.median


def _even(ratio: Figure | None, ours: Figure, theirs: Figure) -> bool:
    """Close to one, or on both sides of it in different rounds."""
    if ratio is None:
        return ours.low <= theirs.high and theirs.low <= ours.high
    return abs(ratio.median - 1) <= EVEN or ratio.low < 1 < ratio.high


def read(path: Path) -> Results:
    """Decode one file. Raises: ResultsError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ResultsError(f"{path}: not a result of the side-by-side run: {error}") from error


def newest(folder: Path = ROOT / "bench" / "results") -> Path:
    """The youngest result of the side-by-side run. Raises: ResultsError."""
    for path in sorted(folder.glob("2*.json"), reverse=True):
        try:
            read(path)
        except ResultsError:
            continue
        return path
    raise ResultsError(f"no result of the side-by-side run in {folder}: run `make bench` first")
