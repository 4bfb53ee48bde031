"""What was delivered so far, and what it costs: filled by race and relay, read by settle."""

from typing import Literal

import msgspec

from proxy.model.endpoint import Endpoint
from proxy.model.event import (
    Charged,
    Event,
    Finished,
    Image,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)
from proxy.model.observation import Fault
from proxy.units import Seconds

CostBasis = Literal["none", "reported", "estimated", "worst_case"]
"""The provider's own count; ours of what was sent and heard; or all that it may have produced."""
End = Literal["broken", "complete", "failed_upstream", "left"]
"""How a reply ended. "left": by its client, who pays for what was delivered; "broken": by a fault of
ours, as every reply counts until it ends otherwise."""


SAID: frozenset[type] = frozenset((Text, Reasoning, Refusal))
"""What is counted by its bytes."""


class Delivered(msgspec.Struct):
    """What one attempt's reply held; each attempt has its own, the winner's counts."""

    output_bytes: int = 0
    """UTF-8 bytes of text, reasoning and arguments; the basis of our own count."""
    finish_reason: str = ""
    usage: Usage | None = None

    def note(self, events: list[Event]) -> int:
        """Take in the events of one frame; returns how many of them are content."""
        content = 0
        for event in events:
            kind = type(event)
            if kind is Native:  # in the order of how often they come; no event has subclasses
                continue
            if kind in SAID:
                content += 1
                self.output_bytes += len(event.text.encode("utf-8", "replace"))  # type: ignore[union-attr]
            elif isinstance(event, Finished):
                self.finish_reason = event.reason
            elif isinstance(event, Usage):
                self.usage = event
            elif isinstance(event, ToolCall):
                content += 1
                self.output_bytes += len((event.arguments + event.name).encode("utf-8", "replace"))
            elif kind is Image:
                content += 1
        return content


class Tried(msgspec.Struct, frozen=True):
    """One attempt, as told in metadata and counted in metrics."""

    endpoint: Endpoint
    outcome: str
    """"won"; "lost": another one won; "cancelled": nobody waited any more; "failed": it won, and its
    reply broke off; or the error's type."""
    status: int
    """HTTP status that a client would have got from it."""
    began_at: Seconds
    """On the monotonic clock."""
    waited_s: float
    """Spent on it before it won or failed, seconds."""
    hedge: bool = False
    """It was started because of the silence of another."""
    basis: CostBasis = "none"
    """Where the costs are from."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    """What is owed to the provider for it, nano-dollars."""


class Meter(msgspec.Struct):
    """One per call; the only value that several stages write to, in turn."""

    endpoint: Endpoint | None = None
    """Who served; None until the race is won."""
    offer: Endpoint | None = None
    """Who is asked first, then who served: who a failure in a stream is told of."""
    delivered: Delivered = msgspec.field(default_factory=Delivered)
    charge: Charged | None = None
    """The bill, once the reply is complete."""
    end: End = "broken"
    attempts: int = 0
    waited_s: float = 0.0
    """Time spent on providers before commit, seconds; the rest is our own."""
    own_s: float = 0.0
    """Our own share of the time up to the reply's head, seconds."""
    first_byte_s: float | None = None
    """Request received -> reply's head handed to the socket, seconds."""
    trail: list[Tried] = msgspec.field(default_factory=list)
    """Every attempt that ended, in that order."""
    sent_at: Seconds = Seconds(0.0)
    """When the winner's request was sent."""
    ttft_s: float | None = None
    """Winner's request sent -> first content received; seconds, streamed replies only."""
    fault: Fault = "gateway"
    """Whose fault the end was."""
    hedge_after_s: float | None = None
    """Silence after which another attempt was started, seconds; None: none was, because of silence."""
    hedge_skipped: str = ""
    """Why none was, where the first one was silent for long enough."""
