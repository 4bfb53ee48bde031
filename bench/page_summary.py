"""What the page says first: wins and losses as the run found them, and which budgets are missed.

Rule 1: no verdict is written down here; each word follows from the figures.
"""

from collections.abc import Iterator

from bench.page_results import OURS, Figure, Results, Standing, Verdict, standing
from bench.page_tables import NOTHING, listed, number, rivals, spread, table

LEADING = (
    ("plain.cpu", "CPU for a small request"),
    ("chunks.cpu", "CPU for a stream of 64 pieces"),
    ("half.plain.added_p99", "Latency added at half of each one's own load, p99"),
)
"""The first paragraph."""

HEADLINES = (
    ("plain.cpu", "CPU, small request"),
    ("large.cpu", "CPU, long document"),
    ("chunks.cpu", "CPU, stream, a write per event"),
    ("burst.cpu", "CPU, stream in one write"),
    ("translate.cpu", "CPU, another dialect"),
    ("translate_stream.cpu", "CPU, another dialect, streamed"),
    ("ladder.added_p50.c1", "added latency p50, 1 connection"),
    ("ladder.added_p99.c64", "added latency p99, 64 connections"),
    ("tail.rate_5ms", "rate with p99 within 5 ms"),
    ("half.plain.added_p50", "added at half load, p50, small request"),
    ("half.plain.added_p99", "added at half load, p99, small request"),
    ("half.chunks.added_p99", "added at half load, p99, stream"),
    ("paced.200.cpu_event", "CPU per event, 200 paced streams"),
    ("paced.200.added_ttfb_p99", "first content, added p99, 200 paced streams"),
    ("paced.200.gap_p99", "gap between events p99, 200 paced streams"),
    ("memory.idle", "memory, idle"),
    ("memory.loaded", "memory under load"),
    ("memory.stream", "memory per idle stream"),
    ("coldstart.first", "cold start to the first answer"),
    ("leaving.p99", "client gone to upstream closed, p99"),
)
"""The table of who is ahead."""


def opening(results: Results) -> str:
    """The first paragraph."""
    if all(target.name != OURS for target in results.present()):
        return "Hedgerow was not measured in this run; the figures are of the others alone."
    said = [words for metric, what in LEADING for words in _sentence(results, metric, what)]
    return (
        " ".join([*said, *_budgets_in_words(results)])
        or "This run holds none of the figures that this paragraph is made of."
    )


def _sentence(results: Results, metric: str, what: str) -> Iterator[str]:
    found = standing(results, metric)
    if found is None:
        return
    figure = f"**{what}:** {number(found.ours.median)} {results.unit(metric)}".rstrip()
    sides = [
        f"{word} {rivals(others)}"
        for word, others in (("less than", found.better), ("more than", found.worse))
        if others
    ]
    if found.even:
        sides.append(f"about as much as {listed(rival.target.title for rival in found.even)}")
    yield f"{figure}{', ' if sides else ''}{'; '.join(sides)}."


def _budgets_in_words(results: Results) -> Iterator[str]:
    judged = [verdict for verdict in results.budgets if verdict.found is not None]
    missed = [verdict for verdict in judged if not verdict.holds]
    if judged:
        yield f"**Budgets:** {len(judged) - len(missed)} of {len(judged)} reached."
    if missed:
        said = [
            f"{described(results, verdict)} ({number(verdict.found or 0)}, allowed {allowed(results, verdict)})"
            for verdict in missed
        ]
        yield f"Missed: {'; '.join(said)}."
    if any(verdict.doubt for verdict in judged):
        yield "Some verdicts are in doubt: [why](#budgets)."


def standings(results: Results) -> str:
    """One line for each headline: whom Hedgerow beats, and who beats it; empty without any."""
    rows = []
    for metric, what in HEADLINES:
        found = standing(results, metric)
        if found is not None and any(found[1:]):
            unit = results.unit(metric)
            rows.append([what, f"{spread(found.ours)} {unit}".rstrip(), *_sides(found)])
    heads = ["", "Hedgerow", "better than", "about even with", "worse than"]
    return table(heads, rows, figures=False) if rows else ""


def _sides(found: Standing) -> tuple[str, str, str]:
    even = listed(rival.target.title for rival in found.even)
    return rivals(found.better) or NOTHING, even or NOTHING, rivals(found.worse) or NOTHING


def described(results: Results, verdict: Verdict) -> str:
    """What a budget is about."""
    known = dict(HEADLINES) | {
        "plain.rate": "rate, small request", "chunks.rate": "rate, stream, a write per event",
        "burst.rate": "rate, stream in one write", "half.chunks.added_p50": "added at half load, p50, stream",
    }  # fmt: skip
    if verdict.metric in known:
        return known[verdict.metric]
    metric = results.metrics.get(verdict.metric)
    return metric.title.strip() if metric else verdict.metric


def allowed(results: Results, verdict: Verdict) -> str:
    """The limit as a reader sees it."""
    sign = "at least" if verdict.at_least else "at most"
    if verdict.against is not None:
        return f"{sign} {verdict.limit:,g} times {results.title(verdict.against)}'s"
    return f"{sign} {verdict.limit:,g} {results.unit(verdict.metric)}".rstrip()


def budgets(results: Results) -> str:
    """Every budget with its verdict; empty without any."""
    rows = [
        [described(results, verdict), allowed(results, verdict), *_verdict(verdict)]
        for verdict in results.budgets
    ]
    heads = ["what", "allowed", "found", "", "doubt"]
    return table(heads, rows, figures=False) if rows else ""


def _verdict(verdict: Verdict) -> tuple[str, str, str]:
    """What was found, whether it will do, and what speaks against believing it."""
    if verdict.found is None:
        return NOTHING, "not measured", verdict.doubt or ""
    found = Figure(verdict.found, *(verdict.spread or (verdict.found, verdict.found)))
    return spread(found), "reached" if verdict.holds else "**not reached**", verdict.doubt or ""
