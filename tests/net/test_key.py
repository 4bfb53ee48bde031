"""One key: how long it rests, what clears it, what a lease counts, and that no secret shows."""

import math

from proxy.net.allowance import WINDOW_S, Allowance
from proxy.net.key import CountedLease, Key, Lease
from proxy.units import Seconds

SECRET = b"Bearer sk-very-secret"


def a_key(limits: Allowance | None = None) -> Key:
    return Key("acme#1", {"chat": SECRET}, 1.0, limits)


def at(second: float) -> Seconds:
    return Seconds(second)


def rests(key: Key, reason: str, count: int, hint_s: float | None = None) -> list[float]:
    """Seconds of each of so many rests, each begun at the end of the one before."""
    lengths, now = [], 100.0
    for _ in range(count):
        key.rest(reason, hint_s, at(now))  # type: ignore[arg-type]
        lengths.append(key.until - now)
        now = key.until
    return lengths


def test_after_429s_in_a_row_it_rests_twice_as_long_each_time_up_to_half_a_minute() -> None:
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == rests(a_key(), "rate_limit", 7)


def test_a_hint_counts_instead_up_to_a_minute() -> None:
    assert [7.0, 7.0] == rests(a_key(), "rate_limit", 2, 7.0)
    assert [60.0] == rests(a_key(), "rate_limit", 1, 3600.0)
    assert [1.0] == rests(a_key(), "rate_limit", 1, 0.0), "at once is no rest"


def test_after_refusals_in_a_row_it_rests_up_to_five_minutes() -> None:
    assert [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0] == rests(a_key(), "credential", 7)
    assert [300.0] * 3 == rests(a_key(), "credential", 2000)[-3:]


def test_answers_to_what_was_sent_before_a_rest_are_no_further_sign() -> None:
    key = a_key()
    assert [True, False, False] == [key.rest("rate_limit", None, at(1.0)) for _ in range(3)]
    assert (2.0, 1) == (key.until, key.in_a_row)
    key.rest("rate_limit", 20.0, at(1.5))
    assert (21.5, 1) == (key.until, key.in_a_row), "but they may know better how long"
    key.rest("rate_limit", 3.0, at(1.5))
    assert 21.5 == key.until


def test_a_refusal_outweighs_a_429_and_not_the_other_way_round() -> None:
    key = a_key()
    key.rest("rate_limit", None, at(0.0))
    assert key.rest("credential", None, at(0.5))
    assert ("credential", 10.5) == (key.reason, key.until)
    assert not key.rest("rate_limit", 60.0, at(1.0))
    assert ("credential", 10.5) == (key.reason, key.until)


def test_a_success_clears_all_unless_it_was_sent_before_the_rest() -> None:
    key = a_key()
    assert not key.succeeded(at(1.0)), "it was well all the time"
    for now in (10.0, 30.0):
        key.rest("credential", None, at(now))
    assert not key.succeeded(at(29.0))
    assert 50.0 == key.until
    assert key.succeeded(at(30.0))
    assert -math.inf == key.until
    key.rest("credential", None, at(60.0))
    assert 70.0 == key.until


def test_it_opens_when_both_its_limits_and_its_rest_say_so() -> None:
    key = a_key(Allowance(1, 50, None))
    lease = CountedLease(key, 10, lambda: None)
    lease.sent(at(0.0))
    assert WINDOW_S == key.opens_at(1, at(1))
    key.rest("credential", None, at(58.0))
    assert 68.0 == key.opens_at(1, at(58))
    assert (True, False) == (key.fits(50), key.fits(51))
    assert 3.0 == a_key().opens_at(1 << 40, at(3))
    assert a_key().fits(1 << 40)


def test_a_wait_is_hopeless_only_if_nothing_that_may_happen_helps() -> None:
    key = a_key(Allowance(None, 50, 1))
    lease = CountedLease(key, 50, lambda: None)
    assert not key.is_hopeless(1, at(0), at(5)), "what is in progress may end"
    assert key.is_hopeless(51, at(0), at(5)), "too large by itself"
    lease.sent(at(0.0))
    lease.release()
    assert key.is_hopeless(1, at(0), at(5)), "its minute does not end by then"
    assert not key.is_hopeless(1, at(0), at(61))
    resting = a_key(Allowance(None, None, 1))
    CountedLease(resting, 1, lambda: None)
    resting.rest("credential", None, at(0.0))
    assert (True, False) == tuple(resting.is_hopeless(1, at(0), at(end)) for end in (9, 10))


def test_a_lease_counts_once_whatever_is_said_twice_and_tells_when_there_is_room() -> None:
    told: list[None] = []
    key = a_key(Allowance(9, None, None))
    lease = CountedLease(key, 5, lambda: told.append(None))
    lease.unsent()
    lease.sent(at(1.0))
    lease.sent(at(2.0))
    assert (1, 1, 5) == report(key, 2.0)
    lease.unsent()
    lease.sent(at(3.0))
    assert (1, 1, 5) == report(key, 3.0)
    before = len(told)
    lease.release()
    lease.release()
    assert (0, 1, 5) == report(key, 3.0)
    assert before + 1 == len(told)


def test_a_lease_that_was_never_sent_costs_nothing() -> None:
    key = a_key(Allowance(9, None, None))
    CountedLease(key, 5, lambda: None).release()

    assert (0, 0, 0) == report(key, 0.0)


def test_without_limits_a_lease_counts_nothing() -> None:
    key = a_key()
    lease = Lease(key)
    lease.sent(at(0.0))
    lease.unsent()
    lease.release()

    assert (None, None, None) == report(key, 0.0)
    assert (False, True) == (Lease.counted, CountedLease.counted)


def report(key: Key, now: float) -> tuple[int | None, int | None, int | None]:
    said = key.report(at(now))
    return said.in_progress, said.requests_60s, said.tokens_60s


def test_its_report_has_the_rest_while_it_lasts_and_never_the_secret() -> None:
    key = a_key(Allowance(None, None, None))
    key.rest("rate_limit", 9.0, at(1.0))
    resting, rested = key.report(at(9.9)), key.report(at(10.0))

    assert ("acme#1", "rate_limit", 10.0) == (resting.label, resting.reason, resting.until)
    assert (None, None) == (rested.reason, rested.until)
    assert "secret" not in repr(key) + repr(resting) + repr(CountedLease(key, 1, lambda: None))
