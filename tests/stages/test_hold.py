"""Money is taken aside for the worst case, before any provider is asked."""

from proxy.model.call import Caller
from proxy.model.plan import Plan
from proxy.stages.hold import hold
from proxy.units import NanoDollars, Seconds
from tests.fakes.downstream import FakeLedger, a_gateway
from tests.fakes.things import an_endpoint


async def test_the_plans_worst_case_is_held_for_the_caller() -> None:
    ledger = FakeLedger()
    plan = Plan((an_endpoint(),), Seconds(1), NanoDollars(77), 5)
    held = hold(Caller("acct"), plan, a_gateway(ledger=ledger))

    assert ("acct", 77, 5) == (held.account, held.amount, held.output_tokens_max)
    assert [("hold", 77)] == ledger.moves
