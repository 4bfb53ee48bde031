"""Counters, gauges and histograms of this process, exposed in Prometheus' text format.

Rule 1: the hot path writes into plain lists and dictionaries (prometheus_client's own children take a
lock for each sample); families are made from them only when somebody asks.
Rule 2: every label has a bounded set of values; what is outside of it counts as "other".
Rule 3: one thread writes; there is no lock, since trio runs one task at a time.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from proxy.model.endpoint import Endpoint

OVERHEAD_BOUNDS_S = (
    0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.00075,
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05,
)  # fmt: skip
"""Upper bounds of our own time per request: 50 us (a bare proxy) to 50 ms (something is wrong)."""

TTFT_BOUNDS_S = (
    0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0,
)  # fmt: skip
"""Upper bounds of the time to the first token: a cache hit to a long thought."""

STATUS_CLASSES = ("other", "1xx", "2xx", "3xx", "4xx", "5xx")

OUTCOMES = frozenset(
    {
        "won", "lost", "failed", "cancelled",
        "invalid_request", "authentication", "payment_required", "permission_denied", "not_found",
        "timeout", "payload_too_large", "rate_limit_exceeded", "provider_overloaded",
        "provider_unavailable", "context_length_exceeded", "content_policy_violation",
        "unprocessable", "server",
    }
)  # fmt: skip
"""How an attempt may end; error types are those of `proxy.errors` and of the API."""

PROVIDERS_MAX = 1000
"""Most providers that get a label of their own; ten times the number OpenRouter lists."""
OTHER = "other"

CUTS = ("full", "slow", "malformed", "flood")
"""Why we end a client's connection: no place for it, too slow, not HTTP, too much of something."""


class Histogram:
    """Counts per bucket, and a sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def record(self, value: float) -> None:
        """Count `value`; below zero (a clock's rounding) counts as zero."""
        if value < 0:
            value = 0.0
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self, name: str, documentation: str) -> Metric:
        """As Prometheus wants it: cumulative counts by upper bound."""
        bounds = [*map(str, self._bounds), "+Inf"]
        buckets: list[tuple[str, float]] = list(zip(bounds, accumulate(self._counts), strict=True))
        return HistogramMetricFamily(name, documentation, buckets=[*buckets], sum_value=self._sum)


class Statistics(Collector):
    """What operators see of one process. Every method but `render` belongs to the hot path."""

    def __init__(self) -> None:
        self._requests = [0] * (2 * len(STATUS_CLASSES))
        self._attempts: dict[tuple[str, str], int] = {}
        self._providers: set[str] = set()
        self._overhead = Histogram(OVERHEAD_BOUNDS_S)
        self._ttft = Histogram(TTFT_BOUNDS_S)
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._cost_nanodollars = 0
        self._connections = 0
        self._streams = 0
        self._departures = 0
        self._cuts = dict.fromkeys((*CUTS, OTHER), 0)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def request_finished(
        self, *, status: int, stream: bool, overhead_s: float, ttft_s: float | None
    ) -> None:
        """One request is over.

        Args:
            overhead_s: time spent in the gateway itself, without waiting for providers or clients.
            ttft_s: received -> first byte to the client; None: there was none.
        """
        group = status // 100
        self._requests[2 * (group if 0 < group < len(STATUS_CLASSES) else 0) + stream] += 1
        self._overhead.record(overhead_s)
        if ttft_s is not None:
            self._ttft.record(ttft_s)

    def attempt_finished(self, endpoint: Endpoint, *, outcome: str) -> None:
        """One try at an endpoint is over; `outcome` is one of OUTCOMES."""
        series = (endpoint.provider.id, outcome)
        try:
            self._attempts[series] += 1
        except KeyError:
            self._attempt_of_new_series(*series)

    def _attempt_of_new_series(self, provider: str, outcome: str) -> None:
        if provider not in self._providers and len(self._providers) >= PROVIDERS_MAX:
            provider = OTHER
        series = (provider, outcome if outcome in OUTCOMES else OTHER)
        self._providers.add(provider)
        self._attempts[series] = self._attempts.get(series, 0) + 1

    def tokens(self, prompt: int, completion: int, cost_nanodollars: int) -> None:
        """A reply was billed."""
        self._prompt_tokens += prompt
        self._completion_tokens += completion
        self._cost_nanodollars += cost_nanodollars

    def connection_opened(self) -> None:
        """A client connected."""
        self._connections += 1

    def connection_closed(self) -> None:
        """A client's connection is gone."""
        self._connections -= 1

    def connection_cut(self, reason: str) -> None:
        """We refused or ended a client's connection; `reason` is one of CUTS."""
        self._cuts[reason if reason in CUTS else OTHER] += 1

    def stream_opened(self) -> None:
        """A streamed reply began."""
        self._streams += 1

    def stream_closed(self) -> None:
        """A streamed reply ended, however."""
        self._streams -= 1

    def departed(self) -> None:
        """A client left before its reply was complete."""
        self._departures += 1

    def include(self, collector: Collector) -> None:
        """Render the families of `collector` too."""
        self._registry.register(collector)

    def render(self) -> bytes:
        """Everything, in the text format 0.0.4."""
        return generate_latest(self._registry)

    @override
    def collect(self) -> Iterator[Metric]:
        """The families; called by the registry."""
        yield from self._counters()
        yield self._overhead.family(
            "hedgerow_overhead_seconds", "Time spent in the gateway itself, per request."
        )
        yield self._ttft.family(
            "hedgerow_time_to_first_token_seconds", "Request received to first byte sent."
        )
        for name, documentation, value in (
            ("hedgerow_open_connections", "Client connections open now.", self._connections),
            ("hedgerow_open_streams", "Streamed replies under way now.", self._streams),
        ):
            yield GaugeMetricFamily(name, documentation, value=value)

    def _counters(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "hedgerow_requests", "Requests answered.", labels=["status_class", "stream"]
        )
        for index, count in enumerate(self._requests):
            streamed = "true" if index % 2 else "false"
            requests.add_metric([STATUS_CLASSES[index // 2], streamed], count)
        yield requests
        attempts = CounterMetricFamily(
            "hedgerow_attempts", "Tries at endpoints.", labels=["provider", "outcome"]
        )
        for (provider, outcome), count in self._attempts.items():
            attempts.add_metric([provider, outcome], count)
        yield attempts
        cuts = CounterMetricFamily(
            "hedgerow_connections_cut", "Client connections that we ended.", labels=["reason"]
        )
        for reason, count in self._cuts.items():
            cuts.add_metric([reason], count)
        yield cuts
        tokens = CounterMetricFamily("hedgerow_tokens", "Tokens billed.", labels=["kind"])
        tokens.add_metric(["prompt"], self._prompt_tokens)
        tokens.add_metric(["completion"], self._completion_tokens)
        yield tokens
        for name, documentation, value in (
            ("hedgerow_cost_nanodollars", "Charged; 1e-9 USD.", self._cost_nanodollars),
            ("hedgerow_departures", "Clients that left before the end.", self._departures),
        ):
            yield CounterMetricFamily(name, documentation, value=value)
