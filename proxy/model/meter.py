"""What was delivered so far, and what it costs: filled by race and relay, read by settle."""

from dataclasses import dataclass, field
from typing import Literal

from proxy.model.endpoint import Endpoint
from proxy.model.event import (
    Charged,
    Event,
    Finished,
    Image,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)

End = Literal["broken", "complete", "failed_upstream", "left"]
"""How a reply ended. "left": by its client, who pays for what was delivered; "broken": by a fault of
ours, as every reply counts until it ends otherwise."""


CONTENT = (Text, Reasoning, Refusal)


@dataclass(slots=True)
class Delivered:
    """What one attempt's reply held; each attempt has its own, the winner's counts."""

    output_bytes: int = 0
    """UTF-8 bytes of text, reasoning and arguments; the basis of our own count."""
    finish_reason: str = ""
    usage: Usage | None = None

    def note(self, events: list[Event]) -> int:
        """Take in the events of one frame; returns how many of them are content."""
        content = 0
        for event in events:
            if isinstance(event, CONTENT):
                content += 1
                self.output_bytes += len(event.text.encode("utf-8", "replace"))
            elif isinstance(event, Image):
                content += 1
            elif isinstance(event, ToolCall):
                content += 1
                self.output_bytes += len((event.arguments + event.name).encode("utf-8", "replace"))
            elif isinstance(event, Usage):
                self.usage = event
            elif isinstance(event, Finished):
                self.finish_reason = event.reason
        return content


@dataclass(slots=True)
class Meter:
    """One per call; the only value that several stages write to, in turn."""

    endpoint: Endpoint | None = None
    """Who served; None until the race is won."""
    delivered: Delivered = field(default_factory=Delivered)
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
    trail: list[tuple[Endpoint, str]] = field(default_factory=list)
    """(endpoint, outcome) of every attempt that ended: "won", or the error's type."""
