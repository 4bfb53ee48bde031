"""From readings to medians, a table for people and a JSON file for later."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.machine import ROOT, Pinning, facts
from bench.rounds import METRICS, Bench, Metric, Reading

RESULTS = ROOT / "bench" / "results"
TARGETS = ("direct", "nginx", "hedgerow")
TAKEN_MAX = 0.05
"""Above this share of the proxy's core, what others took spoils rates and latencies."""

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
    """Say so when the core under test was not ours alone."""
    taken = [
        (max(found), metric.partition(".")[0], name)
        for metric, by_target in values.items()
        for name, found in by_target.items()
        if metric.endswith(".taken")
    ]
    share, part, name = max(taken, default=(0.0, "", ""))
    if share > TAKEN_MAX:
        console.print(
            f"noisy: other processes held the proxy's core {share:.0%} of the time "
            f"({part}, {name}); medians of CPU may hold, repeat before quoting the rest",
            style="yellow",
        )


def _row(metric: Metric, by_target: dict[str, list[float]]) -> list[str]:
    cells = [_number(median(by_target[name])) if name in by_target else "" for name in TARGETS]
    ratio = ratios(by_target, "hedgerow") if metric.ratio else []
    span = f"{median(ratio):.2f}" if ratio else ""
    if len(ratio) > 1:
        span += f" ({min(ratio):.2f}-{max(ratio):.2f})"
    return [metric.title, metric.unit, *cells, span, metric.budget]


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
        "rounds": values,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path
