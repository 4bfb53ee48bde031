"""How many tokens a request has: a provider's count where one can be asked, else our own estimate.

Source of the estimate: `policy.pricing.BYTES_PER_TOKEN`; exact ones come with tokenizers.
Rule 1: a count is neither held for nor charged. Rule 2: a provider is asked in the client's own words or
not at all; one that fails is as good as none.
"""

from functools import partial

import msgspec
import orjson
import trio

from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError, ShedError, UpstreamError, UpstreamRefusedError
from proxy.gateway import Gateway
from proxy.model.call import Call, Caller
from proxy.model.downstream import Downstream
from proxy.model.event import Usage
from proxy.model.meter import Meter
from proxy.policy.pricing import BYTES_PER_TOKEN
from proxy.stages.answer import JSON, refuse
from proxy.stages.attempt import Attempt
from proxy.stages.authorize import authorize
from proxy.stages.enrich import enrich
from proxy.stages.plan import plan
from proxy.stages.race import Silence, race
from proxy.stages.receive import parse


async def count(gateway: Gateway, downstream: Downstream, dialect: str) -> None:
    """Answer how many tokens a request has; it is checked like any other."""
    try:
        caller = authorize(downstream, gateway)
        body = await downstream.body(gateway.settings.limits.body_bytes_max)
        document = parse(body)
        document.setdefault("max_tokens", 1)  # a request for a reply needs it, one for a count not
        call = DIALECTS[dialect].decode_request(document, "count_tokens", downstream.head.headers)
        call.prompt_bytes, call.received_at = len(body), gateway.clock()
        call.stream = False
        tokens = await _ask(enrich(call, gateway), caller, gateway)
        if tokens is None:
            tokens = max(len(body) // BYTES_PER_TOKEN, 1)
        await downstream.reply(200, JSON, orjson.dumps({"input_tokens": tokens}))
    except HedgerowError as error:
        await refuse(error, downstream, dialect, None, Meter(), gateway)


async def _ask(call: Call, caller: Caller, gateway: Gateway) -> int | None:
    """A provider's count; None: nobody who speaks the client's dialect gives one.

    Raises: UpstreamRefusedError where the request is not one; what planning raises.
    """
    planned = plan(call, caller, gateway)
    offers = tuple(one for one in planned.offers if one.provider.dialect == call.dialect)
    if not offers:
        return None
    planned = msgspec.structs.replace(planned, offers=offers)
    silence = Silence(trio.lowlevel.checkpoint, gateway.clock, planned.offers[0].timeouts.total_s)
    try:
        counted = await race(planned, partial(Attempt, call, gateway=gateway), Meter(), silence,
                             affordable=gateway.live.affordable)  # fmt: skip
    except UpstreamRefusedError:
        raise
    except (UpstreamError, ShedError):
        return None
    return next((e.prompt_tokens for e in counted.events if isinstance(e, Usage)), None)
