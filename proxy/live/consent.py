"""One call's hedge: who is asked for it, and what is told when it is over.

Rule 1: the budgets know estimates first and what is owed later; the difference is told here, once.
"""

from collections.abc import Callable, Sequence

from proxy.live.hedges import Hedges
from proxy.model.call import Call
from proxy.model.endpoint import Endpoint
from proxy.model.meter import Tried
from proxy.model.plan import Plan
from proxy.policy.hedge_rules import extra_cost
from proxy.units import NanoDollars, Seconds


class Consent:
    """Who is asked for a call's hedge, and told what came of it: `live.hedges`."""

    __slots__ = ("_booked", "_call", "_clock", "_hedges", "_plan", "_primary")

    def __init__(
        self, call: Call, plan: Plan, hedges: Hedges, clock: Callable[[], Seconds]
    ) -> None:
        self._call = call
        self._plan = plan
        self._hedges = hedges
        self._clock = clock
        self._primary: Endpoint | None = None
        self._booked = NanoDollars(0)

    def late(self, primary: Endpoint, *, was_late: bool) -> None:
        """Tell whether an attempt that might be hedged was silent for too long."""
        if not self._plan.own_delay:
            self._hedges.late(self._clock(), primary, was_late)

    def refusal(self, primary: Endpoint, target: Endpoint) -> str:
        """Why `target` may not be asked besides `primary`; empty: it may, and is counted."""
        self._primary = primary
        self._booked = max(extra_cost(self._call, one) for one in (primary, target))
        return self._hedges.ask(
            primary, target, self._booked, self._clock(),
            cost_max=self._plan.hedge_cost_max,
        )  # fmt: skip

    def over(self, trail: Sequence[Tried]) -> None:
        """Tell what came of the hedge, if there was one; every attempt has ended."""
        hedge = next((tried for tried in trail if tried.hedge), None)
        if hedge is None:
            return
        hedges, now, booked = self._hedges, self._clock(), self._booked
        primary = next(t for t in trail if t.endpoint is self._primary and not t.hedge)
        if hedge.outcome == "won":
            silence_s = primary.waited_s if primary.outcome == "lost" else None
            cost = NanoDollars(primary.cost)
            hedges.won(
                primary.endpoint, hedge.endpoint, now, booked=booked, cost=cost, silence_s=silence_s
            )
        else:
            failed = hedge.outcome not in {"lost", "cancelled"}
            cost = NanoDollars(hedge.cost)
            hedges.lost(
                primary.endpoint, hedge.endpoint, now, booked=booked, cost=cost, failed=failed
            )
