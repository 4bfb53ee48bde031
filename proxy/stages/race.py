"""All attempts of a call, until one is won or none is left; obeys `policy.hedging`.

The request's own task drives the attempt as long as there is one. Only where another starts beside it
is there a nursery, with a task for each: attempts are resumable, so they go on from where they were, and
a deadline that passes (to reassure a waiting client, say) interrupts nothing.

Rule 1: every move is `next_move`'s, on a state value; results are heard one by one, by one task.
Rule 2: between a winner and the end of all others nothing is waited for but that end.
Rule 3: every attempt that began stands once in the meter's trail; losers are never the client's cost.
"""

import math
from collections.abc import Awaitable, Callable

import trio

from proxy.errors import ClientClosedError, HedgerowError
from proxy.live.consent import Consent
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Meter, Tried
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.net.crowd import Crowd, Result, Runner, sole
from proxy.net.watch import WATCH_S
from proxy.policy.hedging import Commit, GiveUp, Race, Start, Wait, next_move
from proxy.policy.verdict import conclude
from proxy.units import Seconds

ENDS = (Commit, GiveUp)


class Silence:
    """When to let a waiting client know that somebody is at work."""

    def __init__(
        self, reassure: Callable[[], Awaitable[None]], clock: Callable[[], Seconds], every_s: float
    ) -> None:
        self.reassure = reassure
        self.clock = clock
        self._every_s = every_s
        self.due = clock() + every_s

    async def break_if_due(self) -> None:
        """Reassure, if it is time."""
        if self.clock() >= self.due:
            await self.reassure()
            self.due = self.clock() + self._every_s


def always() -> bool:
    """No budget: every attempt is affordable."""
    return True


async def race(
    plan: Plan, begin: Callable[[Endpoint], Runner], meter: Meter, silence: Silence, *,
    affordable: Callable[[], bool] = always, hedges: Consent | None = None,
) -> Opened:  # fmt: skip
    """Run attempts until one opens; whoever gets it closes it.

    Args:
        affordable: whether the retry budget allows one attempt more; asked only for those that repeat
            what a provider may have seen.
        hedges: asked for those that silence starts; None: there are none.
    Raises: the failure to report when the plan is spent, concluded from all attempts.
    """
    clock, state = silence.clock, Race(plan)
    waits = plan.hedge_after_s < math.inf
    alone = plan.at_once == 1 and not waits
    tells, began_at = waits and hedges is not None, Seconds(0.0)
    running: Runner | None = None
    try:
        while not isinstance(move := next_move(state, now=clock()), ENDS):
            until = math.inf
            if isinstance(move, Wait):
                until = move.until
            elif move.costs and not affordable():
                state = state.denied()
                continue
            elif running is None:
                began_at = clock()
                state, running = _start(state, move, begin, meter, began_at)
                if running is None or not alone:
                    continue
            elif move.hedge and (reason := _refusal(state, move, hedges, meter)):
                state, tells = state.unhedged(reason), False
                continue
            else:
                course = Course(begin, meter, silence, affordable, hedges)
                first, running = running, None
                move = await course.run(state, first, move, began_at)
                break
            assert running is not None
            if (result := await _listen(running, silence, until)) is not None:
                running = None
                if tells and hedges is not None:
                    late, tells = clock() - began_at >= plan.hedge_after_s, False
                    hedges.late(result.endpoint, was_late=late)
                meter.waited_s += result.waited_s
                state = state.heard(_note(meter, result))
    except BaseException:
        if running is not None:
            _drop(meter, running, "cancelled")
        raise
    if isinstance(move, GiveUp):
        raise conclude(move.failures, denied=move.denied)
    return move.winner


async def _listen(running: Runner, silence: Silence, until: float) -> Result | None:
    """Drive an attempt up to its result or the next deadline, whichever comes first.

    `until` is kept exactly, the others nearly: a cancel scope is for the few that are silent for so long.
    """
    nearly = until - WATCH_S
    deadline = min(running.deadline, silence.due)
    if silence.clock() < nearly and running.wake_at(min(deadline, nearly)):
        result = await running.drive()
    else:
        result = None
        with trio.CancelScope(deadline=min(deadline, until)):
            result = await running.drive()
    if result is not None:
        return result
    if silence.clock() >= running.deadline:
        return running.overdue()
    await silence.break_if_due()
    return None


def _start(
    state: Race, move: Start, begin: Callable[[Endpoint], Runner], meter: Meter, now: Seconds
) -> tuple[Race, Runner | None]:
    """Begin an attempt; None: that failed at once, which the race has heard."""
    meter.attempts += 1
    state = state.began(move.offer, now)
    try:
        return state, begin(move.offer)
    except HedgerowError as error:
        failure = Failure(move.offer, error)
        return state.heard(_note(meter, failure, hedge=move.hedge)), None


def _refusal(state: Race, move: Start, hedges: Consent | None, meter: Meter) -> str:
    """Why the hedge may not be; empty: it may."""
    if hedges is None:
        return "disabled"
    primary = state.running[-1]
    hedges.late(primary, was_late=True)
    meter.hedge_skipped = hedges.refusal(primary, move.offer)
    return meter.hedge_skipped


