"""One hedge: an estimate is booked when it is asked for, what is owed when it is over."""

from typing import Any

import pytest

from proxy.config.settings import HedgingSettings
from proxy.live.consent import Consent
from proxy.live.hedges import Hedges, HedgeStatistics
from proxy.model.meter import Tried
from proxy.model.plan import Plan
from proxy.policy.hedge_rules import extra_cost
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import a_call, a_provider, an_endpoint

ONE = an_endpoint("one")
TWO = an_endpoint(a_provider("two", bills_cancelled=True))
CALL = a_call(max_tokens=10)
BOOKED = max(extra_cost(CALL, ONE), extra_cost(CALL, TWO))


class Asked:
    """A consent and the budgets behind it."""

    def __init__(self, cost_max: int | None = None) -> None:
        self.hedges = Hedges(HedgingSettings(), lambda: Seconds(5.0))
        plan = Plan(
            (ONE, TWO), Seconds(2.0), NanoDollars(1),
            hedge_cost_max=None if cost_max is None else NanoDollars(cost_max),
        )  # fmt: skip
        self.consent = Consent(CALL, plan, self.hedges, lambda: Seconds(5.0))

    @property
    def found(self) -> HedgeStatistics:
        return self.hedges.statistics()


def tried(endpoint: Any, outcome: str, *, hedge: bool = False, cost: int = 0) -> Tried:
    return Tried(endpoint, outcome, 200, Seconds(1.0), 3.0, hedge, cost=cost)


def test_the_dearer_of_the_two_losses_is_booked_when_it_starts() -> None:
    asked = Asked()

    assert "" == asked.consent.refusal(ONE, TWO)
    assert (1, BOOKED) == (asked.found.fired, asked.found.cost)


def test_a_request_may_allow_less_than_the_operator() -> None:
    asked = Asked(cost_max=BOOKED - 1)

    assert "cost" == asked.consent.refusal(ONE, TWO)
    assert (0, 0) == (asked.found.fired, asked.found.cost)


@pytest.mark.parametrize("was_late", [True, False])
def test_lateness_is_passed_on(was_late: bool) -> None:
    asked = Asked()
    for _ in range(200):
        asked.consent.late(ONE, was_late=was_late)

    assert float(was_late) == asked.found.late_share


@pytest.mark.parametrize(
    ("trail", "counts", "cost"),
    [
        ([tried(TWO, "won", hedge=True), tried(ONE, "lost", cost=70)], (1, 0, 0), 70),
        ([tried(ONE, "timeout", cost=9), tried(TWO, "won", hedge=True)], (1, 0, 0), 9),
        ([tried(ONE, "won"), tried(TWO, "lost", hedge=True, cost=30)], (0, 1, 0), 30),
        ([tried(TWO, "timeout", hedge=True, cost=3), tried(ONE, "won")], (0, 0, 1), 3),
        (
            [tried(ONE, "cancelled", cost=4), tried(TWO, "cancelled", hedge=True, cost=5)],
            (0, 1, 0),
            5,
        ),
    ],
)
def test_what_came_of_it_is_told_with_what_is_owed(
    trail: list[Tried], counts: tuple[int, int, int], cost: int
) -> None:
    asked = Asked()
    asked.consent.refusal(ONE, TWO)
    asked.consent.over(trail)
    found = asked.found

    assert (*counts, cost) == (found.won, found.lost, found.failed, found.cost)


def test_without_a_hedge_there_is_nothing_to_tell() -> None:
    asked = Asked()
    asked.consent.over([tried(ONE, "won"), tried(TWO, "lost", cost=9)])

    assert (0, 0, 0) == (asked.found.won, asked.found.lost, asked.found.cost)
