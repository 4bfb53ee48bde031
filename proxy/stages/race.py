"""All attempts of a call, until one is won or none is left; obeys `policy.hedging`.

The request's own task drives the primary attempt under a deadline. Attempts are resumable, so a
deadline that passes (to reassure a waiting client, say) interrupts nothing.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from proxy.errors import HedgerowError
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Meter
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.policy.hedging import Commit, GiveUp, Race, Start, Wait, next_move
from proxy.policy.verdict import conclude
from proxy.units import Seconds

ENDS = (Commit, GiveUp)


class Runner(Protocol):
    """One attempt, resumable; `stages.attempt.Attempt` is one."""

    deadline: Seconds

    async def drive(self) -> Opened | Failure | None:
        """Go on until there is a result; None: `deadline` has moved."""
        ...

    def wake_at(self, deadline: float) -> bool:
        """Interrupt `drive` soon after `deadline`, cheaply; False: it cannot just now."""
        ...

    def overdue(self) -> Failure:
        """The deadline passed."""
        ...

    def close(self) -> None:
        """Drop it; idempotent."""
        ...


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


async def race(
    plan: Plan, begin: Callable[[Endpoint], Runner], meter: Meter, silence: Silence
) -> Opened:
    """Run attempts until one opens; whoever gets it closes it.

    Raises: the failure to report when the plan is spent, concluded from all attempts.
    """
    clock = silence.clock
    state = Race(plan)
    running: Runner | None = None
    try:
        while not isinstance(move := next_move(state, now=clock()), ENDS):
            until = math.inf
            match move:
                case Start(offer=offer):
                    state = state.began(clock())
                    meter.attempts += 1
                    try:
                        running = begin(offer)
                    except HedgerowError as error:
                        state = state.heard(_note(meter, Failure(offer, error)))
                case Wait():
                    until = move.until
            if running is None:
                continue
            if (result := await _listen(running, silence, until)) is not None:
                running = None
                state = state.heard(_note(meter, result))
    except BaseException:
        if running is not None:
            running.close()
        raise
    match move:
        case Commit(winner=winner):
            meter.endpoint, meter.delivered = winner.endpoint, winner.delivered
            return winner
        case GiveUp(failures=failures):
            raise conclude(failures)


async def _listen(running: Runner, silence: Silence, until: float) -> Opened | Failure | None:
    """Drive an attempt up to its result or the next deadline, whichever comes first."""
    deadline = min(running.deadline, silence.due)
    if until == math.inf and running.wake_at(deadline):
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


def _note(meter: Meter, result: Opened | Failure) -> Opened | Failure:
    """Keep the trail for statistics and headers."""
    outcome = "won" if isinstance(result, Opened) else result.error.error_type
    meter.trail.append((result.endpoint, outcome))
    meter.waited_s += result.waited_s
    return result
