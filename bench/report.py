"""From readings to medians, tables for people and a JSON file for later."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.budgets import BUDGETS, OTHERS_MAX, OURS, TITLES, Values, ratios, verdicts
from bench.lanes import Bench
from bench.machine import ROOT, Pinning, facts
from bench.metrics import METRICS, PARTS, Metric, Reading
from bench.peers.peer import Peer

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was, beside its figures."""

    bench: Bench
    rounds: int
    took_s: float
    peers: Sequence[Peer]
    """All that were asked for, in the order of the table."""
    missing: Mapping[str, str]
    """Why some of them were not measured."""
    versions: Mapping[str, str]


def collect(readings: Iterable[Reading]) -> Values:
    """Readings by metric and target."""
    values: Values = defaultdict(lambda: defaultdict(list))
    for reading in readings:
        values[reading.metric][reading.target].append(reading.value)
    return {metric: dict(by_target) for metric, by_target in values.items()}


def show(values: Values, peers: Sequence[Peer], console: Console) -> None:
    """Print a table per part: medians over the rounds, and the range of the ratio to nginx."""
    for part in PARTS:
        rows = [m for m in METRICS if m.part == part and m.name in values]
        if rows:
            console.print(_table(part, rows, values, peers))


def _table(part: str, rows: Sequence[Metric], values: Values, peers: Sequence[Peer]) -> Table:
    table = Table(title=part, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("what", no_wrap=True)
    table.add_column("unit", style="dim", no_wrap=True)
    measured = [p for p in peers if any(p.name in values[m.name] for m in rows)]
    for peer in measured:
        table.add_column(peer.title, justify="right", no_wrap=True)
    table.add_column(f"{OURS}/nginx", justify="right", no_wrap=True)
    for metric in rows:
        if not metric.title.startswith(" ") and table.rows:
            table.add_section()
        by_target = values[metric.name]
        cells = [number(median(by_target[p.name])) if p.name in by_target else "" for p in measured]
        table.add_row(metric.title, metric.unit, *cells, _span(metric, by_target))
    return table


def _span(metric: Metric, by_target: dict[str, list[float]]) -> str:
    found = ratios(by_target, OURS) if metric.ratio else []
    if not found:
        return ""
    spread = f" ({min(found):.2f}-{max(found):.2f})" if len(found) > 1 else ""
    return f"{median(found):.2f}{spread}"


def show_budgets(values: Values, console: Console) -> None:
    """One line per budget: what was found, and whether it holds."""
    limits = {(b.metric, b.against): b.text for b in BUDGETS}
    for seen in verdicts(values):
        word, style = ("pass", "green") if seen.holds else ("FAIL", "red")
        low, high = map(number, seen.spread)
        figures = f"{number(seen.found):>8} ({low}-{high})"
        limit = limits[seen.metric, seen.against]
        console.print(
            f"[{style}]{word}[/] {seen.metric:21} {TITLES[seen.metric]:34} {figures:24} {limit:16} {seen.doubt}",
            highlight=False,
            soft_wrap=True,
        )


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


def show_notes(bench: Bench, console: Console) -> None:
    """What went wrong or is special, target by target."""
    for name, words in bench.notes.items():
        for line in words:
            console.print(f"{name}: {line}", highlight=False, markup=False, soft_wrap=True)


def number(value: float) -> str:
    """Three digits that matter, and no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def heading(pins: Pinning, missing: Mapping[str, str], console: Console) -> None:
    """Say where this runs, what that means, and who does not take part."""
    for name, value in facts().items():
        console.print(f"{name:8} {value}", highlight=False)
    console.print(_cores(pins), highlight=False)
    for name, why in missing.items():
        console.print(f"missing  {name}: {why}", highlight=False, markup=False, soft_wrap=True)
    if facts()["wrk"] == "missing":
        words = "wrk (Debian: apt-get install wrk), hence no full load and no ladder; the rest is measured"
        console.print(f"missing  {words}", highlight=False)


def _cores(pins: Pinning) -> str:
    if pins.proxy is None:
        return "cores    ONE, nothing is pinned: proxy, mock and load share it; rates mean little, CPU ratios still do"
    return f"pinned   proxy to core {pins.proxy}; mock, wrk and client to core {pins.load}"


def save(run: Run, values: Values) -> Path:
    """Write everything to `bench/results/DATE.json` and return where."""
    now = datetime.now().astimezone()
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%dT%H%M%S}.json"
    bench = run.bench
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": facts(),
        "pinned": asdict(bench.pins),
        "seconds": bench.seconds,
        "rounds": run.rounds,
        "took_s": round(run.took_s),
        "parts": bench.parts,
        "targets": [_target(peer, run) for peer in run.peers],
        "metrics": {m.name: _metric(m) for m in METRICS if m.name in values},
        "values": values,
        "curves": {"ladder": {name: _curve(bench, name) for name in bench.ladders}},
        "notes": {name: words for name, words in bench.notes.items() if words},
        "budgets": [asdict(verdict) for verdict in verdicts(values)],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def _target(peer: Peer, run: Run) -> dict[str, str | None]:
    return {
        "name": peer.name,
        "title": peer.title,
        "about": peer.about,
        "version": run.versions.get(peer.name, ""),
        "missing": run.missing.get(peer.name),
    }


def _metric(metric: Metric) -> dict[str, object]:
    budget = next((asdict(b) for b in BUDGETS if b.metric == metric.name), None)
    return {**asdict(metric), "title": metric.title.strip(), "budget": budget}


def _curve(bench: Bench, name: str) -> list[dict[str, float]]:
    """A target's ladder: medians over the rounds, step by step."""
    steps = [step for ladder in bench.ladders[name] for step in ladder]
    return [
        {
            "connections": connections,
            "rate": median(s.rate for s in steps if s.connections == connections),
            "p50_us": median(s.p50_us for s in steps if s.connections == connections),
            "p99_us": median(s.p99_us for s in steps if s.connections == connections),
        }
        for connections in sorted({step.connections for step in steps})
    ]
