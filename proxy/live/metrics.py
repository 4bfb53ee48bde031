"""What the board and the breakers know, as gauges and counters by endpoint, for Prometheus.

Rule 1: everything is read when somebody asks; standings are those of the last refresh, and nothing is
computed for it but shares of minutes.
Rule 2: at most ENDPOINTS_MAX endpoints have series, those that had traffic first; so a series, once
there, does not come and go.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from proxy.live.board import Board
from proxy.live.health import Health
from proxy.live.vitals import FAULTS, Vitals
from proxy.model.standing import Quantiles
from proxy.units import Seconds

ENDPOINTS_MAX = 1_000
"""Some eighteen series each."""
WINDOWS = (("5m", 5), ("30m", 30), ("1d", 1440))
"""Names and minutes."""

Series = list[tuple[str, Vitals]]


class EndpointMetrics(Collector):
    """Registered beside the process's statistics."""

    def __init__(self, board: Board, health: Health, clock: Callable[[], Seconds]) -> None:
        self._board = board
        self._health = health
        self._clock = clock

    @override
    def collect(self) -> Iterator[Metric]:
        """The families; called by the registry."""
        series = list(islice(self._board.vitals.items(), ENDPOINTS_MAX))
        yield from self._quantiles(series)
        yield _attempts(series)
        yield _uptimes(series, self._clock())
        yield self._rests(self._clock())

    def _quantiles(self, series: Series) -> Iterator[Metric]:
        ttft = GaugeMetricFamily(
            "hedgerow_endpoint_ttft_seconds",
            "Request sent to first content, last 5 minutes, streamed replies; "
            "what this share of them does not exceed.",
            labels=["endpoint", "quantile"],
        )
        throughput = GaugeMetricFamily(
            "hedgerow_endpoint_throughput_tokens_per_second",
            "Output tokens per second, last 5 minutes, the wait for the first included; "
            "what this share of the replies reaches.",
            labels=["endpoint", "quantile"],
        )
        for name, _ in series:
            standing = self._board.standings.get(name)
            if standing is not None:
                _add(ttft, name, standing.ttft)
                _add(throughput, name, standing.throughput)
        yield ttft
        yield throughput

    def _rests(self, now: Seconds) -> Metric:
        family = GaugeMetricFamily(
            "hedgerow_endpoint_resting",
            "1 while an endpoint, or a provider (its id alone), is left alone; 0 when it may be tried.",
            labels=["endpoint", "reason"],
        )
        for name, rest in islice(self._health.resting.items(), ENDPOINTS_MAX):
            family.add_metric([name, rest.reason], 1 if now < rest.until else 0)
        return family


def _add(family: GaugeMetricFamily, name: str, quantiles: Quantiles | None) -> None:
    if quantiles is not None:
        family.add_metric([name, "0.5"], quantiles.p50)
        family.add_metric([name, "0.75"], quantiles.p75)
        family.add_metric([name, "0.9"], quantiles.p90)
        family.add_metric([name, "0.99"], quantiles.p99)


def _attempts(series: Series) -> Metric:
    family = CounterMetricFamily(
        "hedgerow_endpoint_attempts",
        "Attempts that ended, by whose fault the end was.",
        labels=["endpoint", "fault"],
    )
    for name, vitals in series:
        for fault, count in zip(FAULTS, vitals.ends.totals, strict=True):
            if count:
                family.add_metric([name, fault], count)
    return family


def _uptimes(series: Series, now: Seconds) -> Metric:
    family = GaugeMetricFamily(
        "hedgerow_endpoint_uptime_percent",
        "Minutes in which at least 80 % of the attempts succeeded, of those with ten or more.",
        labels=["endpoint", "window"],
    )
    for name, vitals in series:
        for window, minutes in WINDOWS:
            percent = vitals.uptime.percent(minutes, now)
            if percent is not None:
                family.add_metric([name, window], percent)
    return family
