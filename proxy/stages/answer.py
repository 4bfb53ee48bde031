"""Heads, last pieces and failures, as the client sees them."""

import orjson

from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError
from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.downstream import Downstream
from proxy.model.endpoint import Endpoint
from proxy.model.envelope import error_document
from proxy.model.event import Failed
from proxy.model.meter import Meter

JSON = (b"content-type", b"application/json")
STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
CROSS_ORIGIN = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*, x-generation-id, server-timing, retry-after"),
]


def headers(call: Call | None, meter: Meter | None, gateway: Gateway) -> list[tuple[bytes, bytes]]:
    """What every inference reply says in its head: id, who served, and the gateway's own time."""
    fields: list[tuple[bytes, bytes]] = list(CROSS_ORIGIN) if gateway.keys else []
    if call is None:
        return fields
    fields.append((b"x-generation-id", call.generation_id.encode()))
    if meter is not None and meter.endpoint is not None:
        endpoint = meter.endpoint
        meter.first_byte_s = gateway.clock() - call.received_at
        own_s = meter.own_s = max(meter.first_byte_s - meter.waited_s, 0.0)
        fields += [
            (b"x-hedgerow-endpoint", endpoint.id.encode()),
            (b"x-hedgerow-model", endpoint.model.encode()),
            (b"x-hedgerow-attempts", b"%d" % meter.attempts),
            (
                b"server-timing",
                b"gateway;dur=%.3f, upstream;dur=%.3f" % (own_s * 1e3, meter.waited_s * 1e3),
            ),
        ]
    return fields


def begin(downstream: Downstream, call: Call, meter: Meter, gateway: Gateway) -> None:
    """Begin a streamed reply."""
    downstream.start(200, STREAM + headers(call, meter, gateway))


async def finish(
    ending: bytes, downstream: Downstream, call: Call, meter: Meter, gateway: Gateway
) -> None:
    """Send the last piece of a stream, or a whole reply."""
    if downstream.started:
        await downstream.end([ending])
    else:
        await downstream.reply(200, [JSON, *headers(call, meter, gateway)], ending)


async def refuse(
    error: HedgerowError, downstream: Downstream, call: Call | None, offer: Endpoint | None,
    gateway: Gateway,
) -> None:  # fmt: skip
    """Tell the client that it failed: with a status, or, in a stream that has begun, in-band."""
    if downstream.started and call is not None and offer is not None:
        encoder = DIALECTS[call.dialect].encode_response(call, offer)
        await downstream.end([encoder.feed([Failed(error)])])
        return
    extra = [(name.encode(), value.encode()) for name, value in error.headers]
    fields = [JSON, *extra, *headers(call, None, gateway)]
    await downstream.reply(error.status, fields, orjson.dumps(error_document(error)))
