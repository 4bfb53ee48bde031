"""Series of experiments, as operators read them."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.live.arm_metrics import ArmMetrics
from proxy.live.arms import Arms
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Observation
from proxy.units import NanoDollarsPerMillion, Seconds

FREE = NanoDollarsPerMillion(0)
ENDPOINT = Endpoint(Provider("p", "P", "d", "https://p.test"), "a/m", "m", Prices(FREE, FREE), 1)
X = ("tone", "a/x")


def read(arms: Arms) -> dict[tuple[str, ...], float]:
    """All samples, by name without prefix, experiment, arm, and what other label there is."""
    registry = CollectorRegistry()
    registry.register(ArmMetrics(arms))
    return {
        (
            sample.name.removeprefix("hedgerow_experiment_"),
            sample.labels.pop("experiment"),
            sample.labels.pop("arm"),
            *sample.labels.values(),
        ): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_an_arm_of_the_settings_begins_at_zero() -> None:
    found = read(Arms(("tone/a/x",)))

    names = ("requests_total", "errors_total", "departures_total", "cost_nanodollars_total")
    assert dict.fromkeys(((name, *X) for name in (*names, "scores", "score_sum")), 0) == found


def test_every_figure_has_its_series() -> None:
    arms = Arms()
    seen = Observation(
        ENDPOINT, Seconds(1), streamed=True, ttft_s=0.5, prompt_cost=3, completion_cost=4
    )
    arms.finished("tone/a/x", "gen-1", seen)
    arms.finished("tone/a/x", "gen-2", None)
    arms.finished("tone/a/x", "gen-3", None, left=True)
    arms.feedback("gen-1", category="latency", score=0.75)
    found = read(arms)

    assert (3, 1, 1, 7) == (
        found["requests_total", *X], found["errors_total", *X],
        found["departures_total", *X], found["cost_nanodollars_total", *X],
    )  # fmt: skip
    assert (1, 0.75, 1) == (
        found["scores", *X], found["score_sum", *X], found["complaints_total", *X, "latency"],
    )  # fmt: skip
    for quantile in ("0.5", "0.75", "0.9", "0.99"):
        assert pytest.approx(0.5, rel=0.01) == found["ttft_seconds", *X, quantile]


def test_a_name_that_a_client_made_up_cannot_break_the_format() -> None:
    arms = Arms()
    arms.finished('request-1/a"\n} 1 \\', "gen-1", None)

    assert 1 == read(arms)["requests_total", "request-1", 'a"\n} 1 \\']
