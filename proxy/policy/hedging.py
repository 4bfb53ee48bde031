"""When to start another attempt, when to listen, when to commit, when to give up.

Rule 1: this file never waits, sends, or reads a clock; `now` is an argument.
Rule 2: every way a race can move is a `Move`; `stages.race` only obeys.
"""

import math
from typing import TypeAlias

import msgspec

from proxy.model.endpoint import Endpoint
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.units import Seconds


class Start(msgspec.Struct, frozen=True):
    """Start an attempt at `offer`."""

    offer: Endpoint


class Wait(msgspec.Struct, frozen=True):
    """Listen to the running attempts until `until`, seconds on the clock of `now`."""

    until: float


class Commit(msgspec.Struct, frozen=True):
    """The race is won; everything else is cancelled."""

    winner: Opened


class GiveUp(msgspec.Struct, frozen=True):
    """The plan is spent, or no other endpoint would answer differently."""

    failures: tuple[Failure, ...]


Move: TypeAlias = Start | Wait | Commit | GiveUp


class Race(msgspec.Struct, frozen=True):
    """The whole state of one race: a value, replaced on every fact."""

    plan: Plan
    started: int = 0
    newest: Seconds = Seconds(0.0)
    """When the newest attempt started."""
    failures: tuple[Failure, ...] = ()
    winner: Opened | None = None

    def began(self, now: Seconds) -> "Race":
        """An attempt started."""
        return msgspec.structs.replace(self, started=self.started + 1, newest=now)

    def heard(self, result: Opened | Failure) -> "Race":
        """An attempt has ended, well or badly."""
        match result:
            case Opened():
                return msgspec.structs.replace(self, winner=result)
            case Failure():
                return msgspec.structs.replace(self, failures=(*self.failures, result))


def next_move(race: Race, *, now: Seconds) -> Move:
    """Choose the next move; total, and a function of its arguments only."""
    offers = race.plan.offers
    running = race.started - len(race.failures)
    assert 0 <= running <= race.started <= len(offers)
    if race.winner is not None:
        return Commit(race.winner)
    spent = race.started == len(offers) or any(f.error.retry == "never" for f in race.failures)
    if spent:
        return Wait(math.inf) if running else GiveUp(race.failures)
    hedge_at = race.newest + race.plan.hedge_after_s
    if running == 0:
        return Start(offers[race.started])
    if now >= hedge_at:
        return Start(offers[race.started])
    return Wait(hedge_at)
