"""The end of the money's way: post or void, exactly once, whatever happened.

Rule 1: posting is synchronous; waiting for the disk is shielded, with a deadline: a client that
leaves cannot stop it, nor can it hang a shutdown.
Rule 2: free of charge are replies that broke off upstream, or said nothing.
"""

import trio

from proxy.gateway import Gateway
from proxy.ledger.interface import Entry, Hold, Receipt
from proxy.model.call import Call
from proxy.model.meter import Meter
from proxy.policy.pricing import bill, billable
from proxy.units import NanoDollars

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
    for tried, outcome in meter.trail:
        statistics.attempt_finished(tried, outcome=outcome)
    charge = meter.charge
    if charge is None or endpoint is None:
        return gateway.ledger.void(hold, meter.end)
    usage = charge.usage
    statistics.tokens(usage.prompt_tokens, usage.completion_tokens, charge.cost)
    amount = NanoDollars(min(charge.cost, hold.amount))  # what was held is the most that is taken
    entry = Entry(
        call.generation_id,
        endpoint.id,
        amount,
        endpoint.prices.version,
        usage.raw,
        usage.estimated,
    )
    return gateway.ledger.post(hold, entry)
