"""From readings to medians, a table for people and a JSON file for later."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.machine import ROOT, Pinning, facts
from bench.metrics import METRICS, Metric, Reading
from bench.rounds import Bench

RESULTS = ROOT / "bench" / "results"
TARGETS = ("direct", "nginx", "hedgerow")
OTHERS_MAX = 0.10
"""Cores busy with processes not ours; above this, rates and latencies are spoilt."""

BUSY_MIN = 0.95
"""Below this share of its core a proxy was not what limited the rate."""

Values = dict[str, dict[str, list[float]]]
"""Metric -> target -> one value per round, in the order of the rounds."""


def collect(readings: Iterable[Reading]) -> Values:
    """Readings by metric and target."""
    values: Values = defaultdict(lambda: defaultdict(list))
    for reading in readings:
        values[reading.metric][reading.target].append(reading.value)
    return {metric: dict(by_target) for metric, by_target in values.items()}


def ratios(by_target: dict[str, list[float]], name: str) -> list[float]:
    """`name` over nginx, round by round: both halves of a ratio saw the same minute."""
    pairs = zip(by_target.get(name, []), by_target.get("nginx", []), strict=False)
    return [ours / theirs for ours, theirs in pairs if theirs > 0]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one budget."""

    metric: str
    budget: str
    found: float
    holds: bool
    doubt: str = ""
    """Why the figure proves less than it seems to."""


def verdicts(values: Values) -> list[Verdict]:
    """Every budget whose metric was measured."""
    found = []
    for metric in METRICS:
        number = _judged(metric, values) if metric.budget else None
        if metric.budget is not None and number is not None:
            holds = metric.budget.holds(number)
            doubt = _doubt(metric, values)
            found.append(Verdict(metric.name, metric.budget.text, number, holds, doubt))
    return found


def _judged(metric: Metric, values: Values) -> float | None:
    """Hedgerow's median, or the median of its ratios; None where there is none."""
    by_target = values.get(metric.name, {})
    by_ratio = metric.budget is not None and metric.budget.of == "ratio"
    numbers = ratios(by_target, "hedgerow") if by_ratio else by_target.get("hedgerow")
    return median(numbers) if numbers else None


def _doubt(metric: Metric, values: Values) -> str:
    """Noise spoils any figure; a ratio of rates also says little if nginx was not the limit."""
    kind, _, what = metric.name.rpartition(".")
    others = [n for found in values.get(f"{kind}.others", {}).values() for n in found]
    if others and median(others) > OTHERS_MAX:
        return f"noisy: others kept {median(others):.2f} cores busy"
    busy = values.get(f"{kind}.busy", {}).get("nginx")
    if what == "rate" and busy and median(busy) < BUSY_MIN:
        return f"nginx used {median(busy):.0%} of its core: compare CPU instead"
    return ""


def show_budgets(values: Values, console: Console) -> None:
    """One line per budget: what was found, and whether it holds."""
    titles = {metric.name: metric.title.strip() for metric in METRICS}
    for seen in verdicts(values):
        word, style = ("pass", "green") if seen.holds else ("FAIL", "red")
        figures = f"{_number(seen.found):>6} {seen.budget:8}"
        console.print(
            f"[{style}]{word}[/] {seen.metric:21} {titles[seen.metric]:27} {figures} {seen.doubt}",
            highlight=False,
            soft_wrap=True,
        )


def show(values: Values, rounds: int, console: Console) -> None:
    """Print the table: medians over the rounds, and the range of the ratio."""
    table = Table(title=f"medians of {rounds} interleaved round(s)", title_justify="left")
    table.add_column("what", no_wrap=True)
    table.add_column("unit", style="dim", no_wrap=True)
    for name in (*TARGETS, "hedgerow/nginx", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    for metric in METRICS:
        if metric.name in values:
            if not metric.title.startswith(" ") and table.rows:
                table.add_section()
            table.add_row(*_row(metric, values[metric.name]))
    console.print(table)


def warn(values: Values, console: Console) -> None:
    """Say so when the machine was not ours alone."""
    busy = [
        (max(found), metric.removesuffix(".others"), name)
        for metric, by_target in values.items()
        for name, found in by_target.items()
        if metric.endswith(".others")
    ]
    cores, part, name = max(busy, default=(0.0, "", ""))
    if cores > OTHERS_MAX:
        console.print(
            f"noisy: other processes kept up to {cores:.2f} cores busy ({part}, {name}); "
            "repeat on a quiet machine before quoting anything",
            style="yellow",
            soft_wrap=True,
        )


def _row(metric: Metric, by_target: dict[str, list[float]]) -> list[str]:
    cells = [_number(median(by_target[name])) if name in by_target else "" for name in TARGETS]
    ratio = ratios(by_target, "hedgerow") if metric.ratio else []
    span = f"{median(ratio):.2f}" if ratio else ""
    if len(ratio) > 1:
        span += f" ({min(ratio):.2f}-{max(ratio):.2f})"
    budget = metric.budget.text if metric.budget else ""
    return [metric.title, metric.unit, *cells, span, budget]


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def heading(bench: Bench, console: Console) -> None:
    """Say where this runs, and what that means."""
    for name, value in facts().items():
        console.print(f"{name:8} {value}", highlight=False)
    console.print(_cores(bench.pins), highlight=False)


def _cores(pins: Pinning) -> str:
    if pins.proxy is None:
        return "cores    ONE: proxy, mock and load share it; rates mean little, CPU ratios still do"
    return f"pinned   proxy to core {pins.proxy}; mock, wrk and client to core {pins.load}"


def save(bench: Bench, values: Values) -> Path:
    """Write everything to `bench/results/DATE.json` and return where."""
    now = datetime.now().astimezone()
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%dT%H%M%S}.json"
    summary = {
        metric: {name: median(rounds) for name, rounds in by_target.items()}
        for metric, by_target in values.items()
    }
    to_nginx = {
        metric.name: {
            name: median(found)
            for name in ("direct", "hedgerow")
            if (found := ratios(values.get(metric.name, {}), name))
        }
        for metric in METRICS
        if metric.ratio and metric.name in values
    }
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": facts(),
        "pinned": asdict(bench.pins),
        "seconds": bench.seconds,
        "parts": bench.parts,
        "metrics": {m.name: asdict(m) for m in METRICS if m.name in values},
        "median": summary,
        "ratio_to_nginx": to_nginx,
        "budgets": [asdict(verdict) for verdict in verdicts(values)],
        "rounds": values,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path
