"""Breakers: when they open, who probes, how long a rest is, and what is trouble."""

import msgspec
import pytest
from hypothesis import given, strategies as st

from proxy.config.settings import HealthSettings
from proxy.model.observation import Fault
from proxy.policy.health import (
    CLOSED,
    PROBE_S,
    Breaker,
    Ends,
    began,
    failed,
    lot_of,
    pause_s,
    places,
    succeeded,
    undecided,
)
from proxy.units import Seconds

SETTINGS = HealthSettings()
RESTS = Breaker(openings=1, until=Seconds(130.0))
PROBES = Breaker(openings=2, until=Seconds(160.0), probing=True)


def at(now: float) -> Seconds:
    return Seconds(now)


def ends_of(good: int = 0, bad: int = 0, *, now: float = 100.0, fault: Fault = "endpoint") -> Ends:
    ends = Ends()
    for _ in range(good):
        ends.succeeded(at(now))
    for _ in range(bad):
        ends.troubled(at(now), fault)
    return ends


def fails(
    breaker: Breaker, now: float = 100.0, ends: Ends | None = None, *, room: bool = True
) -> Breaker:
    """What failing makes of it, but for the time of the failure."""
    breaker = failed(breaker, at(now), ends or Ends(), SETTINGS, room=room)
    assert at(now) == breaker.failed_at or breaker.rests(at(now))
    return msgspec.structs.replace(breaker, failed_at=at(0.0))


def test_a_reply_that_began_before_the_last_failure_says_nothing_of_now() -> None:
    breaker = failed(CLOSED, at(100), Ends(), SETTINGS, room=True)

    assert breaker is succeeded(breaker, at(160), at(99.9))
    assert CLOSED == succeeded(breaker, at(160), at(100.1))


@pytest.mark.parametrize(("openings", "rest_s"), [(0, 39.0), (1, 78.0), (20, 300.0)])
def test_rests_differ_between_endpoints_that_failed_together(openings: int, rest_s: float) -> None:
    before = Breaker(4, openings)
    last = failed(before, at(0), Ends(), SETTINGS, room=True, lot=1.0)

    assert rest_s == last.until


def test_lots_are_spread_and_do_not_change() -> None:
    lots = [lot_of(f"provider{n}:maker/model") for n in range(200)]

    assert lots == [lot_of(f"provider{n}:maker/model") for n in range(200)]
    assert all(0 <= lot < 1 for lot in lots)
    assert 0.4 < sum(lots) / len(lots) < 0.6


# --- opening ---------------------------------------------------------------------------------------
def test_failures_in_a_row_open_it() -> None:
    breaker = CLOSED
    for count in range(1, 5):
        breaker = fails(breaker)
        assert (count, None) == (breaker.failures, breaker.until)

    assert Breaker(0, 1, at(130.0)) == fails(breaker)


def test_a_success_between_them_starts_the_row_anew() -> None:
    breaker = fails(succeeded(fails(fails(fails(fails(CLOSED)))), at(100)))

    assert Breaker(failures=1) == breaker


@pytest.mark.parametrize(
    ("good", "bad", "opens"), [(9, 11, True), (10, 10, False), (8, 11, False), (0, 20, True)]
)
def test_a_large_share_of_enough_ends_opens_it(good: int, bad: int, opens: bool) -> None:
    assert opens is (fails(CLOSED, ends=ends_of(good, bad)).until is not None)


def test_ends_of_more_than_ten_seconds_ago_are_no_reason_to_open() -> None:
    assert fails(CLOSED, 109.0, ends_of(0, 20, now=100)).until is not None
    assert fails(CLOSED, 110.0, ends_of(0, 20, now=100)).until is None


def test_rate_limits_are_ends_but_no_failures() -> None:
    assert fails(CLOSED, ends=ends_of(0, 30, fault="rate_limit")).until is None


def test_without_room_it_stays_as_it_is_until_there_is_some() -> None:
    breaker = CLOSED
    for _ in range(9):
        breaker = fails(breaker, room=False)

    assert Breaker(failures=9) == breaker
    assert at(130.0) == fails(breaker).until


# --- while it rests --------------------------------------------------------------------------------
def test_what_began_before_a_rest_changes_nothing_during_it() -> None:
    assert RESTS == fails(RESTS, 129.9)
    assert RESTS is succeeded(RESTS, at(129.9))
    assert RESTS is undecided(RESTS, at(129.9))
    assert RESTS is began(RESTS, at(129.9), room=True)


@pytest.mark.parametrize(("opening", "rest_s"), [(1, 30), (2, 60), (9, 270), (10, 300), (50, 300)])
def test_the_nth_rest_in_a_row_is_n_times_as_long_up_to_a_limit(opening: int, rest_s: int) -> None:
    probing = Breaker(openings=opening - 1, until=at(90.0), probing=True)

    assert Breaker(0, opening, at(100.0 + rest_s)) == fails(probing)


