"""Which endpoints will be tried: facts gathered, then decided by `policy.planner`."""

from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.plan import Plan
from proxy.policy.planner import make_plan


def plan(call: Call, gateway: Gateway) -> Plan:
    """Plan the race. Raises: UnknownModelError, NoEndpointError, InvalidRequestError."""
    models = [gateway.catalog.resolve(name) for name in call.models]
    return make_plan(
        call, models, gateway.ceilings, attempts_max=gateway.settings.limits.attempts_max
    )
