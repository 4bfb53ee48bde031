"""Counters as operators read them."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.observe import statistics
from proxy.observe.statistics import OVERHEAD_BOUNDS_S, Histogram, Statistics
from proxy.units import NanoDollarsPerMillion

FREE = NanoDollarsPerMillion(0)


def endpoint(provider: str) -> Endpoint:
    return Endpoint(
        provider=Provider(id=provider, name=provider, dialect="d", base_url="https://a.test"),
        model="a/b",
        upstream_model="b",
        prices=Prices(prompt=FREE, completion=FREE),
        context_length=1,
    )


def read(stats: Statistics, name: str, **labels: str) -> float:
    """One sample of the exposition; 0 where it is absent."""
    for family in text_string_to_metric_families(stats.render().decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, "2xx"), (404, "4xx"), (499, "4xx"), (503, "5xx"), (0, "other"), (600, "other")],
)
def test_requests_count_by_status_class_and_stream(status: int, expected: str) -> None:
    stats = Statistics()

    stats.request_finished(status=status, stream=True, overhead_s=0.0, ttft_s=None)

    name = "hedgerow_requests_total"
    assert read(stats, name, status_class=expected, stream="true") == 1
    assert read(stats, name, status_class=expected, stream="false") == 0


def test_histograms_are_cumulative() -> None:
    stats = Statistics()

    for overhead_s in (0.00005, 0.00006, 0.2, -0.001):
        stats.request_finished(status=200, stream=False, overhead_s=overhead_s, ttft_s=0.12)

    bucket = "hedgerow_overhead_seconds_bucket"
    assert [2, 3, 3, 4] == [
        read(stats, bucket, le=le) for le in ("5e-05", "0.0001", "0.05", "+Inf")
    ]
    assert read(stats, "hedgerow_overhead_seconds_count") == 4
    assert read(stats, "hedgerow_overhead_seconds_sum") == pytest.approx(0.20011)
    assert read(stats, "hedgerow_time_to_first_token_seconds_count") == 4


def test_a_request_without_a_first_byte_has_no_time_to_it() -> None:
    stats = Statistics()

    stats.request_finished(status=502, stream=False, overhead_s=0.001, ttft_s=None)

    assert read(stats, "hedgerow_time_to_first_token_seconds_count") == 0
    assert read(stats, "hedgerow_overhead_seconds_count") == 1


def test_attempts_count_by_provider_and_outcome() -> None:
    stats = Statistics()

    for outcome in ("won", "won", "timeout", "something the provider said"):
        stats.attempt_finished(endpoint("acme"), outcome=outcome)

    name = "hedgerow_attempts_total"
    assert [2, 1, 1] == [
        read(stats, name, provider="acme", outcome=outcome)
        for outcome in ("won", "timeout", "other")
    ]


def test_the_number_of_providers_with_a_label_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "PROVIDERS_MAX", 2)
    stats = Statistics()

    for provider in ("a", "b", "c", "d", "a"):
        stats.attempt_finished(endpoint(provider), outcome="won")

    name = "hedgerow_attempts_total"
    assert [2, 1, 0, 2] == [read(stats, name, provider=p) for p in ("a", "b", "c", "other")]


def test_money_and_tokens_add_up() -> None:
    stats = Statistics()

    stats.tokens(10, 5, 1_234_567_890)
    stats.tokens(1, 2, 1)

    assert read(stats, "hedgerow_tokens_total", kind="prompt") == 11
    assert read(stats, "hedgerow_tokens_total", kind="completion") == 7
    assert read(stats, "hedgerow_cost_nanodollars_total") == 1_234_567_891


def test_gauges_go_up_and_down() -> None:
    stats = Statistics()

    stats.connection_opened()
    stats.connection_opened()
    stats.stream_opened()
    stats.connection_closed()
    stats.stream_closed()
    stats.departed()

    assert read(stats, "hedgerow_open_connections") == 1
    assert read(stats, "hedgerow_open_streams") == 0
    assert read(stats, "hedgerow_departures_total") == 1


def test_two_gateways_in_one_process_share_nothing() -> None:
    one, other = Statistics(), Statistics()

    one.departed()

    assert read(other, "hedgerow_departures_total") == 0


def test_the_process_itself_is_measured() -> None:
    assert read(Statistics(), "process_resident_memory_bytes") > 0


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram(OVERHEAD_BOUNDS_S)

    for bound in OVERHEAD_BOUNDS_S:
        histogram.record(bound)

    samples = histogram.family("h", "h").samples
    assert [1 + n for n in range(len(OVERHEAD_BOUNDS_S))] == [
        sample.value for sample in samples if sample.labels.get("le") not in {None, "+Inf"}
    ]


def test_connections_that_we_end_are_counted_by_reason() -> None:
    stats = Statistics()
    for reason in ("full", "slow", "slow", "invented"):
        stats.connection_cut(reason)
    text = stats.render().decode()

    assert 'hedgerow_connections_cut_total{reason="full"} 1.0' in text
    assert 'hedgerow_connections_cut_total{reason="slow"} 2.0' in text
    assert 'hedgerow_connections_cut_total{reason="other"} 1.0' in text
    assert "invented" not in text
