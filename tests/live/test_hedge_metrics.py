"""What hedges came to, as operators read it."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.config.settings import HedgingSettings
from proxy.live.hedge_metrics import HedgeMetrics
from proxy.live.hedges import Hedges
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import an_endpoint

ONE, TWO = an_endpoint("one"), an_endpoint("two")
NOW = Seconds(100.0)


def read(hedges: Hedges) -> dict[str, float]:
    """All samples, by name without prefix, and label."""
    registry = CollectorRegistry()
    registry.register(HedgeMetrics(hedges))
    return {
        " ".join(
            (sample.name.removeprefix("hedgerow_hedges_"), *sample.labels.values())
        ): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_a_fresh_gateway_has_no_hedges_and_may_start_ten() -> None:
    counters = ("fired", "won", "lost", "failed", "saved_seconds")
    gauges = {"cost_usd": 0.0, "cost_day_usd": 0.0, "tokens": 10.0, "late_share": 0.0}

    found = read(Hedges(HedgingSettings(), lambda: NOW))
    assert {f"{name}_total": 0.0 for name in counters} | gauges == found


def test_every_hedge_and_every_reason_is_counted() -> None:
    hedges = Hedges(HedgingSettings(), lambda: NOW)
    cost = NanoDollars(400_000)
    for _ in range(3):
        assert "" == hedges.ask(ONE, TWO, cost, NOW)
    hedges.won(ONE, TWO, NOW, booked=cost, cost=cost)
    hedges.lost(ONE, TWO, NOW, booked=cost, cost=cost)
    hedges.lost(ONE, TWO, NOW, booked=cost, cost=NanoDollars(0), failed=True)
    hedges.request(NOW, "alone")
    hedges.late(NOW, ONE, True)
    found = read(hedges)

    assert [3, 1, 1, 1] == [found[f"{n}_total"] for n in ("fired", "won", "lost", "failed")]
    assert 1 == found["skipped_total alone"]
    assert (0.0008, 0.0008) == (found["cost_usd"], found["cost_day_usd"])
    assert (7.05, 0.005) == (found["tokens"], found["late_share"])
