"""What second attempts came to, for Prometheus; everything is read when somebody asks."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from proxy.live.hedges import Hedges, HedgeStatistics
from proxy.units import to_usd

Figures = tuple[tuple[str, str, Callable[[HedgeStatistics], float]], ...]
COUNTERS: Figures = (
    ("hedges_fired", "Second attempts that silence started.", lambda told: told.fired),
    ("hedges_won", "Of them, those that answered first.", lambda told: told.won),
    ("hedges_lost", "Of them, those that were cancelled.", lambda told: told.lost),
    ("hedges_failed", "Of them, those that their providers failed.", lambda told: told.failed),
    (
        "hedges_saved_seconds",
        "How much sooner first tokens came; a lower bound of what is expected.",
        lambda told: told.saved_s,
    ),
)
GAUGES: Figures = (
    ("hedges_cost_usd", "Owed for attempts that lost.", lambda told: to_usd(told.cost)),
    ("hedges_cost_day_usd", "The same, of the last 24 h.", lambda told: to_usd(told.cost_day)),
    ("hedges_tokens", "Second attempts that may start now.", lambda told: told.tokens),
    (
        "hedges_late_share",
        "Of the last 200 requests, those silent for longer than their delay.",
        lambda told: told.late_share,
    ),
)
"""Costs among them, as estimates in them may turn out too high."""


class HedgeMetrics(Collector):
    """Registered beside the process's statistics."""

    def __init__(self, hedges: Hedges) -> None:
        self._hedges = hedges

    @override
    def collect(self) -> Iterator[Metric]:
        """The families; called by the registry."""
        told = self._hedges.statistics()
        for name, documentation, figure in COUNTERS:
            yield CounterMetricFamily(f"hedgerow_{name}", documentation, value=figure(told))
        skipped = CounterMetricFamily(
            "hedgerow_hedges_skipped", "Second attempts that were not started.", labels=["reason"]
        )
        for reason, count in told.skipped.items():
            skipped.add_metric([reason], count)
        yield skipped
        for name, documentation, figure in GAUGES:
            yield GaugeMetricFamily(f"hedgerow_{name}", documentation, value=figure(told))
