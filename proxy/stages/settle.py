"""The end of the money's way: post or void, exactly once, whatever happened.

Rule 1: shielded, with a deadline: a client that leaves cannot stop it, nor can it hang a shutdown.
Rule 2: free of charge are replies that broke off upstream, or said nothing.
"""

import trio

from proxy.gateway import Gateway
from proxy.ledger.interface import Entry, Hold
from proxy.model.call import Call
from proxy.model.meter import Meter
from proxy.policy.pricing import bill, billable

SETTLE_MAX_S = 10.0
"""Longer than any group commit; what is not durable by then is the ledger's to recover."""


async def settle(meter: Meter, hold: Hold, call: Call, gateway: Gateway) -> None:
    """Post what was delivered, or void the hold."""
    delivered, endpoint = meter.delivered, meter.endpoint
    if meter.end == "unfinished" and endpoint is not None and delivered.output_bytes:
        meter.charge = bill(billable(call, delivered, endpoint), endpoint.prices)
    with trio.CancelScope(deadline=gateway.clock() + SETTLE_MAX_S, shield=True):
        charge = meter.charge
        if charge is not None and endpoint is not None:
            await gateway.ledger.post(
                hold,
                Entry(
                    generation_id=call.generation_id,
                    endpoint=endpoint.id,
                    amount=charge.cost,
                    price_version=endpoint.prices.version,
                    usage=charge.usage.raw,
                    estimated=charge.usage.estimated,
                ),
            )
        else:
            await gateway.ledger.void(hold, meter.end)
    _observe(meter, gateway)


def _observe(meter: Meter, gateway: Gateway) -> None:
    statistics = gateway.statistics
    for endpoint, outcome in meter.trail:
        statistics.attempt_finished(endpoint, outcome=outcome)
    if meter.charge is not None:
        usage = meter.charge.usage
        statistics.tokens(usage.prompt_tokens, usage.completion_tokens, meter.charge.cost)
