"""Attempts one after the other, until one opens or none is left; obedient to `policy.hedging`."""

import math
from collections.abc import Callable, Sequence
from typing import cast

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
from proxy.live import consent as hedge
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Meter, Tried
from proxy.model.outcome import Dropped, Failure, Opened, Owed
from proxy.model.plan import Plan
from proxy.stages.race import Silence, race
from proxy.units import NanoDollars, Seconds
from tests.fakes.downstream import opened
from tests.fakes.things import a_call, a_provider, an_endpoint

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
        self.sent = True
        self._ends_at = now + lasts_s
        self._ends = ends
        self._interruptible = interruptible
        self._wake_at = math.inf
        self.drives = 0
        self.winner_s = -1.0
        self.result: Opened | None = None

    async def drive(self) -> Opened | Failure | None:
        self.drives += 1
        await trio.sleep_until(min(self._ends_at, self._wake_at))
        if trio.current_time() < self._ends_at:
            self._wake_at = math.inf
            return None
        if self._ends is None:
            self.result = opened(CALL, self.endpoint, waited_s=2.0)
            return self.result
        return Failure(self.endpoint, self._ends, waited_s=1.0, sent=self.sent)

    def wake_at(self, deadline: float) -> bool:
        if self._interruptible:
            self._wake_at = deadline
        return self._interruptible

    def overdue(self) -> Failure:
        self.close()
        return Failure(self.endpoint, UpstreamTimeoutError("late"), sent=True)

    def abandon(self, winner_s: float = 0.0) -> Dropped:
        self.close()
        self.winner_s = winner_s
        return Dropped(self.endpoint, Seconds(0.0), 1.0, Owed("estimated", 3, 0, 30))

    def close(self) -> None:
        self.closed += 1


