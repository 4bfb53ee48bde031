"""The rows of the report, as data: what each metric is called, and what its budget allows.

Budgets are those of a sidecar: no accounts, no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench.posts import Kind

STREAMS_PACED = 200
"""Streams at once in paced mode: some 40,000 events a second."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on Hedgerow's median, or on its ratio to nginx."""

    limit: float
    of: Literal["ratio", "value"]
    at_least: bool = False

    def holds(self, found: float) -> bool:
        """Whether `found` keeps the limit."""
        return found >= self.limit if self.at_least else found <= self.limit

    @property
    def text(self) -> str:
        """The limit as a reader sees it."""
        sign, unit = (">=" if self.at_least else "<="), ("x" if self.of == "ratio" else "")
        return f"{sign} {self.limit:g}{unit}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the report."""

    name: str
    title: str
    unit: str
    ratio: bool = True
    """Whether value / nginx's value means anything."""
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric at one target in one round."""

    metric: str
    target: str
    value: float


CPU = Budget(6.0, "ratio")
STREAMS = Budget(0.75, "ratio", at_least=True)
ADDED_P50, ADDED_P99 = Budget(400.0, "value"), Budget(2_000.0, "value")
COLD_START = Budget(1_000.0, "value")


def _saturated(
    kind: Kind, title: str, per: str, *, rate: Budget | None = None, cpu: Budget | None = None
) -> Iterator[Metric]:
    whole = "latency" if kind == "plain" else "whole stream"
    yield Metric(f"{kind}.rate", title, f"{per}s/s", budget=rate)
    yield Metric(f"{kind}.cpu", f"  CPU per {per}", "us", budget=cpu)
    yield Metric(f"{kind}.p50", f"  {whole} p50", "ms")
    yield Metric(f"{kind}.p99", f"  {whole} p99", "ms")
    yield Metric(f"{kind}.busy", "  core used", "share", ratio=False)
    yield Metric(f"{kind}.taken", "  core taken by others", "share", ratio=False)
    yield Metric(f"{kind}.others", "  cores busy with others", "cores", ratio=False)
    yield Metric(f"{kind}.rss", "  memory after", "MiB", ratio=False)


def _at_rate(kind: Kind, title: str, per: str, *, cpu: Budget | None = None) -> Iterator[Metric]:
    yield Metric(f"rate.{kind}.rate", f"equal rate, {title}", f"{per}s/s", ratio=False)
    yield Metric(f"rate.{kind}.cpu", f"  CPU per {per}", "us", budget=cpu)
    yield Metric(f"rate.{kind}.p50", "  first byte p50", "us")
    yield Metric(f"rate.{kind}.p99", "  first byte p99", "us")
    yield Metric(f"rate.{kind}.added_p50", "  added to direct, p50", "us", budget=ADDED_P50)
    yield Metric(f"rate.{kind}.added_p99", "  added to direct, p99", "us", budget=ADDED_P99)
    yield Metric(f"rate.{kind}.others", "  cores busy with others", "cores", ratio=False)
    yield Metric(f"rate.{kind}.late", "  client late by, p99", "us", ratio=False)


METRICS = (
    *_saturated("plain", "saturated, non-streamed", "request", cpu=CPU),
    *_saturated("chunks", "saturated, a write per event", "stream", rate=STREAMS),
    *_saturated("burst", "saturated, one write", "stream", rate=STREAMS),
    *_at_rate("plain", "non-streamed", "request", cpu=CPU),
    *_at_rate("chunks", "a write per event", "stream"),
    *_at_rate("burst", "one write", "stream"),
    *_saturated("paced", f"{STREAMS_PACED} streams paced at 5 ms", "event"),
    Metric("coldstart.ready", "cold start to ready", "ms"),
    Metric("coldstart.first", "  to first answer", "ms", budget=COLD_START),
)