# --- probing ---------------------------------------------------------------------------------------
def test_the_first_attempt_after_a_rest_is_the_probe_and_others_stay_away() -> None:
    probing = began(RESTS, at(130.0), room=True)

    assert Breaker(openings=1, until=at(130.0 + PROBE_S), probing=True) == probing
    assert probing.rests(at(189.9))
    assert probing is began(probing, at(150.0), room=True)


def test_a_probe_that_succeeds_closes_it_for_good() -> None:
    assert CLOSED == succeeded(PROBES, at(140.0))


def test_a_probe_that_fails_opens_it_for_longer() -> None:
    assert Breaker(0, 3, at(230.0)) == fails(PROBES, 140.0)


def test_after_a_probe_that_said_nothing_the_next_attempt_probes() -> None:
    half_open = undecided(PROBES, at(140.0))

    assert not half_open.rests(at(140.0))
    assert began(half_open, at(141.0), room=True).probing


def test_a_probe_that_never_ends_lapses() -> None:
    assert PROBES is began(PROBES, at(159.9), room=True)
    assert at(220.0) == began(PROBES, at(160.0), room=True).until


def test_an_attempt_where_nobody_may_rest_keeps_nobody_away() -> None:
    assert RESTS is began(RESTS, at(130.0), room=False)
    assert CLOSED == succeeded(RESTS, at(131.0))


def test_a_failure_after_a_rest_opens_it_again_even_without_a_probe() -> None:
    assert Breaker(0, 2, at(191.0)) == fails(RESTS, 131.0)


def test_a_failure_after_a_rest_that_has_no_room_leaves_it_half_open() -> None:
    half_open = fails(RESTS, 131.0, room=False)

    assert Breaker(1, 1, at(131.0)) == half_open
    assert began(half_open, at(131.0), room=True).probing


def test_what_is_closed_needs_no_probe() -> None:
    assert CLOSED is began(CLOSED, at(1.0), room=True)
    assert CLOSED is undecided(CLOSED, at(1.0))
    assert not CLOSED.rests(at(0.0))


Step = tuple[str, float, bool]


@given(
    st.lists(
        st.tuples(st.sampled_from(["began", "none", "bad", "odd"]), st.floats(0, 50), st.booleans())
    )
)
def test_a_breaker_is_never_stuck_and_never_rests_longer_than_allowed(steps: list[Step]) -> None:
    breaker, now = CLOSED, 0.0
    for fact, later, room in steps:
        now += later
        match fact:
            case "began":
                breaker = began(breaker, at(now), room=room)
            case "none":
                breaker = succeeded(breaker, at(now))
            case "bad":
                breaker = fails(breaker, now, room=room)
            case _:
                breaker = undecided(breaker, at(now))
        assert breaker.until is None or breaker.until <= now + SETTINGS.rest_max_s
        assert breaker.until is not None or not (breaker.openings or breaker.probing)
    later = at(now + SETTINGS.rest_max_s)
    probe = began(breaker, later, room=True)
    assert probe.probing is (breaker.until is not None)
    assert CLOSED == succeeded(probe, later)


# --- trouble, places, pauses -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("good", "bad", "trouble"),
    [(0, 1, True), (9, 1, True), (10, 1, False), (999, 1, False), (27, 3, True)],
)
def test_one_failure_among_many_ends_is_no_trouble(good: int, bad: int, trouble: bool) -> None:
    assert trouble is ends_of(good, bad).are_trouble(at(100))


def test_ends_of_more_than_thirty_seconds_ago_excuse_nothing() -> None:
    ends = ends_of(1000, 0, now=100)
    ends.troubled(at(129), "endpoint")
    assert not ends.are_trouble(at(129))
    ends.troubled(at(130), "rate_limit")

    assert ends.are_trouble(at(130))


@pytest.mark.parametrize(
    ("endpoints", "share", "most"),
    [(1, 1.0, 0), (2, 0.5, 1), (3, 0.5, 1), (4, 0.5, 2), (3, 0.3, 0), (100, 0.29, 29), (3, 1.0, 3)],
)
def test_no_more_than_a_share_of_a_models_endpoints_may_rest(
    endpoints: int, share: float, most: int
) -> None:
    assert most == places(endpoints, HealthSettings(ejected_share_max=share))


@pytest.mark.parametrize(
    ("hint", "pause"), [(None, 0), (0.0, 0), (-1.0, 0), (7.5, 7.5), (60.0, 60), (1e9, 60)]
)
def test_a_rate_limit_rests_an_endpoint_as_long_as_it_says_up_to_a_limit(
    hint: float | None, pause: float
) -> None:
    assert pause == pause_s(hint, SETTINGS)
