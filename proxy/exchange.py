"""The life of one request, told top to bottom: the only module that names every stage."""

from functools import partial

import trio

from proxy.errors import ClientClosedError, HedgerowError, UpstreamError
from proxy.gateway import Gateway
from proxy.model.call import Call, Surface
from proxy.model.downstream import Downstream
from proxy.model.meter import Meter
from proxy.policy.faults import fault_of
from proxy.stages.answer import begin, finish, refuse
from proxy.stages.attempt import Attempt
from proxy.stages.authorize import authorize
from proxy.stages.enrich import enrich
from proxy.stages.hold import hold
from proxy.stages.plan import plan
from proxy.stages.race import Silence, race
from proxy.stages.receive import receive
from proxy.stages.relay import COMMENT, relay
from proxy.stages.settle import settle


async def exchange(gateway: Gateway, downstream: Downstream, dialect: str, surface: Surface) -> int:
    """Serve one inference request; returns the status that the client got.

    Errors are told to the client here; only what `guard` calls a bug, and cancellation, get past.
    """
    call: Call | None = None
    meter = Meter()
    status = 200
    try:
        caller = authorize(downstream, gateway)
        call = enrich(await receive(downstream, gateway, dialect, surface), gateway)
        planned = plan(call, caller, gateway)
        meter.offer = planned.offers[0]
        held = hold(caller, planned, gateway)
        try:
            silence = Silence(partial(_reassure, downstream, call, meter, gateway),
                              gateway.clock, gateway.settings.limits.comment_after_s)  # fmt: skip
            winner = await race(planned, partial(Attempt, call, gateway=gateway), meter, silence,
                                affordable=gateway.live.affordable,
                                hedges=gateway.live.consent(call, planned))  # fmt: skip
            # --- commit: before this line everything may be retried, behind it nothing ---
            if call.stream and not downstream.started:
                begin(downstream, call, meter, gateway)
            ending = await relay(winner, downstream, call, meter, gateway)
        except UpstreamError as error:
            meter.end, meter.fault = "failed_upstream", fault_of(error)
            raise
        except (trio.Cancelled, ClientClosedError):
            meter.end, meter.fault = "left", "client"
            raise
        finally:
            await settle(meter, held, call, gateway)  # noqa: ASYNC102 - it shields itself, with a deadline
        await finish(ending, downstream, call, meter, gateway)
    except HedgerowError as error:
        status = error.status
        await refuse(error, downstream, dialect, call, meter, gateway)
    gateway.statistics.request_finished(
        status=status,
        stream=call is not None and call.stream,
        overhead_s=meter.own_s,
        ttft_s=meter.first_byte_s,
    )
    return status


async def _reassure(downstream: Downstream, call: Call, meter: Meter, gateway: Gateway) -> None:
    """A client that waits for a stream hears that somebody is at work."""
    if call.stream:
        if not downstream.started:
            begin(downstream, call, meter, gateway)
        if not downstream.write([COMMENT]):
            await downstream.drain()
