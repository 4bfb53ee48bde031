"""Tokens, throttled providers, late requests."""

import pytest
from hypothesis import given, strategies as st

from proxy.live.guards import Bucket, Lateness, Throttle
from proxy.units import Seconds


def taken(bucket: Bucket, now: float, tries: int = 100) -> int:
    count = 0
    for _ in range(tries):
        if bucket.has_token(Seconds(now)):
            bucket.take()
            count += 1
    return count


def a_bucket(
    share: float = 0.05, per_s: float = 0.0, burst: int = 10, *, empty: bool = True
) -> Bucket:
    bucket = Bucket(share, per_s, burst)
    if empty:
        taken(bucket, 0.0)
    return bucket


# --- tokens -----------------------------------------------------------------------------------------
def test_a_new_gateway_may_hedge_at_once_as_often_as_can_be_saved_up() -> None:
    assert 7 == taken(a_bucket(burst=7, empty=False), 0.0)


def test_twenty_requests_at_five_percent_are_one_token() -> None:
    bucket = a_bucket()
    for _ in range(19):
        bucket.request()
    assert not bucket.has_token(Seconds(1.0))
    bucket.request()

    assert 1 == taken(bucket, 1.0)


def test_no_more_is_saved_up_than_the_burst() -> None:
    bucket = a_bucket(per_s=1.0)
    for _ in range(10_000):
        bucket.request()

    assert 10 == taken(bucket, 0.0)
    assert 10 == taken(bucket, 1e6)


def test_little_traffic_has_some_tokens_per_second_at_least() -> None:
    bucket = a_bucket(per_s=0.5)

    assert 0 == taken(bucket, 1.0)
    assert 1 == taken(bucket, 2.0)
    assert 2 == taken(bucket, 6.0)


def test_the_minimum_is_no_addition_to_what_requests_have_earned() -> None:
    bucket = a_bucket(per_s=1.0, burst=100)
    for _ in range(60):
        bucket.request()

    assert 3 == taken(bucket, 2.0)


def test_a_clock_that_stands_still_or_runs_back_grants_nothing() -> None:
    bucket = a_bucket(per_s=1.0)
    assert 5 == taken(bucket, 5.0)

    assert 0 == taken(bucket, 5.0)
    assert 0 == taken(bucket, 4.0)
    assert 1 == taken(bucket, 6.0)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200),
    st.floats(0, 0.5), st.floats(0, 2),
)  # fmt: skip
def test_hedges_stay_within_burst_share_and_minimum(
    steps: list[tuple[float, bool]], share: float, per_s: float
) -> None:
    bucket, now, hedges = Bucket(share, per_s, 10), 0.0, 0
    for later, asks in steps:
        now += later
        bucket.request()
        hedges += taken(bucket, now, int(asks))
        assert hedges <= 10 + share * len(steps) + per_s * now + 1e-6


# --- providers --------------------------------------------------------------------------------------
def test_five_failures_stop_hedges_at_a_provider_and_at_no_other() -> None:
    throttle = Throttle()
    for _ in range(4):
        throttle.failed("acme")
    assert not throttle.stops("acme")
    throttle.failed("acme")

    assert throttle.stops("acme")
    assert not throttle.stops("other")


def test_a_tenth_of_a_token_for_each_success_lets_hedges_go_on() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.failed("acme")
    throttle.succeeded("other")
    assert throttle.stops("acme")
    throttle.succeeded("acme")

    assert not throttle.stops("acme")


def test_ten_failures_or_a_hundred_take_as_long_to_make_up_for() -> None:
    throttle = Throttle()
    for _ in range(100):
        throttle.failed("acme")
    for _ in range(50):
        throttle.succeeded("acme")
    assert throttle.stops("acme")
    throttle.succeeded("acme")

    assert not throttle.stops("acme")


def test_successes_are_not_saved_up() -> None:
    throttle = Throttle()
    throttle.failed("acme")
    for _ in range(1_000):
        throttle.succeeded("acme")
    for _ in range(5):
        throttle.failed("acme")

    assert throttle.stops("acme")


# --- lateness ---------------------------------------------------------------------------------------
def test_lateness_is_a_share_of_200_whether_they_were_seen_or_not() -> None:
    lateness = Lateness()
    for _ in range(10):
        lateness.note(late=True)

    assert 0.05 == lateness.share


def test_only_the_last_200_count() -> None:
    lateness = Lateness()
    for _ in range(300):
        lateness.note(late=True)
    assert 1.0 == lateness.share
    for _ in range(150):
        lateness.note(late=False)

    assert 0.25 == lateness.share


@given(st.lists(st.booleans(), max_size=500))
def test_the_share_is_that_of_the_last_200(said: list[bool]) -> None:
    lateness = Lateness()
    for late in said:
        lateness.note(late=late)

    assert pytest.approx(sum(said[-200:]) / 200) == lateness.share
