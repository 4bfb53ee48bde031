"""Health: who rests and who had trouble, as observations come in."""

import logging
from typing import Any

import pytest

from proxy.config.settings import HealthSettings
from proxy.live.health import ALERTS_MAX, Health
from proxy.model.endpoint import Endpoint
from proxy.model.observation import Fault, Observation
from proxy.model.standing import Rest
from proxy.units import Seconds
from tests.fakes.things import an_endpoint

ONE, TWO, SIX, TEN = (an_endpoint(name) for name in ("one", "two", "six", "ten"))
FOUR = {"maker/model": 4}
ALONE = an_endpoint("one", model="maker/alone")


@pytest.fixture(autouse=True)
def rests_of_equal_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much they differ is shown in tests/policy/test_health.py."""
    monkeypatch.setattr("proxy.live.health.lot_of", lambda _: 0.0)


def health(siblings: dict[str, int] | None = None, **settings: Any) -> Health:
    return Health(HealthSettings(**settings), FOUR if siblings is None else siblings)


def hear(
    which: Health, endpoint: Endpoint, fault: Fault = "endpoint", *, now: float = 100.0,
    times: int = 1, retry_after_s: float | None = None,
) -> None:  # fmt: skip
    for _ in range(times):
        which.heard(Observation(endpoint, Seconds(now), fault, retry_after_s=retry_after_s))


def rests(which: Health, endpoint: Endpoint, now: float) -> bool:
    rest = which.resting.get(endpoint.id)
    return rest is not None and now < rest.until


# --- breakers --------------------------------------------------------------------------------------
def test_an_endpoint_that_keeps_failing_rests() -> None:
    h = health()
    hear(h, ONE, times=4)
    assert {} == h.resting
    hear(h, ONE)

    assert {ONE.id: Rest(Seconds(130.0), "breaker")} == h.resting


def test_after_its_rest_one_attempt_probes_and_its_success_lets_everybody_back() -> None:
    h = health()
    hear(h, ONE, times=5)
    assert not rests(h, ONE, 130.0)
    h.began(ONE, Seconds(131.0))
    assert Rest(Seconds(191.0), "breaker") == h.resting[ONE.id]
    h.began(ONE, Seconds(132.0))
    hear(h, ONE, "none", now=133.0)

    assert {} == h.resting
    hear(h, ONE, now=140.0, times=5)
    assert Rest(Seconds(170.0), "breaker") == h.resting[ONE.id]


def test_a_probe_that_fails_rests_it_twice_as_long_in_the_place_that_it_had() -> None:
    h = health({"maker/model": 2})
    hear(h, ONE, times=5)
    h.began(ONE, Seconds(131.0))
    hear(h, ONE, now=132.0)

    assert Rest(Seconds(192.0), "breaker") == h.resting[ONE.id]


@pytest.mark.parametrize("fault", ["request", "client", "gateway", "rate_limit", "credential"])
def test_a_probe_without_a_verdict_gives_its_turn_to_the_next(fault: Fault) -> None:
    h = health()
    hear(h, ONE, times=5)
    h.began(ONE, Seconds(131.0))
    hear(h, ONE, fault, now=132.0)
    assert not rests(h, ONE, 132.0)
    h.began(ONE, Seconds(133.0))

    assert rests(h, ONE, 133.0)


@pytest.mark.parametrize("fault", ["request", "client", "gateway"])
def test_what_is_no_fault_of_the_endpoint_says_nothing(fault: Fault) -> None:
    h = health()
    hear(h, ONE, fault, times=50)

    assert ({}, {}) == (h.resting, h.troubled)
    hear(h, ONE, times=5)
    hear(h, ONE, fault, now=101.0)
    assert rests(h, ONE, 101.0)


def test_no_more_than_half_of_a_models_endpoints_rest_and_all_are_troubled() -> None:
    h = health()
    for endpoint in (ONE, TWO, SIX, TEN):
        hear(h, endpoint, times=9)

    assert {ONE.id, TWO.id} == set(h.resting)
    assert {e.id for e in (ONE, TWO, SIX, TEN)} == set(h.troubled)


def test_a_place_that_becomes_free_is_taken_by_the_next_failure() -> None:
    h = health()
    for endpoint in (ONE, TWO, SIX):
        hear(h, endpoint, times=5)
    assert not rests(h, SIX, 129.0)
    hear(h, SIX, now=130.0)

    assert rests(h, SIX, 131.0)


def test_where_all_places_are_taken_an_attempt_keeps_nobody_away() -> None:
    h = health({"maker/model": 2})
    hear(h, ONE, times=5)
    hear(h, TWO, now=120.0, times=5)
    hear(h, TWO, now=130.0)
    assert (False, True) == (rests(h, ONE, 131.0), rests(h, TWO, 131.0))
    h.began(ONE, Seconds(131.0))

    assert not rests(h, ONE, 131.0)


@pytest.mark.parametrize("siblings", [{"maker/alone": 1}, {}])
def test_the_only_endpoint_of_a_model_is_never_ejected(siblings: dict[str, int]) -> None:
    h = health(siblings)
    hear(h, ALONE, times=100)

    assert {} == h.resting
    assert ALONE.id in h.troubled


def test_models_do_not_take_each_others_places() -> None:
    h = health({"maker/model": 2, "maker/other": 2})
    other = an_endpoint("one", model="maker/other")
    hear(h, ONE, times=5)
    hear(h, other, times=5)

    assert {ONE.id, other.id} == set(h.resting)


# --- rate limits and keys --------------------------------------------------------------------------
def test_a_rate_limit_with_a_hint_rests_the_endpoint_for_as_long_as_that() -> None:
    h = health()
    hear(h, ONE, "rate_limit", retry_after_s=7.0)
    assert Rest(Seconds(107.0), "rate_limit") == h.resting[ONE.id]
    hear(h, ONE, "rate_limit", now=101.0, retry_after_s=2.0)

    assert Rest(Seconds(107.0), "rate_limit") == h.resting[ONE.id]
    hear(h, TWO, "rate_limit", retry_after_s=1e9)
    assert Rest(Seconds(160.0), "rate_limit") == h.resting[TWO.id]


@pytest.mark.parametrize("hint", [None, 0.0, -5.0])
def test_a_rate_limit_without_one_is_only_trouble(hint: float | None) -> None:
    h = health()
    hear(h, ONE, "rate_limit", retry_after_s=hint, times=30)

    assert {} == h.resting
    assert Seconds(130.0) == h.troubled[ONE.id]


def test_a_success_does_not_lift_a_rate_limit() -> None:
    h = health()
    hear(h, ONE, "rate_limit", retry_after_s=9.0)
    hear(h, ONE, "none", now=101.0)

    assert rests(h, ONE, 108.9)


def test_of_two_reasons_to_rest_the_longer_one_counts() -> None:
    h = health()
    hear(h, ONE, "rate_limit", retry_after_s=50.0)
    hear(h, ONE, times=5)
    assert Rest(Seconds(150.0), "rate_limit") == h.resting[ONE.id]
    assert 1 == len(h.alerts)
    hear(h, TWO, "rate_limit", retry_after_s=20.0)
    hear(h, TWO, times=5)

    assert Rest(Seconds(130.0), "breaker") == h.resting[TWO.id]


def test_a_provider_without_a_usable_key_rests_until_it_has_one() -> None:
    h = health()
    h.rest_provider("one", Seconds(500.0))
    assert {"one": Rest(Seconds(500.0), "credential")} == h.resting
    h.rest_provider("one", None)
    h.rest_provider("one", None)

    assert {} == h.resting


def test_a_refused_key_is_trouble_and_told_once_in_a_while() -> None:
    h = health()
    hear(h, ONE, "credential", times=9)
    hear(h, ONE, "credential", now=159.0)
    assert [(100.0, "credential")] == [(a.at, a.kind) for a in h.alerts]
    assert ({}, Seconds(189.0)) == (h.resting, h.troubled[ONE.id])
    hear(h, ONE, "credential", now=160.0)

    assert 2 == len(h.alerts)


@pytest.mark.parametrize("fault", ["rate_limit", "credential"])
def test_a_callers_own_key_says_nothing_of_the_endpoint(fault: Fault) -> None:
    h = health()
    hear(h, an_endpoint("one", own_key="first"), fault, retry_after_s=9.0, times=9)

    assert ({}, {}, 0) == (h.resting, h.troubled, len(h.alerts))


# --- trouble ---------------------------------------------------------------------------------------
def test_a_failure_is_trouble_for_a_while_and_a_success_does_not_clear_it() -> None:
    h = health()
    hear(h, ONE)
    hear(h, ONE, "none", now=110.0)
    assert {ONE.id: Seconds(130.0)} == h.troubled
    hear(h, ONE, "none", now=130.0)

    assert {} == h.troubled


def test_one_failure_among_a_thousand_is_no_trouble() -> None:
    h = health()
    hear(h, ONE, "none", times=999)
    hear(h, ONE)

    assert {} == h.troubled


def test_a_rest_that_is_over_is_let_go_of() -> None:
    h = health()
    hear(h, ONE, "rate_limit", retry_after_s=5.0)
    hear(h, ONE, "none", now=104.0)
    assert ONE.id in h.resting
    hear(h, ONE, "none", now=105.0)

    assert ONE.id not in h.resting


# --- alerts ----------------------------------------------------------------------------------------
def test_a_breaker_that_opens_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    h = health()
    with caplog.at_level(logging.WARNING):
        hear(h, ONE, times=20)

    told = f"{ONE.id} keeps failing: no requests for 30 s."
    assert [(100.0, "breaker", told)] == [tuple(alert) for alert in h.alerts]
    assert [told] == caplog.messages


def test_alerts_are_bounded_and_the_newest_are_kept() -> None:
    h = health()
    for number in range(ALERTS_MAX + 5):
        hear(h, ONE, "credential", now=1000.0 * (number + 1))

    assert ALERTS_MAX == len(h.alerts)
    assert 1000.0 * (ALERTS_MAX + 5) == h.alerts[-1].at


def test_an_endpoint_nobody_heard_of_may_begin() -> None:
    h = health()
    h.began(ONE, Seconds(1.0))

    assert ({}, {}) == (h.resting, h.troubled)