class Consent:
    """Answers as it is told, and keeps what it hears."""

    def __init__(self, refusal: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.lates: list[tuple[str, bool]] = []
        self.ends: list[tuple[str, ...]] = []
        self._refusal = refusal

    def late(self, primary: Endpoint, *, was_late: bool) -> None:
        self.lates.append((primary.provider.id, was_late))

    def refusal(self, primary: Endpoint, target: Endpoint) -> str:
        self.asked.append((primary.provider.id, target.provider.id))
        return self._refusal

    def over(self, trail: Sequence[Tried]) -> None:
        self.ends.append(tuple(tried.outcome for tried in trail))


class Track:
    """Makes runners by endpoint and keeps them."""

    def __init__(self, **told: tuple[float, HedgerowError | None]) -> None:
        self._told = told
        self.runners: list[FakeRunner] = []
        self.reassured: list[float] = []
        self.interruptible = True
        self.sent = True
        """Whether providers may have seen what failed."""
        self.budget = 10**6
        self.asked = 0
        """How often the budget was asked."""
        self.consent: Consent = Consent()

    def affordable(self) -> bool:
        self.asked += 1
        return self.asked <= self.budget

    def begin(self, endpoint: Endpoint) -> FakeRunner:
        lasts_s, ends = self._told[endpoint.provider.id]
        if lasts_s < 0:
            assert ends is not None
            raise ends
        self.runners.append(FakeRunner(endpoint, lasts_s, ends, interruptible=self.interruptible))
        self.runners[-1].sent = self.sent
        return self.runners[-1]

    async def reassure(self) -> None:
        self.reassured.append(trio.current_time())

    async def run(self, meter: Meter, plan: Plan = PLAN, every_s: float = NEVER) -> Opened:
        clock: Callable[[], Seconds] = trio.current_time  # type: ignore[assignment]
        silence = Silence(self.reassure, clock, every_s)
        hedges = cast("hedge.Consent", self.consent)
        return await race(
            plan, self.begin, meter, silence, affordable=self.affordable, hedges=hedges
        )


BAD = UpstreamUnavailableError("bad")


def trail_of(meter: Meter) -> list[tuple[Endpoint, str]]:
    return [(tried.endpoint, tried.outcome) for tried in meter.trail]


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


# --- side by side ----------------------------------------------------------------------------------
HEDGED = Plan((ONE, TWO, SIX), Seconds(2.0), NanoDollars(1))
RACED = Plan((ONE, TWO, SIX), Seconds(math.inf), NanoDollars(1), at_once=2)


@pytest.mark.parametrize("interruptible", [True, False])
async def test_after_silence_another_is_asked_who_wins_where_it_is_first(
    autojump_clock: MockClock, interruptible: bool
) -> None:
    track, meter, started = Track(one=(20, None), two=(1, None)), Meter(), trio.current_time()
    track.interruptible = interruptible
    winner = await track.run(meter, HEDGED)

    assert (TWO, TWO, 2) == (winner.endpoint, meter.endpoint, meter.attempts)
    assert pytest.approx(3.0) == trio.current_time() - started
    assert pytest.approx(2.0) == meter.hedge_after_s
    assert [(TWO, "won", True, 0), (ONE, "lost", False, 30)] == [
        (tried.endpoint, tried.outcome, tried.hedge, tried.cost) for tried in meter.trail
    ]
    assert [1, 0] == [runner.closed for runner in track.runners]
    assert 2.0 == track.runners[0].winner_s
    assert ([("one", "two")], [("one", True)], [("won", "lost")]) == (
        track.consent.asked, track.consent.lates, track.consent.ends,
    )  # fmt: skip


async def test_the_first_one_may_still_win(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(4, None), two=(20, None)), Meter()
    winner = await track.run(meter, HEDGED)

    assert ONE == winner.endpoint
    assert [(ONE, "won"), (TWO, "lost")] == trail_of(meter)
    assert [0, 1] == [runner.closed for runner in track.runners]


async def test_who_answers_in_time_is_not_hedged(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(1.5, None)), Meter()
    await track.run(meter, HEDGED)

    assert ([], [("one", False)], []) == (
        track.consent.asked, track.consent.lates, track.consent.ends,
    )  # fmt: skip
    assert (None, "", 2.0) == (meter.hedge_after_s, meter.hedge_skipped, meter.waited_s)


async def test_without_consent_there_is_no_hedge_and_the_first_goes_on(
    autojump_clock: MockClock,
) -> None:
    track, meter = Track(one=(20, None)), Meter()
    track.consent = Consent("budget")
    winner = await track.run(meter, HEDGED)

    assert (ONE, 1, None, "budget") == (
        winner.endpoint, meter.attempts, meter.hedge_after_s, meter.hedge_skipped,
    )  # fmt: skip
    assert 1 == len(track.consent.asked)


async def test_where_nobody_can_be_asked_there_is_no_hedge(autojump_clock: MockClock) -> None:
    clock: Callable[[], Seconds] = trio.current_time  # type: ignore[assignment]
    track, meter = Track(one=(20, None)), Meter()
    await race(HEDGED, track.begin, meter, Silence(track.reassure, clock, NEVER))

    assert 1 == meter.attempts


async def test_the_second_wins_where_the_first_fails_meanwhile(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(3, BAD), two=(4, None)), Meter()
    winner = await track.run(meter, HEDGED)

    assert TWO == winner.endpoint
    assert [(ONE, "provider_unavailable"), (TWO, "won")] == trail_of(meter)
    assert [0, 0] == [runner.closed for runner in track.runners]
    assert 0 == track.asked


async def test_where_both_fail_the_third_is_a_retry(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(3, BAD), two=(4, BAD), six=(1, None)), Meter()
    winner = await track.run(meter, HEDGED)

    assert (SIX, 3) == (winner.endpoint, meter.attempts)


async def test_where_all_fail_side_by_side_the_last_one_names_the_others(
    autojump_clock: MockClock,
) -> None:
    track, meter = Track(one=(3, BAD), two=(4, UpstreamTimeoutError("late"))), Meter()
    with pytest.raises(UpstreamTimeoutError) as caught:
        await track.run(meter, Plan((ONE, TWO), Seconds(2.0), NanoDollars(1)))

    assert 1 == len(caught.value.metadata["previous_errors"])  # type: ignore[arg-type]
    assert pytest.approx(6.0) == meter.waited_s


async def test_a_hedge_that_cannot_begin_leaves_the_first_alone(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(4, None), two=(-1, ShedError("full"))), Meter()
    winner = await track.run(meter, HEDGED)

    assert (ONE, [("provider_overloaded", True), ("won", False)]) == (
        winner.endpoint, [(tried.outcome, tried.hedge) for tried in meter.trail],
    )  # fmt: skip


async def test_both_that_open_at_once_are_one_winner_and_one_that_is_closed(
    autojump_clock: MockClock,
) -> None:
    seen = set()
    for _ in range(50):
        track, meter = Track(one=(3, None), two=(1, None)), Meter()
        winner = await track.run(meter, HEDGED)
        seen.add(winner.endpoint.provider.id)

        assert ["won", "lost"] == [tried.outcome for tried in meter.trail]
        assert winner.endpoint == meter.trail[0].endpoint
        assert {0, 1} == {runner.closed for runner in track.runners}
        assert [winner.endpoint != runner.endpoint for runner in track.runners] == [
            bool(runner.closed) for runner in track.runners
        ]
    assert {"one", "two"} == seen


async def test_a_race_that_was_asked_for_starts_at_once(autojump_clock: MockClock) -> None:
    track, meter, started = Track(one=(20, None), two=(1, None)), Meter(), trio.current_time()
    winner = await track.run(meter, RACED)

    assert (TWO, 2) == (winner.endpoint, meter.attempts)
    assert pytest.approx(1.0) == trio.current_time() - started
    assert ([], 0, None) == (track.consent.asked, track.asked, meter.hedge_after_s)
    assert [False, False] == [tried.hedge for tried in meter.trail]


async def test_deadlines_are_kept_side_by_side(autojump_clock: MockClock) -> None:
    track, started = Track(one=(1000, None), two=(1000, None), six=(1, None)), trio.current_time()
    winner = await track.run(Meter(), HEDGED)

    assert (SIX, [1, 1, 0]) == (winner.endpoint, [runner.closed for runner in track.runners])
    assert pytest.approx(33) == trio.current_time() - started


async def test_a_client_is_reassured_while_two_run(autojump_clock: MockClock) -> None:
    track, started = Track(one=(25, None), two=(25, None)), trio.current_time()
    await track.run(Meter(), HEDGED, every_s=10)

    assert [10, 20] == [pytest.approx(at - started) for at in track.reassured]


async def test_a_cancel_closes_both_and_is_a_cancel(autojump_clock: MockClock) -> None:
    track, meter = Track(one=(NEVER, None), two=(NEVER, None)), Meter()
    with trio.move_on_after(5) as scope:
        try:
            await track.run(meter, HEDGED)
        except BaseException as error:
            assert isinstance(error, trio.Cancelled)
            raise

    assert scope.cancelled_caught
    assert [1, 1] == [runner.closed for runner in track.runners]
    assert [("cancelled", False, 30), ("cancelled", True, 30)] == [
        (tried.outcome, tried.hedge, tried.cost) for tried in meter.trail
    ]
    assert None is meter.endpoint


@pytest.mark.parametrize("ticks", range(6))
async def test_a_client_that_leaves_in_the_tick_of_the_commit_leaves_nothing_open(
    autojump_clock: MockClock, ticks: int
) -> None:
    scope = trio.CancelScope()

    async def leave() -> None:
        for _ in range(ticks):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    class Opening(FakeRunner):
        async def drive(self) -> Opened | Failure | None:
            result = await super().drive()
            if isinstance(result, Opened):
                trio.lowlevel.spawn_system_task(leave)
            return result

    track, meter = Track(), Meter()

    def begin(endpoint: Endpoint) -> FakeRunner:
        track.runners.append(Opening(endpoint, 1 if endpoint is TWO else NEVER, None))
        return track.runners[-1]

    track.begin = begin  # type: ignore[method-assign]
    won = 0
    with scope:
        await track.run(meter, HEDGED)
        won = 1

    assert [1, 1 - won] == [runner.closed for runner in track.runners]
    assert (["won", "lost"] if won else ["cancelled"] * 2) == [t.outcome for t in meter.trail]
    assert (None if not won else TWO) == meter.endpoint


async def test_a_bug_in_one_closes_both_and_gets_past_bare(autojump_clock: MockClock) -> None:
    class Broken(FakeRunner):
        async def drive(self) -> Opened | Failure | None:
            if self.endpoint is TWO:
                raise ZeroDivisionError
            return await super().drive()

    track, meter = Track(one=(NEVER, None)), Meter()

    def begin(endpoint: Endpoint) -> FakeRunner:
        track.runners.append(Broken(endpoint, NEVER, None))
        return track.runners[-1]

    track.begin = begin  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await track.run(meter, HEDGED)

    assert [1, 1] == [runner.closed for runner in track.runners]


async def test_a_client_that_cannot_be_reassured_while_two_run_closes_both(
    autojump_clock: MockClock,
) -> None:
    class Gone(Track):
        async def reassure(self) -> None:
            raise RuntimeError("gone")

    track = Gone(one=(NEVER, None), two=(NEVER, None))
    with pytest.raises(RuntimeError, match="gone"):
        await track.run(Meter(), HEDGED, every_s=5)

    assert [1, 1] == [runner.closed for runner in track.runners]