def _note(meter: Meter, result: Result, *, hedge: bool = False) -> Result:
    """Keep the trail for statistics, headers and the ledger; of a winner also who it is."""
    if isinstance(result, Opened):
        meter.endpoint, meter.delivered = result.endpoint, result.delivered
        meter.sent_at, meter.ttft_s = result.sent_at, result.waited_s
        tried = Tried(result.endpoint, "won", 200, result.sent_at, result.waited_s, hedge)
    else:
        error, owed = result.error, result.owed
        tried = Tried(
            result.endpoint, error.error_type, error.status, result.began_at, result.waited_s,
            hedge, owed.basis, owed.prompt_tokens, owed.completion_tokens, owed.cost,
        )  # fmt: skip
    meter.trail.append(tried)
    return result


def _drop(
    meter: Meter, runner: Runner, outcome: str, winner_s: float = 0.0, *, hedge: bool = False
) -> None:
    """End an attempt that runs, or that opened too late, and note it."""
    dropped = runner.abandon(winner_s)
    owed = dropped.owed
    tried = Tried(
        dropped.endpoint, outcome, ClientClosedError.status, dropped.began_at, dropped.waited_s,
        hedge, owed.basis, owed.prompt_tokens, owed.completion_tokens, owed.cost,
    )  # fmt: skip
    meter.trail.append(tried)


class Course:
    """The race from where attempts run side by side."""

    __slots__ = ("_affordable", "_begin", "_crowd", "_hedge", "_hedges", "_meter", "_silence")

    def __init__(
        self, begin: Callable[[Endpoint], Runner], meter: Meter, silence: Silence,
        affordable: Callable[[], bool], hedges: Consent | None,
    ) -> None:  # fmt: skip
        self._begin = begin
        self._meter = meter
        self._silence = silence
        self._affordable = affordable
        self._hedges = hedges
        self._crowd = Crowd(silence.clock)
        self._hedge: Runner | None = None

    async def run(
        self, state: Race, first: Runner, move: Start, began_at: Seconds
    ) -> Commit | GiveUp:
        """Go on until the race is over; nothing is left running then, however this ends.

        Args:
            first: the one that runs, since `began_at`.
            move: the next one; the budgets allow it.
        """
        clock, won = self._silence.clock, None
        if move.hedge:
            self._meter.hedge_after_s = clock() - began_at
        try:
            async with trio.open_nursery() as nursery:
                self._crowd.enter(first, nursery)
                end, won = await self._compete(state, move, nursery)
                # --- commit: with no wait in between, nobody else goes on ---
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if won is not None:  # the client left in this very moment
                self._drop(won, "cancelled")
            self._clear(None)
            raise sole(group) from None
        winner = end.winner if isinstance(end, Commit) else None
        if winner is None:
            heard_at = clock()
        else:
            heard_at = Seconds(winner.sent_at + winner.waited_s)
            _note(self._meter, winner, hedge=won is self._hedge)
        self._meter.waited_s += max(heard_at - began_at, 0.0)
        self._clear(winner)
        return end

    async def _compete(
        self, state: Race, move: Start, nursery: trio.Nursery
    ) -> tuple[Commit | GiveUp, Runner | None]:
        """Start, listen and reassure, up to the last move; with it comes who won."""
        silence, won = self._silence, None
        state = self._enter(state, move, nursery)
        while not isinstance(last := next_move(state, now=silence.clock()), ENDS):
            if isinstance(last, Wait):
                heard = await self._crowd.hear(min(last.until, silence.due))
                if heard is None:
                    await silence.break_if_due()
                    continue
                runner, result = heard
                if isinstance(result, Opened):
                    won = runner  # noted when the others have ended
                else:
                    _note(self._meter, result, hedge=runner is self._hedge)
                state = state.heard(result)
            elif last.costs and not self._affordable():
                state = state.denied()
            elif last.hedge and (why := _refusal(state, last, self._hedges, self._meter)):
                state = state.unhedged(why)
            else:
                state = self._enter(state, last, nursery)
        return last, won

    def _enter(self, state: Race, move: Start, nursery: trio.Nursery) -> Race:
        state, runner = _start(state, move, self._begin, self._meter, self._silence.clock())
        if runner is not None:
            self._crowd.enter(runner, nursery)
            if move.hedge:
                self._hedge = runner
        return state

    def _drop(self, runner: Runner, outcome: str, winner_s: float = 0.0) -> None:
        _drop(self._meter, runner, outcome, winner_s, hedge=runner is self._hedge)

    def _clear(self, winner: Opened | None) -> None:
        """End and note whoever was not heard; tell what came of the hedge."""
        for runner, result in self._crowd.left():
            if isinstance(result, Failure):
                _note(self._meter, result, hedge=runner is self._hedge)
            elif winner is None:
                self._drop(runner, "cancelled")
            else:
                self._drop(runner, "lost", winner.waited_s)
        if self._hedges is not None:
            self._hedges.over(self._meter.trail)
