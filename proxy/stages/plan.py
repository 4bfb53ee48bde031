"""Which endpoints will be tried: the present is fetched here, `policy.inquiry` decides."""

from proxy.gateway import Gateway
from proxy.model.call import Call, Caller
from proxy.model.plan import Plan
from proxy.policy.experiments import choose
from proxy.policy.inquiry import Inquiry, decide, explanation, inquire
from proxy.policy.situation import Present
from proxy.policy.stickiness import conversation_key


def plan(call: Call, caller: Caller, gateway: Gateway) -> Plan:
    """Plan the race; notes on the call what settling will need of it.

    Raises: UnknownModelError, NoEndpointError, InvalidRequestError; UpstreamRateLimitError and
        UpstreamCredentialError where all that could serve rest.
    """
    inquiry = inquiry_of(call, gateway)
    call.options = inquiry.wanted.options
    first = inquiry.targets[0].roster
    if first.caches and len(first.every) > 1:
        call.sticky = conversation_key(caller.account, first.model.id, call.session, call)
    present = at_present(inquiry, gateway)
    attempts_max = gateway.settings.limits.attempts_max
    if call.explained:
        call.explanation = explanation(inquiry, present, attempts_max=attempts_max)
    gateway.live.retries.request(present.now)
    planned = decide(inquiry, present, attempts_max=attempts_max)
    gateway.live.hedges.request(present.now, planned.hedge_skipped)
    return planned


def inquiry_of(call: Call, gateway: Gateway) -> Inquiry:
    """Choose an arm where the call is part of an experiment, then resolve its models.

    Raises: UnknownModelError, NoEndpointError, InvalidRequestError.
    """
    call.requested = call.models[0]
    chosen = choose(call, gateway.settings.experiments, gateway.identities.draw())
    if chosen is not None:
        call.models, call.arm = chosen.models, chosen.arm
    return inquire(call, gateway.catalog, gateway.rosters, gateway.settings.hedging)


def at_present(inquiry: Inquiry, gateway: Gateway) -> Present:
    """What is known now."""
    now, sticky = gateway.clock(), inquiry.call.sticky
    return Present(
        now,
        gateway.live.snapshot,
        gateway.identities.draw(),
        gateway.live.sticky.find(sticky, now) if sticky else None,
    )
