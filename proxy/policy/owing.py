"""What is owed to a provider for an attempt that the client does not pay for.

Rule 1: what a provider has not seen costs nothing; nor does what it refused or broke, unless it sent a
usage. Rule 2: where it says nothing we count ourselves, and rather too much than too little: a
provider that bills on after a cancel may have written all that it was allowed to.
"""

from proxy.model.call import Call
from proxy.model.document import as_count
from proxy.model.endpoint import Endpoint
from proxy.model.event import Charged, Usage
from proxy.model.meter import CostBasis, Delivered
from proxy.model.outcome import NOTHING, Owed
from proxy.policy.pricing import believable, bill, billable

OUTPUT_TOKENS = 1024
"""Taken for the output of who bills on after a cancel, where the request has no cap."""


def owed(
    call: Call, endpoint: Endpoint, delivered: Delivered, *, sent: bool, cut: bool = True
) -> Owed:
    """The cost of an attempt that ended without being paid for.

    Args:
        sent: the provider may have seen the request.
        cut: we ended it; False: the provider did.
    """
    usage = delivered.usage
    if usage is not None and believable(usage, delivered, endpoint):
        return priced("reported", bill(usage, endpoint.prices))
    if not (sent and cut):
        return NOTHING
    counted = billable(call, Delivered(delivered.output_bytes), endpoint)
    if not endpoint.provider.bills_cancelled:
        return priced("estimated", bill(counted, endpoint.prices))
    most = max(_output_tokens(call, endpoint), counted.completion_tokens)
    return priced("worst_case", bill(Usage(counted.prompt_tokens, most), endpoint.prices))


def priced(basis: CostBasis, charged: Charged) -> Owed:
    """A bill, as owed."""
    usage = charged.usage
    return Owed(basis, usage.prompt_tokens, usage.completion_tokens, charged.cost)


def _output_tokens(call: Call, endpoint: Endpoint) -> int:
    most = call.output_tokens_max or OUTPUT_TOKENS
    if endpoint.output_tokens_max is not None:
        most = min(most, endpoint.output_tokens_max)
    return most * max(as_count(call.body.get("n")), as_count(call.body.get("best_of")), 1)
