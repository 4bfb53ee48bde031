"""Series of endpoints, as operators read them."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.config.settings import HealthSettings
from proxy.live.board import Board
from proxy.live.health import Health
from proxy.live.metrics import ENDPOINTS_MAX, EndpointMetrics
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Fault, Observation
from proxy.model.standing import Rest
from proxy.units import NanoDollarsPerMillion, Seconds

FREE = NanoDollarsPerMillion(0)
NOW = Seconds(40.0)

Samples = dict[tuple[str, ...], float]


def endpoint(model: int = 0) -> Endpoint:
    return Endpoint(
        Provider("acme", "Acme", "d", "https://acme.test"), f"a/{model}", "b", Prices(FREE, FREE), 1
    )


ONE = endpoint().id


class Resting(Health):
    """Breakers as a test wants them."""

    def __init__(self, **resting: Rest) -> None:
        super().__init__(HealthSettings(), {})
        self._test_resting = {name.replace("__", ":a/"): rest for name, rest in resting.items()}

    @property
    def resting(self) -> dict[str, Rest]:  # type: ignore[override]
        return self._test_resting


def read(board: Board, health: Health | None = None) -> Samples:
    """All samples, by name and label values in order."""
    registry = CollectorRegistry()
    registry.register(EndpointMetrics(board, health or Resting(), lambda: NOW))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def told(count: int = 10, fault: Fault = "none", board: Board | None = None) -> Board:
    board = board or Board()
    for _ in range(count):
        board.record(
            Observation(
                endpoint(), NOW, fault, streamed=True, ttft_s=0.25, total_s=2.0,
                completion_tokens=100,
            )
        )  # fmt: skip
    return board


def test_percentiles_are_those_of_the_last_refresh() -> None:
    board = told()
    assert ("hedgerow_endpoint_ttft_seconds", ONE, "0.5") not in read(board)

    board.refresh(NOW)
    found = read(board)

    for quantile in ("0.5", "0.75", "0.9", "0.99"):
        assert pytest.approx((0.25, 50), rel=0.01) == (
            found["hedgerow_endpoint_ttft_seconds", ONE, quantile],
            found["hedgerow_endpoint_throughput_tokens_per_second", ONE, quantile],
        )


def test_an_endpoint_without_figures_has_no_percentiles() -> None:
    board = Board()
    board.record(Observation(endpoint(), NOW, "gateway"))
    board.refresh(NOW)

    assert {("hedgerow_endpoint_attempts_total", ONE, "gateway"): 1} == read(board)


def test_attempts_count_by_fault() -> None:
    found = read(told(3, "rate_limit", told(2)))

    name = "hedgerow_endpoint_attempts_total"
    assert {(name, ONE, "none"): 2, (name, ONE, "rate_limit"): 3} == {
        key: value for key, value in found.items() if key[0] == name
    }


def test_uptime_is_told_for_three_windows_where_it_is_known() -> None:
    name = "hedgerow_endpoint_uptime_percent"

    assert [100, 100, 100] == [read(told(10))[name, ONE, window] for window in ("5m", "30m", "1d")]
    assert [0] * 3 == [read(told(10, "endpoint"))[name, ONE, w] for w in ("5m", "30m", "1d")]
    assert (name, ONE, "5m") not in read(told(9))


def test_rests_are_one_until_they_are_over() -> None:
    health = Resting(
        acme__0=Rest(Seconds(41), "breaker"),
        acme__1=Rest(Seconds(40), "rate_limit"),
        bulk=Rest(Seconds(99), "credential"),
    )

    assert {
        ("hedgerow_endpoint_resting", "acme:a/0", "breaker"): 1,
        ("hedgerow_endpoint_resting", "acme:a/1", "rate_limit"): 0,
        ("hedgerow_endpoint_resting", "bulk", "credential"): 1,
    } == read(Board(), health)


def test_beyond_a_thousand_endpoints_there_are_no_series() -> None:
    board = Board()
    for number in range(ENDPOINTS_MAX + 5):
        board.record(Observation(endpoint(number), NOW))
    rests = {f"acme__{n}": Rest(Seconds(99), "breaker") for n in range(ENDPOINTS_MAX + 5)}
    board.refresh(NOW)

    found = read(board, Resting(**rests))

    assert {endpoint(number).id for number in range(ENDPOINTS_MAX)} == {key[1] for key in found}


def test_asking_changes_no_standing() -> None:
    board = told()
    board.refresh(NOW)
    before = dict(board.standings)

    read(board)

    assert all(before[name] is board.standings[name] for name in before)
