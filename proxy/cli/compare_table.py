"""A comparison as a table, and what is to be said below it."""

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proxy.cli.compare_results import Result, percentile
from proxy.cli.figures import NOTHING, duration, number, percent, plain, usd

PLACES_MAX = 3
"""Endpoints named in a row."""
WIDTH_PIPED = 160
"""Columns where nobody looks at a terminal."""


def show(results: Sequence[Result], *, interrupted: bool, asked: int) -> None:
    """Print table and remarks."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_PIPED)
    console.print(table_of(results))
    for remark in remarks(results, interrupted=interrupted, asked=asked):
        console.print(escape(remark), soft_wrap=True)


def table_of(results: Sequence[Result]) -> Table:
    """One row for each model."""
    judged = any(result.valid is not None for result in results)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", overflow="fold")
    for heading in ("n", "errors", "TTFT p50", "p95", "tok/s p50", "total p50", "cost", "per 1k"):
        table.add_column(heading, justify="right", no_wrap=True)
    if judged:
        table.add_column("valid", justify="right", no_wrap=True)
    table.add_column("served by", overflow="fold")
    for result in results:
        table.add_row(*_cells(result, judged=judged))
    return table


def _cells(result: Result, *, judged: bool) -> list[str]:
    return [
        escape(plain(result.model)),
        str(result.requests),
        str(sum(result.errors.values())),
        duration(percentile(result.ttft_s, 0.5)),
        duration(percentile(result.ttft_s, 0.95)),
        number(result.rate_p50),
        duration(result.total_p50),
        usd(result.cost_usd),
        usd(result.cost_per_thousand),
        *([percent(result.valid)] if judged else []),
        escape(_places(result.served)),
    ]


def _places(served: Mapping[str, int]) -> str:
    """ "sandbox/fast 18, sandbox/slow 2": the endpoints' names without their models."""
    named = [f"{name.partition(':')[0]} {count}" for name, count in served.items()]
    more = len(named) - PLACES_MAX
    shown = ", ".join(named[:PLACES_MAX])
    return f"{shown} and {more} more" if more > 0 else shown or NOTHING


def remarks(results: Sequence[Result], *, interrupted: bool, asked: int) -> Iterator[str]:
    """What the figures do not say: why requests failed, which took several attempts, what is missing."""
    for result in results:
        if result.errors:
            kinds = ", ".join(f"{kind} {count}" for kind, count in result.errors.items())
            first = f"; the first: {result.message}" if result.message else ""
            yield f"{plain(result.model)}: {kinds}{first}"
        if result.retried:
            yield f"{plain(result.model)}: {result.retried} took more than one attempt"
    if interrupted:
        done = sum(result.requests for result in results)
        yield f"interrupted: {done} of {asked} requests were made"
