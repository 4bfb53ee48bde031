"""Attempts one after the other, until one opens or none is left; obedient to `policy.hedging`."""

import math

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import (
    HedgerowError,
    InvalidRequestError,
    ShedError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.meter import Meter
from proxy.model.plan import Plan
from proxy.units import NanoDollars, Seconds
from tests.fakes.runners import (
    BAD,
    NEVER,
    ONE,
    SIX,
    TWO,
    Track,
    trail_of,
)
from tests.fakes.things import a_provider, an_endpoint


async def test_the_first_that_opens_wins_and_nobody_else_is_asked(
    autojump_clock: MockClock,
) -> None:
    track, meter = Track(one=(1, None)), Meter()
    winner = await track.run(meter)

    assert (ONE, 1, [(ONE, "won")]) == (winner.endpoint, meter.attempts, trail_of(meter))
    assert (ONE, winner.delivered, 2.0) == (meter.endpoint, meter.delivered, meter.waited_s)
    assert [0] == [runner.closed for runner in track.runners]


async def test_failures_are_followed_by_the_next_offer(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(1, BAD), two=(1, BAD), six=(1, None)), Meter()
    winner = await track.run(meter)

    assert (SIX, 3) == (winner.endpoint, meter.attempts)
    assert ["provider_unavailable", "provider_unavailable", "won"] == [
        outcome for _, outcome in trail_of(meter)
    ]
    assert pytest.approx(4.0) == meter.waited_s


async def test_when_the_plan_is_spent_the_last_failure_names_the_ones_before(
    autojump_clock: MockClock,
) -> None:
    late = UpstreamTimeoutError("late")
    track, meter = Track(one=(1, BAD), two=(1, BAD), six=(1, late)), Meter()
    with pytest.raises(UpstreamTimeoutError) as caught:
        await track.run(meter)

    assert late is caught.value
    assert ["One", "Two"] == [e["provider"] for e in late.metadata["previous_errors"]]  # type: ignore[attr-defined]
    assert meter.endpoint is None


async def test_what_no_other_endpoint_would_answer_differently_ends_the_race(
    autojump_clock: MockClock,
) -> None:
    track, meter = Track(one=(1, UpstreamRefusedError("no"))), Meter()
    with pytest.raises(UpstreamRefusedError):
        await track.run(meter)

    assert 1 == meter.attempts


async def test_a_refusal_is_not_the_end_where_another_model_is_offered(
    autojump_clock: MockClock,
) -> None:
    other = an_endpoint("six", model="maker/other")
    plan = Plan((ONE, TWO, other), Seconds(math.inf), NanoDollars(1))
    track, meter = Track(one=(1, UpstreamRefusedError("no")), six=(1, None)), Meter()

    assert other is (await track.run(meter, plan)).endpoint
    assert 2 == meter.attempts


async def test_what_cannot_be_said_to_one_provider_is_said_to_one_of_another_dialect(
    autojump_clock: MockClock,
) -> None:
    six = an_endpoint(a_provider("six", dialect="anthropic-messages"))
    plan = Plan((ONE, TWO, six), Seconds(math.inf), NanoDollars(1))
    track, meter = Track(one=(-1, InvalidRequestError("no")), six=(1, None)), Meter()

    assert six is (await track.run(meter, plan)).endpoint
    assert (2, 0) == (meter.attempts, track.asked)


async def test_only_what_a_provider_may_have_seen_costs_budget(autojump_clock: MockClock) -> None:
    for sent, asked in ((True, 2), (False, 0)):
        track = Track(one=(1, BAD), two=(1, BAD), six=(1, None))
        track.sent = sent
        await track.run(Meter())

        assert asked == track.asked


async def test_without_budget_the_client_is_told_what_failed_so_far(
    autojump_clock: MockClock,
) -> None:
    first, second = UpstreamUnavailableError("one"), UpstreamUnavailableError("two")
    track, meter = Track(one=(1, first), two=(1, second), six=(1, None)), Meter()
    track.budget = 1
    with pytest.raises(UpstreamUnavailableError) as caught:
        await track.run(meter)

    assert second is caught.value
    assert ("exhausted", 2) == (second.metadata["retry_budget"], meter.attempts)
    assert [1.0, 1.0] == [tried.waited_s for tried in meter.trail]


@pytest.mark.parametrize("error", [ShedError("full"), UpstreamUnavailableError("x")])
async def test_an_attempt_that_cannot_begin_counts_as_one_that_failed(
    autojump_clock: MockClock, error: HedgerowError
) -> None:
    track, meter = Track(one=(-1, error), two=(1, None)), Meter()

    assert TWO == (await track.run(meter)).endpoint
    assert (ONE, error.error_type) == trail_of(meter)[0]


async def test_a_request_that_cannot_be_written_is_told_at_once(autojump_clock: MockClock) -> None:
    track = Track(one=(-1, InvalidRequestError("bad")))
    with pytest.raises(InvalidRequestError):
        await track.run(Meter())


@pytest.mark.parametrize("interruptible", [True, False])
async def test_who_takes_longer_than_its_deadline_is_overdue(
    autojump_clock: MockClock, interruptible: bool
) -> None:
    track, started = Track(one=(1000, None), two=(1, None)), trio.current_time()
    track.interruptible = interruptible
    winner = await track.run(Meter())

    assert (TWO, 1) == (winner.endpoint, track.runners[0].closed)
    assert pytest.approx(31) == trio.current_time() - started


@pytest.mark.parametrize("interruptible", [True, False])
async def test_a_waiting_client_is_reassured_and_nothing_starts_anew(
    autojump_clock: MockClock, interruptible: bool
) -> None:
    track, meter, started = Track(one=(25, None)), Meter(), trio.current_time()
    track.interruptible = interruptible
    await track.run(meter, every_s=10)

    assert [10, 20] == [pytest.approx(at - started) for at in track.reassured]
    assert (1, 3) == (meter.attempts, track.runners[0].drives)


async def test_failures_do_not_delay_the_reassurance(autojump_clock: MockClock) -> None:
    track, started = Track(one=(6, BAD), two=(6, BAD), six=(1, None)), trio.current_time()
    await track.run(Meter(), every_s=10)

    assert [10] == [pytest.approx(at - started) for at in track.reassured]


async def test_a_cancel_closes_the_running_attempt(autojump_clock: MockClock) -> None:
    track = Track(one=(NEVER, None))
    with trio.move_on_after(1):
        await track.run(Meter())

    assert [1] == [runner.closed for runner in track.runners]


async def test_a_client_that_cannot_be_reassured_closes_the_running_attempt(
    autojump_clock: MockClock,
) -> None:
    class Gone(Track):
        async def reassure(self) -> None:
            raise RuntimeError("gone")

    track = Gone(one=(NEVER, None))
    with pytest.raises(RuntimeError):
        await track.run(Meter(), every_s=5)

    assert [1] == [runner.closed for runner in track.runners]
