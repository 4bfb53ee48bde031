"""Copying the reply to the client, after commit: source -> steps -> sink; without steps, spliced.

Rule 1: nothing here is retried. Rule 2: an end that is a failure is raised, and told in-stream.
Rule 3: the last piece (the bill and the terminator) is returned, not sent: it may leave only when
the money is settled.
"""

from collections.abc import Callable, Sequence

import trio

from proxy.errors import UpstreamTimeoutError
from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.downstream import Buffer, Downstream
from proxy.model.meter import Meter
from proxy.model.outcome import Opened
from proxy.policy.pricing import bill, billable

COMMENT = b": HEDGEROW PROCESSING\n\n"

Step = Callable[[list[Buffer]], list[Buffer]]
"""Rewrites what goes to the client, or adds to it; an empty sequence of steps splices."""


async def relay(
    opened: Opened, downstream: Downstream, call: Call, meter: Meter, gateway: Gateway,
    steps: Sequence[Step] = (),
) -> bytes:  # fmt: skip
    """Relay the winner's reply; returns its last piece (streamed) or all of it (not streamed).

    Raises: the upstream's failure, when the reply breaks off; ClientClosedError.
    """
    endpoint = opened.endpoint
    try:
        if call.stream:
            await _copy(opened, downstream, gateway, steps)
        else:
            opened.encoder.feed(opened.events)
        if opened.reply.failure is not None:
            raise opened.reply.failure
    finally:
        opened.reply.close()
    meter.charge = bill(billable(call, meter.delivered, endpoint), endpoint.prices)
    meter.end = "complete"
    return opened.encoder.feed([meter.charge])


async def _copy(
    opened: Opened, downstream: Downstream, gateway: Gateway, steps: Sequence[Step]
) -> None:
    """Pass pieces on until the reply is done; comment on silence; give up on too much of it."""
    reply, clock = opened.reply, gateway.clock
    quiet_s, idle_s = gateway.settings.limits.comment_after_s, opened.endpoint.timeouts.idle_s
    sent_at = content_at = clock()
    ends_at = sent_at + opened.endpoint.timeouts.total_s
    content = reply.content
    buffers = opened.held
    while True:
        for step in steps:
            buffers = step(buffers)
        if buffers and not downstream.write(buffers):
            await downstream.drain()
        if reply.done:
            return
        buffers, full = [], False
        with trio.CancelScope(deadline=min(sent_at + quiet_s, content_at + idle_s, ends_at)):
            while not (reply.done or full or (steps and buffers)):
                buffers = await reply.receive()
                sent_at = clock()
                if reply.content != content:
                    content, content_at = reply.content, sent_at
                if buffers and not steps:
                    full = not downstream.write(buffers)
                    buffers = []
        if full:
            await downstream.drain()
        now = clock()
        if reply.done:
            continue
        if now >= content_at + idle_s or now >= ends_at:
            raise UpstreamTimeoutError("Provider fell silent in the middle of its reply.")
        if now >= sent_at + quiet_s:
            buffers, sent_at = [COMMENT], now
