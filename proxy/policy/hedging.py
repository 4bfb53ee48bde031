"""When to start another attempt, when to listen, when to commit, when to give up.

Rule 1: this file never waits, sends, or reads a clock; `now` is an argument.
Rule 2: every way a race can move is a `Move`; `stages.race` only obeys.
Rule 3: what a provider may have seen and failed at costs budget to try again; what never left us is free.
Rule 4: a refusal rules out the endpoints that would not answer differently, and no others.
Rule 5: silence starts at most one attempt in a race, beside at most one other, of the same model at
another provider; while anything runs, a failure starts nothing.
"""

import math
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from proxy.errors import InvalidRequestError
from proxy.model.endpoint import Endpoint
from proxy.model.outcome import Failure, Opened
from proxy.model.plan import Plan
from proxy.policy.hedge_rules import is_target
from proxy.units import Seconds


class Start(msgspec.Struct, frozen=True):
    """Start an attempt at `offer`."""

    offer: Endpoint
    costs: bool = False
    """It needs the retry budget's consent; if that is refused, the race is `denied`."""
    hedge: bool = False
    """It needs the hedge budget's consent; if that is refused, the race is `unhedged`."""


class Wait(msgspec.Struct, frozen=True):
    """Listen to the running attempts until `until`, seconds on the clock of `now`."""

    until: float


class Commit(msgspec.Struct, frozen=True):
    """The race is won; everything else is cancelled."""

    winner: Opened


class GiveUp(msgspec.Struct, frozen=True):
    """The plan is spent, or no other endpoint would answer differently, or the budget is."""

    failures: tuple[Failure, ...]
    denied: bool = False
    """There were offers left, but no budget."""


Move: TypeAlias = Start | Wait | Commit | GiveUp
FOREVER = Wait(math.inf)


class Race(msgspec.Struct, frozen=True):
    """The whole state of one race: a value, replaced on every fact."""

    plan: Plan
    running: tuple[Endpoint, ...] = ()
    """Offers whose attempts have not ended, in the order of their starts; behind a winner, the losers."""
    started: int = 0
    """Attempts so far."""
    newest: Seconds = Seconds(0.0)
    """When the newest attempt started."""
    failures: tuple[Failure, ...] = ()
    winner: Opened | None = None
    """The first one that opened, whatever opened after it."""
    taken: int = 0
    """Bits of the offers, then spares, that were started."""
    covered: int = 0
    """Attempts beyond the first that a budget allowed, or that were to start together."""
    refused: bool = False
    """The retry budget allows no more."""
    hedged: bool = False
    """Silence has started an attempt."""
    skipped: str = ""
    """Why the hedge budget allows none."""

    @property
    def hedge_skipped(self) -> str:
        """Why there is no hedge, whatever happens; empty: there may be, or was, one."""
        return self.skipped or self.plan.hedge_skipped

    @property
    def costs(self) -> bool:
        """Whether the next attempt repeats one that a provider may have seen, and nobody paid for."""
        return not self.running and sum(one.sent for one in self.failures) > self.covered

    def began(self, offer: Endpoint, now: Seconds) -> "Race":
        """The attempt at `offer`, one of the plan's, started; what it costs is paid."""
        if not self.started and offer is self.plan.offers[0]:  # as nearly always
            return Race(self.plan, (offer,), 1, now, taken=1)
        beside = bool(self.running)
        return Race(
            self.plan, (*self.running, offer), self.started + 1, now, self.failures, self.winner,
            self.taken | 1 << _place(self, offer),
            self.covered + (beside or self.costs),
            self.refused,
            self.hedged or (beside and self.started >= self.plan.at_once),
            self.skipped,
        )  # fmt: skip

    def denied(self) -> "Race":
        """The retry budget does not allow the next attempt, nor any other."""
        return msgspec.structs.replace(self, refused=True)

    def unhedged(self, reason: str) -> "Race":
        """The hedge budget allows no hedge in this race; failures are retried as before."""
        return msgspec.structs.replace(self, skipped=reason or "refused")

    def heard(self, result: Opened | Failure) -> "Race":
        """A running attempt has ended, well or badly."""
        running = self.running
        running = () if len(running) == 1 else _without(running, result.endpoint)
        if isinstance(result, Opened):
            winner = result if self.winner is None else self.winner
            return msgspec.structs.replace(self, running=running, winner=winner)
        return msgspec.structs.replace(self, running=running, failures=(*self.failures, result))


def next_move(race: Race, *, now: Seconds) -> Move:
    """Choose the next move; total, and a function of its arguments only."""
    if race.winner is not None:
        return Commit(race.winner)
    if not race.started:
        return Start(race.plan.offers[0])
    if not race.running:
        offer = next(_remaining(race), None)
        if offer is None or race.refused:
            return GiveUp(race.failures, denied=offer is not None)
        return Start(offer, race.costs)
    if race.started < race.plan.at_once and (offer := _racer(race)) is not None:
        return Start(offer)
    hedge_at = race.newest + race.plan.hedge_after_s
    over = race.hedged or race.skipped or race.refused or len(race.running) > 1
    if over or hedge_at == math.inf:
        return FOREVER
    if now < hedge_at:
        return Wait(hedge_at)
    offer = _hedge(race)
    return FOREVER if offer is None else Start(offer, hedge=True)


def _hedge(race: Race) -> Endpoint | None:
    """Who may answer sooner than the one that runs; None: nobody."""
    (primary,), dearer = race.running, race.plan.hedge_cost_max is not None
    for offer in _remaining(race):
        if is_target(offer, primary, dearer=dearer):
            return offer
    return None


def _racer(race: Race) -> Endpoint | None:
    """Who starts beside those that run, since the client asked for it: of their model, at another
    provider where there is one."""
    model, providers = race.running[0].model, {one.provider.id for one in race.running}
    found: Endpoint | None = None
    for offer in _remaining(race):
        if offer.model == model:
            if offer.provider.id not in providers:
                return offer
            found = found or offer
    return found


def _remaining(race: Race) -> Iterator[Endpoint]:
    """Offers, then spares, that may answer differently from those that failed.

    As many attempts as there are offers may reach a provider; the spares are for those that could not.
    """
    plan, failures, taken = race.plan, race.failures, race.taken
    if len(race.running) + sum(one.sent for one in failures) >= len(plan.offers):
        return
    for place, offer in enumerate(offered(plan)):
        if not taken >> place & 1 and not any(rules_out(failure, offer) for failure in failures):
            yield offer


def _place(race: Race, offer: Endpoint) -> int:
    """Which of the plan's it is; the same endpoint may stand there twice."""
    return next(
        place
        for place, one in enumerate(offered(race.plan))
        if (one is offer or one == offer) and not race.taken >> place & 1
    )


def _without(endpoints: tuple[Endpoint, ...], one: Endpoint) -> tuple[Endpoint, ...]:
    """All but `one`, which is among them."""
    place = endpoints.index(one)
    return endpoints[:place] + endpoints[place + 1 :]


def offered(plan: Plan) -> tuple[Endpoint, ...]:
    """Offers, then spares."""
    return plan.offers + plan.spares if plan.spares else plan.offers


def rules_out(failure: Failure, offer: Endpoint) -> bool:
    """Whether `offer` would fail in the same way.

    A request that a provider, or we, found invalid is so for its model everywhere; one that cannot be
    said in a dialect is so for that model wherever it is spoken to in this dialect.
    """
    failed, error = failure.endpoint, failure.error
    if error.retry != "never" or failed.model != offer.model:
        return False
    if isinstance(error, InvalidRequestError):
        return failed.provider.dialect == offer.provider.dialect
    return True
