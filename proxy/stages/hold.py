"""Money is taken aside before any provider is asked."""

from proxy.gateway import Gateway
from proxy.ledger.interface import Hold
from proxy.model.call import Caller
from proxy.model.plan import Plan


def hold(caller: Caller, plan: Plan, gateway: Gateway) -> Hold:
    """Hold the worst case of the dearest offer; synchronous. Raises: PaymentRequiredError."""
    return gateway.ledger.hold(caller.account, plan.cost_max, plan.output_tokens_max)
