"""How an attempt ended, before commit: a value, not an exception."""

from typing import Protocol

import msgspec

from proxy.errors import HedgerowError
from proxy.model.dialect import Encoder
from proxy.model.downstream import Buffer
from proxy.model.endpoint import Endpoint
from proxy.model.event import Event
from proxy.model.meter import CostBasis, Delivered
from proxy.units import Seconds


class Reply(Protocol):
    """A provider's reply, open or complete. Whoever holds one closes it."""

    def done(self) -> bool:
        """Nothing more will come: ended or failed."""
        ...

    @property
    def failure(self) -> HedgerowError | None:
        """Why the reply broke off."""
        ...

    @property
    def content(self) -> int:
        """Frames with content so far."""
        ...

    async def receive(self) -> list[Buffer]:
        """Wait for more; what the client gets of it. Empty also where `wake_at` interrupted."""
        ...

    def wake_at(self, deadline: float) -> None:
        """Interrupt `receive` soon after `deadline`, seconds on the loop's clock."""
        ...

    def close(self) -> None:
        """Give the connection back if it can serve again, close it otherwise; idempotent."""
        ...


class Opened(msgspec.Struct):
    """An attempt that has something to say."""

    endpoint: Endpoint
    reply: Reply
    delivered: Delivered
    encoder: Encoder
    """What the reply has gone through so far; also writes the bill."""
    held: list[Buffer] = msgspec.field(default_factory=list)
    """Streamed: what the client gets first."""
    events: list[Event] = msgspec.field(default_factory=list)
    """Not streamed: the whole reply."""
    waited_s: float = 0.0
    """Request sent -> these bytes received, seconds."""
    sent_at: Seconds = Seconds(0.0)
    """On the monotonic clock."""


class Owed(msgspec.Struct, frozen=True):
    """What a provider is owed for one attempt."""

    basis: CostBasis = "none"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    """Nano-dollars."""


NOTHING = Owed()


class Failure(msgspec.Struct, frozen=True):
    """An attempt that did not open."""

    endpoint: Endpoint
    error: HedgerowError
    retry_after_s: float | None = None
    """The provider's own hint, seconds."""
    waited_s: float = 0.0
    """How long the attempt took, seconds."""
    began_at: Seconds = Seconds(0.0)
    """On the monotonic clock."""
    sent: bool = False
    """The provider may have seen the request; if not, another attempt costs nothing."""
    owed: Owed = NOTHING
    """What it costs nevertheless."""


class Dropped(msgspec.Struct, frozen=True):
    """An attempt that we ended: another one won, or nobody waits any more."""

    endpoint: Endpoint
    began_at: Seconds
    """On the monotonic clock."""
    waited_s: float
    """How long it took, seconds."""
    owed: Owed
