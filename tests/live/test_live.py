"""The services of the present, together: what is told once is known to all of them."""

from proxy.config import parse_settings
from proxy.config.settings import HealthSettings, HedgingSettings, RetrySettings, Settings
from proxy.live.live import Live, build_live
from proxy.model.document import Document
from proxy.model.observation import Observation
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import an_endpoint

ENDPOINT = an_endpoint()
NOW = Seconds(100.0)


def a_live(**settings: object) -> Live:
    return build_live(Settings(**settings), {ENDPOINT.model: 4}, lambda: NOW)  # type: ignore[arg-type]


def test_one_observation_reaches_statistics_and_health() -> None:
    live = a_live()
    for _ in range(5):
        live.observe(Observation(ENDPOINT, NOW, "endpoint"))
    live.board.refresh(NOW)
    report = live.board.report(ENDPOINT.id, NOW)

    assert report is not None
    assert 5 == report.ends["endpoint"]
    assert "breaker" == live.snapshot.resting[ENDPOINT.id].reason
    assert live.snapshot.troubled[ENDPOINT.id] > NOW


def test_the_snapshot_follows_without_being_made_again() -> None:
    live = a_live()
    snapshot = live.snapshot
    live.observe(Observation(ENDPOINT, NOW, streamed=True, ttft_s=0.5, total_s=1.0))
    live.board.refresh(NOW)

    assert ENDPOINT.id in snapshot.standings


def test_an_attempt_more_is_affordable_while_the_budget_lasts() -> None:
    live = a_live(retries=RetrySettings(budget_share=0.0, budget_per_s=0.1))

    assert [True, False] == [live.affordable(), live.affordable()]


def test_arms_of_the_settings_are_known_from_the_start() -> None:
    document: Document = {"experiments": {"try": {"arms": [{"model": "a/b"}, {"model": "c/d"}]}}}
    live = build_live(parse_settings(document, origin="test"), {}, lambda: NOW)

    assert ["a/b", "c/d"] == [result.arm for result in live.arms.results()]


def test_hedges_know_who_rests_and_share_the_retry_budget() -> None:
    live, other = a_live(health=HealthSettings(failures_max=1)), an_endpoint("other")
    assert "" == live.hedges.ask(ENDPOINT, other, NanoDollars(0), NOW)
    live.observe(Observation(other, NOW, "endpoint"))
    assert "resting" == live.hedges.ask(ENDPOINT, other, NanoDollars(0), NOW)

    live = a_live(
        retries=RetrySettings(budget_share=0.0, budget_per_s=0.1), hedging=HedgingSettings()
    )
    assert live.affordable()
    assert "budget" == live.hedges.ask(ENDPOINT, other, NanoDollars(0), NOW)


def test_hedges_know_how_many_endpoints_a_model_has() -> None:
    live, other = a_live(), an_endpoint("other")
    for name in ("third", "fourth"):
        for _ in range(5):
            live.observe(Observation(an_endpoint(name), NOW, "endpoint"))

    assert "resting" == live.hedges.ask(ENDPOINT, other, NanoDollars(0), NOW)


def test_a_success_of_any_kind_lets_hedges_go_on_at_a_provider() -> None:
    live, other = a_live(), an_endpoint("other")
    for _ in range(5):
        live.hedges.lost(
            ENDPOINT, other, NOW, booked=NanoDollars(0), cost=NanoDollars(0), failed=True
        )
    live.observe(Observation(other, NOW, "client"))
    assert "throttled" == live.hedges.ask(ENDPOINT, other, NanoDollars(0), NOW)
    live.observe(Observation(other, NOW))

    assert "" == live.hedges.ask(ENDPOINT, other, NanoDollars(0), NOW)
