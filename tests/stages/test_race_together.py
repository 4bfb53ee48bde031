"""Attempts side by side: by silence, or because the client asked for it; one wins, all others end."""

import math
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import (
    ShedError,
    UpstreamTimeoutError,
)
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Meter
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.stages.race import Silence, race
from proxy.units import NanoDollars, Seconds
from tests.fakes.runners import (
    BAD,
    NEVER,
    ONE,
    SIX,
    TWO,
    Consent,
    FakeRunner,
    Track,
    trail_of,
)

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
