"""Units of meaning in a reply: the hub that every dialect decodes to and encodes from.

One frame of a provider becomes a list of events. An encoder that finds `Native` of its own dialect
at the head of that list re-emits the document with the fields that must change; any other encoder
ignores it and speaks from the events behind it.

Rule 1: an event refers to nothing that could refer back to it, so the collector of cycles does not look
at events (`gc=False`; but for `Failed`: an exception knows the frames it went through).
"""

from typing import TypeAlias

import msgspec

from proxy.errors import HedgerowError
from proxy.model.document import Document
from proxy.units import NanoDollars


class Native(msgspec.Struct, gc=False):
    """The frame itself, for an encoder of the same dialect."""

    dialect: str
    document: Document


class Started(msgspec.Struct, gc=False):
    """The reply begins; the provider's own id and model."""

    upstream_id: str = ""
    upstream_model: str = ""


class Text(msgspec.Struct, gc=False):
    """Output text, or a piece of it."""

    text: str
    choice: int = 0


class Reasoning(msgspec.Struct, gc=False):
    """Thinking, or a piece of it."""

    text: str
    choice: int = 0
    block: int = 0
    """Which block of thinking of the reply; pieces of one block belong together, in order."""
    summary: bool = False
    """It is a summary of what was thought."""


class ReasoningSealed(msgspec.Struct, gc=False):
    """A block of thinking is complete; what is needed to send it back unaltered."""

    block: int = 0
    signature: str = ""
    encrypted: str = ""
    """The block itself, readable by its provider only; then it had no text."""
    format: str = ""
    """Who can verify it: "anthropic-claude-v1", …; empty: not known."""
    choice: int = 0


class Refusal(msgspec.Struct, gc=False):
    """The model refuses, in its own words, or a piece of them."""

    text: str
    choice: int = 0


class Citation(msgspec.Struct, gc=False):
    """Where something in the text is from."""

    url: str = ""
    title: str = ""
    cited: str = ""
    """The words at the source."""
    start: int | None = None
    """Characters of the text that it belongs to, where known."""
    end: int | None = None
    raw: Document = msgspec.field(default_factory=dict)
    """As the provider sent it."""
    choice: int = 0


class Image(msgspec.Struct, gc=False):
    """A picture that the model made, base64 or by URL."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    choice: int = 0


class ToolCall(msgspec.Struct, gc=False):
    """A piece of a tool call; `id` and `name` in the first piece of an index only."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    choice: int = 0


class Usage(msgspec.Struct, gc=False):
    """Native token counts; prompt includes cached ones, completion includes reasoning."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    estimated: bool = False
    """True: the provider sent none, or none that can be believed; we counted."""
    raw: Document = msgspec.field(default_factory=dict)
    """As the provider sent it; kept with the ledger entry."""


class Finished(msgspec.Struct, gc=False):
    """A choice is complete."""

    reason: str
    """stop | length | tool_calls | content_filter | error"""
    native: str
    """The provider's own word."""
    choice: int = 0
    stop_sequence: str = ""
    """Which of the request's stop sequences ended it, where the provider tells."""


class Failed(msgspec.Struct):
    """The reply ends in an error."""

    error: HedgerowError


class Charged(msgspec.Struct, gc=False):
    """The bill, known when the reply is complete; made by us, never by a provider."""

    usage: Usage
    cost: NanoDollars
    prompt_cost: NanoDollars
    completion_cost: NanoDollars
    routing: Document | None = None
    """`openrouter_metadata`, for clients that asked for it."""


class Echoed(msgspec.Struct, gc=False):
    """The body that a provider was sent, for a client that asked to see it; made by us."""

    body: Document


class Ended(msgspec.Struct, gc=False):
    """The provider's terminator ("[DONE]") was read."""


Event: TypeAlias = (
    Native | Started | Text | Reasoning | ReasoningSealed | Refusal | Citation | Image | ToolCall
    | Usage | Finished | Failed | Charged | Echoed | Ended
)  # fmt: skip
