"""Heads, last pieces and failures, as the client sees them."""

from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError
from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.downstream import Downstream, Headers
from proxy.model.event import Failed
from proxy.model.meter import Meter
from proxy.policy.metadata import routing_document

JSON = b"content-type: application/json\r\n"
STREAM = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\n"
    b"x-accel-buffering: no\r\n"
)
EXPOSED = (
    "X-Generation-Id, X-Hedgerow-Endpoint, X-Hedgerow-Model, X-Hedgerow-Attempts, Server-Timing, "
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
"""Head fields that a page of another origin may read, where keys are required."""
CROSS_ORIGIN = (
    b"access-control-allow-origin: *\r\naccess-control-expose-headers: %b\r\n" % EXPOSED.encode()
)


def served(kind: bytes, call: Call, meter: Meter, gateway: Gateway) -> Headers:
    """Head of a reply: id, attempts, and, once the race is won, who served and how the time was spent.

    `server-timing` has milliseconds; `gateway` is our own share, `hedge` the silence after which
    another attempt was started.
    """
    endpoint = meter.endpoint
    named = hedge = b""
    if meter.hedge_after_s is not None:
        hedge = b", hedge;dur=%.3f" % (meter.hedge_after_s * 1e3)
    if endpoint is not None:
        meter.first_byte_s = gateway.clock() - call.received_at
        meter.own_s = max(meter.first_byte_s - meter.waited_s, 0.0)
        named = (
            b"x-hedgerow-endpoint: %b\r\nx-hedgerow-model: %b\r\n"
            b"server-timing: gateway;dur=%.3f, upstream;dur=%.3f%b\r\n"
            % (
                endpoint.id.encode(), endpoint.model.encode(),
                meter.own_s * 1e3, meter.waited_s * 1e3, hedge,
            )
        )  # fmt: skip
    return b"%bx-generation-id: %b\r\n%bx-hedgerow-attempts: %d\r\n%b" % (
        kind,
        call.generation_id.encode(),
        named,
        meter.attempts,
        CROSS_ORIGIN if gateway.keys else b"",
    )


def begin(downstream: Downstream, call: Call, meter: Meter, gateway: Gateway) -> None:
    """Begin a streamed reply."""
    downstream.start(200, served(STREAM, call, meter, gateway))


async def finish(
    ending: bytes, downstream: Downstream, call: Call, meter: Meter, gateway: Gateway
) -> None:
    """Send the last piece of a stream, or a whole reply."""
    if downstream.started:
        await downstream.end([ending])
    else:
        await downstream.reply(200, served(JSON, call, meter, gateway), ending)


async def refuse(
    error: HedgerowError, downstream: Downstream, dialect: str, call: Call | None, meter: Meter,
    gateway: Gateway,
) -> None:  # fmt: skip
    """Tell the client that it failed: with a status, or, in a stream that has begun, in-band."""
    offer = meter.endpoint or meter.offer
    if call is not None and call.explanation is not None:
        error.routing = routing_document(
            call.explanation, meter.trail, call.received_at, meter.endpoint
        )
    if downstream.started and call is not None and offer is not None:
        if error.source == "upstream":
            error.metadata.setdefault("provider_name", offer.provider.name)
        encoder = DIALECTS[call.dialect].encode_response(call, offer)
        await downstream.end([encoder.feed([Failed(error)])])
        return
    fields = JSON + b"".join(b"%b: %b\r\n" % (n.encode(), v.encode()) for n, v in error.headers)
    if call is not None:
        fields += b"x-generation-id: %b\r\n" % call.generation_id.encode()
    if gateway.keys:
        fields += CROSS_ORIGIN
    body = DIALECTS[dialect].encode_response(call, None).feed([Failed(error)])
    await downstream.reply(error.status, fields, body)
