"""Whether a second attempt is affordable, and what second attempts have come to.

A race asks, and tells how it ended. Rule 1: hedges add a share to the traffic and to its
cost, never a multiple, whatever goes wrong: where all are slow, nobody is hedged.
Rule 2: an estimate is booked when a hedge starts and replaced by what is owed when it has ended.
Rule 3: the client pays one attempt; what is counted here is the operator's.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import msgspec

from proxy.config.settings import HedgingSettings
from proxy.live.guards import Bucket, Lateness, Throttle
from proxy.live.spending import Spending
from proxy.model.endpoint import Endpoint
from proxy.model.standing import NOTHING_KNOWN, Snapshot
from proxy.policy.hedge_rules import expected_rest_s
from proxy.units import NANO, NanoDollars, Seconds, price_from_usd

Refusal: TypeAlias = Literal["", "late", "resting", "throttled", "cost", "budget"]
SPEND_SMALL = NanoDollars(NANO // 10)
"""Spend of a day below which a share of it says nothing."""
ALLOWANCE = NanoDollars(NANO // 500)
"""What hedges may cost then, so that a new gateway can hedge: 0.002 USD."""


class HedgeStatistics(msgspec.Struct, frozen=True):
    """What hedges came to since the start, and how things stand."""

    fired: int
    won: int
    """The hedge was the first to answer."""
    lost: int
    """Another attempt was, or the client left."""
    failed: int
    """Its provider failed it."""
    skipped: Mapping[str, int]
    """By reason: hedges that were due and refused, and requests that are never hedged."""
    cost: NanoDollars
    """Owed for attempts that lost; estimates for those in progress."""
    saved_s: Seconds
    """How much longer the primaries that hedges beat would have taken: a lower bound of the expectation
    by what is known of their endpoints, as nobody waits to see."""
    cost_day: NanoDollars
    """`cost` of the last 24 h."""
    spent_day: NanoDollars
    """Charged to clients in the last 24 h."""
    tokens: float
    """Hedges that may start now."""
    late_share: float
    """Share of the last 200 primaries that waited beyond their delay."""


class Hedges:
    """Budgets and counters of all second attempts."""

    def __init__(
        self, settings: HedgingSettings, clock: Callable[[], Seconds], *,
        snapshot: Snapshot = NOTHING_KNOWN, siblings: Mapping[str, int] | None = None,
        withdraw: Callable[[Seconds], bool] = lambda _: True,
    ) -> None:  # fmt: skip
        """All fresh.

        Args:
            siblings: number of endpoints by model id.
            withdraw: take one attempt from the budget that retries and hedges share, if there is one.
        """
        self._settings = settings
        self._clock = clock
        self._snapshot = snapshot
        self._siblings = siblings or {}
        self._withdraw = withdraw
        self._cost_max = price_from_usd(settings.cost_max)
        """Nano-dollars: as many for a dollar as a price has for a dollar a million."""
        self._bucket = Bucket(settings.budget_share, settings.budget_per_s, settings.budget_burst)
        self._throttle = Throttle()
        self._lateness = Lateness()
        self._spent, self._extra = Spending(), Spending()
        self._fired = self._won = self._lost = self._failed = self._cost = 0
        self._saved_s = 0.0
        self._skipped: Counter[str] = Counter()

    # --- the hot path -----------------------------------------------------------------------------
    def request(self, now: Seconds, skipped: str = "") -> None:
        """A primary begins; `skipped`: why it is never hedged, as its plan says."""
        self._bucket.request()
        if skipped:
            self._skipped[skipped] += 1

    def late(self, now: Seconds, endpoint: Endpoint, was_late: bool) -> None:  # noqa: FBT001
        """The silence of a primary at `endpoint` is over, by whatever end; was it longer than its delay?

        Only of plans that may be hedged, with a delay of ours: one that a client chose says nothing.
        """
        self._lateness.note(late=was_late)

    def spent(self, cost: NanoDollars, now: Seconds) -> None:
        """A client was charged."""
        self._spent.add(cost, now)

    def succeeded(self, provider: str) -> None:
        """Any attempt at the provider was answered in full."""
        self._throttle.succeeded(provider)

    # --- hedges -----------------------------------------------------------------------------------
    def ask(
        self, primary: Endpoint, target: Endpoint, cost: NanoDollars, now: Seconds, *,
        cost_max: NanoDollars | None = None,
    ) -> Refusal:  # fmt: skip
        """Ask for a hedge of `primary` at `target`, which starts at once if that is granted.

        Args:
            cost: what the loser of the two will have cost, as an estimate.
            cost_max: what this request allows; the operator's own maximum holds besides.
        Returns: empty: granted, counted, and `cost` booked; else why not.
        """
        refusal = self._refusal(primary, target, cost, now, cost_max)
        if refusal:
            self._skipped[refusal] += 1
        else:
            self._fired += 1
            self._book(cost, now)
        return refusal

    def _refusal(
        self, primary: Endpoint, target: Endpoint, cost: NanoDollars, now: Seconds,
        cost_max: NanoDollars | None,
    ) -> Refusal:  # fmt: skip
        """What costs nothing to ask comes first; a token is taken last."""
        if self._lateness.share >= self._settings.late_share_max:
            return "late"
        if self._rests(primary, target, now):
            return "resting"
        if self._throttle.stops(target.provider.id):
            return "throttled"
        most = self._cost_max if cost_max is None else min(cost_max, self._cost_max)
        if cost > most or (cost and self._extra.total(now) + cost > self.cost_allowed(now)):
            return "cost"
        if not (self._bucket.has_token(now) and self._withdraw(now)):
            return "budget"
        self._bucket.take()
        return ""

    def _rests(self, primary: Endpoint, target: Endpoint, now: Seconds) -> bool:
        """Whether the target rests, or so many of the model's endpoints that the others have enough to do.

        A provider without a usable key counts as one endpoint of what it is asked for here.
        """
        if self._snapshot.rest_of(target, now) is not None:
            return True
        model, resting = primary.model, 0
        for name, rest in self._snapshot.resting.items():
            provider, _, of_model = name.partition(":")
            asked = of_model == model if of_model else provider == primary.provider.id
            resting += asked and rest.until > now
        endpoints = self._siblings.get(model, 0)
        return resting > 0 and resting >= self._settings.resting_share_max * endpoints

    def cost_allowed(self, now: Seconds) -> NanoDollars:
        """What second attempts may have cost within the last 24 h."""
        spent, share = self._spent.total(now), self._settings.cost_share_max
        allowed = NanoDollars(int(share * spent))
        return max(allowed, ALLOWANCE) if share and spent < SPEND_SMALL else allowed

    def won(
        self, primary: Endpoint, hedge: Endpoint, now: Seconds, *,
        booked: NanoDollars, cost: NanoDollars, silence_s: float | None = None,
    ) -> None:  # fmt: skip
        """A hedge was first to answer.

        Args:
            booked: the estimate that `ask` was given.
            cost: what is owed for the primary.
            silence_s: how long the primary has been waited for; None: it had failed.
        """
        self._won += 1
        self._book(NanoDollars(cost - booked), now)
        standing = self._snapshot.standings.get(primary.id)
        if silence_s is not None and standing is not None and standing.ttft is not None:
            self._saved_s += expected_rest_s(standing.ttft, silence_s)

    def lost(
        self, primary: Endpoint, hedge: Endpoint, now: Seconds, *,
        booked: NanoDollars, cost: NanoDollars, failed: bool = False,
    ) -> None:  # fmt: skip
        """A hedge was not: another attempt was, or the client left, or (`failed`) its provider failed it.

        Args:
            cost: what is owed for it.
        """
        self._book(NanoDollars(cost - booked), now)
        if failed:
            self._failed += 1
            self._throttle.failed(hedge.provider.id)
        else:
            self._lost += 1

    def _book(self, amount: NanoDollars, now: Seconds) -> None:
        self._cost += amount
        self._extra.add(amount, now)

    def statistics(self) -> HedgeStatistics:
        """As of now."""
        now = self._clock()
        return HedgeStatistics(
            fired=self._fired,
            won=self._won,
            lost=self._lost,
            failed=self._failed,
            skipped=dict(self._skipped),
            cost=NanoDollars(self._cost),
            saved_s=Seconds(self._saved_s),
            cost_day=self._extra.total(now),
            spent_day=self._spent.total(now),
            tokens=self._bucket.left(now),
            late_share=self._lateness.share,
        )
