"""What experiments came to, as series by experiment and arm, for Prometheus.

Rule 1: everything is read when somebody asks. Rule 2: there are as many series as there are arms, which
`live.arms` bounds.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from proxy.live.arm import Arm
from proxy.live.arms import Arms

LABELS = ("experiment", "arm")
PREFIX = "hedgerow_experiment"

COUNTERS: tuple[tuple[str, str, Callable[[Arm], float]], ...] = (
    ("requests", "Requests drawn for an arm.", lambda arm: arm.requests),
    ("errors", "Of them, those that failed.", lambda arm: arm.errors),
    ("departures", "Of them, those whose client left.", lambda arm: arm.departures),
    ("cost_nanodollars", "Charged for an arm; 1e-9 USD.", lambda arm: arm.cost_nanodollars),
)
GAUGES: tuple[tuple[str, str, Callable[[Arm], float]], ...] = (
    ("scores", "Generations with a score.", lambda arm: arm.scores),
    ("score_sum", "Sum of their scores; a score may be revised.", lambda arm: arm.score_sum),
)


class ArmMetrics(Collector):
    """Registered beside the process's statistics."""

    def __init__(self, arms: Arms) -> None:
        self._arms = arms

    @override
    def collect(self) -> Iterator[Metric]:
        """The families; called by the registry."""
        for name, documentation, figure in COUNTERS:
            counter = CounterMetricFamily(f"{PREFIX}_{name}", documentation, labels=LABELS)
            for arm in self._arms:
                counter.add_metric([arm.experiment, arm.name], figure(arm))
            yield counter
        for name, documentation, figure in GAUGES:
            gauge = GaugeMetricFamily(f"{PREFIX}_{name}", documentation, labels=LABELS)
            for arm in self._arms:
                gauge.add_metric([arm.experiment, arm.name], figure(arm))
            yield gauge
        yield self._ttft()
        yield self._complaints()

    def _ttft(self) -> Metric:
        family = GaugeMetricFamily(
            f"{PREFIX}_ttft_seconds",
            "Request sent to first content since the start, streamed replies; "
            "what this share of them does not exceed.",
            labels=[*LABELS, "quantile"],
        )
        for arm in self._arms:
            found = arm.ttft()
            if found is not None:
                for quantile, value in (
                    ("0.5", found.p50), ("0.75", found.p75), ("0.9", found.p90), ("0.99", found.p99),
                ):  # fmt: skip
                    family.add_metric([arm.experiment, arm.name, quantile], value)
        return family

    def _complaints(self) -> Metric:
        family = CounterMetricFamily(
            f"{PREFIX}_complaints", "Feedback with a category.", labels=[*LABELS, "category"]
        )
        for arm in self._arms:
            for category, count in arm.categories.items():
                family.add_metric([arm.experiment, arm.name, category], count)
        return family
