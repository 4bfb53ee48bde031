"""Attempts one after the other, until one opens or none is left; obedient to `policy.hedging`."""

import math
from collections.abc import Callable

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
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Meter
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.stages.race import Silence, race
from proxy.units import NanoDollars, Seconds
from tests.fakes.downstream import opened
from tests.fakes.things import a_call, an_endpoint

ONE, TWO, SIX = an_endpoint("one"), an_endpoint("two"), an_endpoint("six")
PLAN = Plan((ONE, TWO, SIX), Seconds(math.inf), NanoDollars(1))
NEVER = 10**6
CALL = a_call()


class FakeRunner:
    """Takes `lasts_s`, then ends as it is told; `interruptible` as a connected attempt is."""

    def __init__(
        self, endpoint: Endpoint, lasts_s: float, ends: HedgerowError | None, *,
        limit_s: float = 30, interruptible: bool = True,
    ) -> None:  # fmt: skip
        now = trio.current_time()
        self.endpoint = endpoint
        self.deadline = Seconds(now + limit_s)
        self.closed = 0
        self._ends_at = now + lasts_s
        self._ends = ends
        self._interruptible = interruptible
        self._wake_at = math.inf
        self.drives = 0

    async def drive(self) -> Opened | Failure | None:
        self.drives += 1
        await trio.sleep_until(min(self._ends_at, self._wake_at))
        if trio.current_time() < self._ends_at:
            self._wake_at = math.inf
            return None
        if self._ends is None:
            return opened(CALL, self.endpoint, waited_s=2.0)
        return Failure(self.endpoint, self._ends, waited_s=1.0)

    def wake_at(self, deadline: float) -> bool:
        if self._interruptible:
            self._wake_at = deadline
        return self._interruptible

    def overdue(self) -> Failure:
        self.close()
        return Failure(self.endpoint, UpstreamTimeoutError("late"))

    def close(self) -> None:
        self.closed += 1


class Track:
    """Makes runners by endpoint and keeps them."""

    def __init__(self, **told: tuple[float, HedgerowError | None]) -> None:
        self._told = told
        self.runners: list[FakeRunner] = []
        self.reassured: list[float] = []
        self.interruptible = True

    def begin(self, endpoint: Endpoint) -> FakeRunner:
        lasts_s, ends = self._told[endpoint.provider.id]
        if lasts_s < 0:
            assert ends is not None
            raise ends
        self.runners.append(FakeRunner(endpoint, lasts_s, ends, interruptible=self.interruptible))
        return self.runners[-1]

    async def reassure(self) -> None:
        self.reassured.append(trio.current_time())

    async def run(self, meter: Meter, plan: Plan = PLAN, every_s: float = NEVER) -> Opened:
        clock: Callable[[], Seconds] = trio.current_time  # type: ignore[assignment]
        return await race(plan, self.begin, meter, Silence(self.reassure, clock, every_s))


BAD = UpstreamUnavailableError("bad")


async def test_the_first_that_opens_wins_and_nobody_else_is_asked(
    autojump_clock: MockClock,
) -> None:
    track, meter = Track(one=(1, None)), Meter()
    winner = await track.run(meter)

    assert (ONE, 1, [(ONE, "won")]) == (winner.endpoint, meter.attempts, meter.trail)
    assert (ONE, winner.delivered, 2.0) == (meter.endpoint, meter.delivered, meter.waited_s)
    assert [0] == [runner.closed for runner in track.runners]


async def test_failures_are_followed_by_the_next_offer(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(1, BAD), two=(1, BAD), six=(1, None)), Meter()
    winner = await track.run(meter)

    assert (SIX, 3) == (winner.endpoint, meter.attempts)
    assert ["provider_unavailable", "provider_unavailable", "won"] == [o for _, o in meter.trail]
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


@pytest.mark.parametrize("error", [ShedError("full"), UpstreamUnavailableError("x")])
async def test_an_attempt_that_cannot_begin_counts_as_one_that_failed(
    autojump_clock: MockClock, error: HedgerowError
) -> None:
    track, meter = Track(one=(-1, error), two=(1, None)), Meter()
    if error.retry == "never":
        with pytest.raises(ShedError):
            await track.run(meter)
    else:
        assert TWO == (await track.run(meter)).endpoint
    assert (ONE, error.error_type) == meter.trail[0]


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
