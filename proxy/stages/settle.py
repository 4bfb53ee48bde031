"""The end of the money's way: post or void, exactly once, whatever happened.

Rule 1: posting is synchronous; waiting for the disk is shielded, with a deadline: a client that
leaves cannot stop it, nor can it hang a shutdown.
Rule 2: free of charge are replies that broke off upstream, or said nothing.
Rule 3: every attempt is told to the ledger; the client pays for one at most, the house for the others.
"""

import trio

from proxy.gateway import Gateway
from proxy.ledger.interface import Entry, Hold, Receipt
from proxy.model.call import Call
from proxy.model.endpoint import Endpoint
from proxy.model.event import Usage
from proxy.model.meter import Meter, Tried
from proxy.model.observation import Observation
from proxy.policy.owing import owed, priced
from proxy.policy.pricing import bill, billable
from proxy.policy.stickiness import activates, worth_it
from proxy.units import NanoDollars, Seconds

SETTLE_MAX_S = 10.0
"""Longer than any group commit; what is not durable by then is the ledger's to recover."""


async def settle(meter: Meter, hold: Hold, call: Call, gateway: Gateway) -> None:
    """Post what was delivered, or void the hold; returns when that is durable."""
    receipt = _settle(meter, hold, call, gateway)
    if receipt is not None:
        with trio.CancelScope(deadline=gateway.clock() + SETTLE_MAX_S, shield=True):
            await receipt.durable()


def _settle(meter: Meter, hold: Hold, call: Call, gateway: Gateway) -> Receipt | None:
    delivered, endpoint, statistics = meter.delivered, meter.endpoint, gateway.statistics
    if meter.end == "left" and endpoint is not None and delivered.output_bytes:
        meter.charge = bill(billable(call, delivered, endpoint), endpoint.prices)
    for place, tried in enumerate(meter.trail):
        statistics.attempt_finished(tried.endpoint, outcome=tried.outcome)
        if tried.outcome == "won":
            meter.trail[place] = _priced(tried, meter, call)
    gateway.ledger.attempts(call.generation_id, hold.account, meter.trail)
    charge = meter.charge
    observed = _observe(meter, call, gateway)
    if call.arm:
        left = meter.end == "left"
        gateway.live.arms.finished(
            call.arm, call.generation_id, observed, account=hold.account, left=left
        )
    if charge is None or endpoint is None:
        return gateway.ledger.void(hold, meter.end)
    usage = charge.usage
    statistics.tokens(usage.prompt_tokens, usage.completion_tokens, charge.cost)
    amount = NanoDollars(min(charge.cost, hold.amount))  # what was held is the most that is taken
    gateway.live.hedges.spent(amount, gateway.clock())
    entry = Entry(
        call.generation_id,
        endpoint.id,
        amount,
        endpoint.prices.version,
        usage.raw,
        usage.estimated,
    )
    return gateway.ledger.post(hold, entry)


def _priced(won: Tried, meter: Meter, call: Call) -> Tried:
    """The attempt that won, with what it costs; it has failed where the client does not pay for it."""
    charge, outcome = meter.charge, "won"
    if charge is not None:
        owing = priced("estimated" if charge.usage.estimated else "reported", charge)
    else:
        owing, outcome = owed(call, won.endpoint, meter.delivered, sent=True), "failed"
    return Tried(
        won.endpoint, outcome, won.status, won.began_at, won.waited_s, won.hedge,
        owing.basis, owing.prompt_tokens, owing.completion_tokens, owing.cost,
    )  # fmt: skip


def _observe(meter: Meter, call: Call, gateway: Gateway) -> Observation | None:
    """Tell live statistics how the winner did; None: there is none."""
    endpoint, now = meter.endpoint, gateway.clock()
    if endpoint is None:
        return None
    observed = _observed(meter, endpoint, call, now)
    gateway.live.observe(observed)
    if call.sticky and meter.charge is not None and meter.end == "complete":
        remembered = activates(session=bool(call.session), usage=meter.charge.usage)
        if remembered and worth_it(endpoint):
            gateway.live.sticky.keep(call.sticky, endpoint.id, now)
    return observed


def _observed(meter: Meter, endpoint: Endpoint, call: Call, now: Seconds) -> Observation:
    """The winner's attempt, as statistics see it."""
    bill, complete = meter.charge, meter.end == "complete"
    usage = NOTHING if bill is None else bill.usage
    return Observation(
        endpoint,
        now,
        "none" if complete else meter.fault,
        streamed=call.stream,
        ttft_s=meter.ttft_s if call.stream else None,
        total_s=now - meter.sent_at if complete else None,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        prompt_cost=0 if bill is None else bill.prompt_cost,
        completion_cost=0 if bill is None else bill.completion_cost,
    )


NOTHING = Usage()
