"""Copying the reply to the client, after commit: source -> steps -> sink; without steps, spliced.

Rule 1: nothing here is retried. Rule 2: an end that is a failure is raised, and told in-stream.
Rule 3: the last piece (the bill and the terminator) is returned, not sent: it may leave only when
the money is settled.
"""

from collections.abc import Callable, Sequence

import orjson

from proxy.errors import UpstreamTimeoutError
from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.document import Document
from proxy.model.downstream import Buffer, Downstream
from proxy.model.endpoint import Timeouts
from proxy.model.event import Echoed
from proxy.model.meter import Meter
from proxy.model.outcome import Opened
from proxy.policy.metadata import routing_document
from proxy.policy.pricing import bill, billable
from proxy.units import Seconds

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
            if call.echoes:
                echoes: list[Buffer] = [opened.encoder.feed([_echo(body)]) for body in call.echoes]
                opened.held = echoes + opened.held
            gateway.statistics.stream_opened()
            try:
                await _copy(opened, downstream, gateway, steps)
            finally:
                gateway.statistics.stream_closed()
        else:
            opened.encoder.feed(opened.events)
        if opened.reply.failure is not None:
            raise opened.reply.failure
    finally:
        opened.reply.close()
    meter.charge = bill(billable(call, meter.delivered, endpoint), endpoint.prices)
    meter.end = "complete"
    if call.explanation is not None:
        meter.charge.routing = routing_document(
            call.explanation, meter.trail, call.received_at, endpoint
        )
    return opened.encoder.feed([meter.charge])


def _echo(body: bytes) -> Echoed:
    document: Document = orjson.loads(body)
    return Echoed(document)


async def _copy(
    opened: Opened, downstream: Downstream, gateway: Gateway, steps: Sequence[Step]
) -> None:
    """Pass pieces on until the reply is done; comment on silence; give up on too much of it."""
    reply, clock = opened.reply, gateway.clock
    pace = Pace(clock(), gateway.settings.limits.comment_after_s, opened.endpoint.timeouts)
    buffers = opened.held
    content, wake_at = reply.content, 0.0
    while True:
        for step in steps:
            buffers = step(buffers)
        if buffers and not downstream.write(buffers):
            await downstream.drain()
        if reply.done():
            return
        if wake_at != pace.wake_at:
            wake_at = pace.wake_at
            reply.wake_at(wake_at)
        buffers = await reply.receive()
        now = clock()
        if buffers:
            pace.sent_at = now
            if reply.content != content:
                content, pace.content_at = reply.content, now
        elif now >= wake_at and pace.comment_is_due(now):
            buffers = [COMMENT]


class Pace:
    """When a stream is silent for too long, for a client's patience or for ours; pure."""

    __slots__ = ("_ends_at", "_idle_s", "_quiet_s", "content_at", "sent_at", "wake_at")

    def __init__(self, now: Seconds, quiet_s: float, timeouts: Timeouts) -> None:
        self._quiet_s = quiet_s
        self._idle_s = timeouts.idle_s
        self._ends_at = now + timeouts.total_s
        self.sent_at = self.content_at = now
        self.wake_at = min(now + quiet_s, now + self._idle_s, self._ends_at)
        """When to look again; moved by `comment_is_due` only, so that a lively stream pays nothing."""

    def comment_is_due(self, now: Seconds) -> bool:
        """Look at the clock. Raises: UpstreamTimeoutError where the provider was silent too long."""
        if now >= min(self.content_at + self._idle_s, self._ends_at):
            raise UpstreamTimeoutError("Provider fell silent in the middle of its reply.")
        due = now >= self.sent_at + self._quiet_s
        if due:
            self.sent_at = now
        self.wake_at = min(
            self.sent_at + self._quiet_s, self.content_at + self._idle_s, self._ends_at
        )
        return due
