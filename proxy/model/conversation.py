"""A request's meaning, whatever dialect it was said in: the hub that encoders of other dialects read.

A dialect makes one only when the provider speaks another dialect; between equals the document itself
is sent on. Everything here is what was said, never what a provider can take: that is the encoder's
to judge, and it names `path` where it refuses.

Rule 1: order is kept, of turns and of parts within a turn. Rule 2: nothing is merged or dropped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from proxy.model.document import Document

Role: TypeAlias = Literal["system", "user", "assistant"]
"""System includes developer. Results of tools stand in user turns, as parts."""


@dataclass(slots=True)
class TextPart:
    """Text."""

    text: str
    cache: Document | None = None
    """Marks the end of a prefix to cache: {"type": "ephemeral", "ttl"?: "5m" | "1h"}."""
    path: str = "$"


@dataclass(slots=True)
class ImagePart:
    """An image, by `url` or as base64 `data` of `media_type`."""

    media_type: str = ""
    """"image/png"; empty where only the URL is known."""
    data: str = ""
    url: str = ""
    detail: str = ""
    """low | high | auto, or empty."""
    cache: Document | None = None
    path: str = "$"


@dataclass(slots=True)
class FilePart:
    """A document: by `url`, as base64 `data`, as plain `text`, or as a provider's `file_id`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    text: str = ""
    file_id: str = ""
    name: str = ""
    cache: Document | None = None
    path: str = "$"


@dataclass(slots=True)
class AudioPart:
    """Sound as base64 `data`."""

    data: str
    format: str
    """wav | mp3 | …"""
    path: str = "$"


@dataclass(slots=True)
class ReasoningPart:
    """Thinking of an earlier turn, to be sent back as it came."""

    text: str = ""
    signature: str = ""
    encrypted: str = ""
    """Thinking that only its provider can read; then there is no text."""
    summary: bool = False
    """`text` is a summary of it."""
    format: str = ""
    """Who can verify it: "anthropic-claude-v1", …; empty: not known."""
    path: str = "$"


@dataclass(slots=True)
class ToolCallPart:
    """A call that the model made."""

    id: str
    name: str
    arguments: str
    """JSON text of an object; "" is taken for "{}"."""
    cache: Document | None = None
    path: str = "$"


@dataclass(slots=True)
class ToolResultPart:
    """What a tool answered to a call."""

    id: str
    """Of the call."""
    parts: "list[Part]" = field(default_factory=list)
    """Text, images, files."""
    is_error: bool = False
    cache: Document | None = None
    path: str = "$"


@dataclass(slots=True)
class RefusalPart:
    """The model's refusal in an earlier turn."""

    text: str
    path: str = "$"


@dataclass(slots=True)
class NativePart:
    """A part that only one dialect knows; other dialects refuse it."""

    dialect: str
    document: Document
    path: str = "$"


Part: TypeAlias = (
    TextPart | ImagePart | FilePart | AudioPart | ReasoningPart | ToolCallPart | ToolResultPart
    | RefusalPart | NativePart
)  # fmt: skip


@dataclass(slots=True)
class Turn:
    """One message."""

    role: Role
    parts: list[Part]
    name: str = ""
    """Of the participant, where the client told one."""
    path: str = "$"


@dataclass(slots=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str = ""
    schema: Document = field(default_factory=dict)
    """JSON schema of its arguments; empty: an object of anything."""
    strict: bool | None = None
    cache: Document | None = None
    path: str = "$"


@dataclass(slots=True)
class NativeTool:
    """A tool that a provider runs or knows by itself; other dialects refuse it."""

    dialect: str
    document: Document
    path: str = "$"


@dataclass(slots=True)
class ToolChoice:
    """Which tools may or must be called."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""
    """For "tool"."""


@dataclass(slots=True)
class Thinking:
    """How much the model shall think; all None: not said."""

    enabled: bool | None = None
    effort: str | None = None
    """minimal | low | medium | high | xhigh | max | none"""
    budget: int | None = None
    """Tokens."""
    exclude: bool = False
    """Think, but do not show it."""


@dataclass(slots=True)
class AnswerFormat:
    """What shape the answer must have."""

    kind: Literal["json_object", "json_schema"]
    name: str = "answer"
    schema: Document = field(default_factory=dict)
    strict: bool | None = None


@dataclass(slots=True)
class Conversation:
    """A request for one reply."""

    turns: list[Turn]
    tools: Sequence[Tool | NativeTool] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    """False: at most one call per turn."""
    output_tokens_max: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    thinking: Thinking | None = None
    answer_format: AnswerFormat | None = None
    user: str = ""
    service_tier: str = ""
    extras: Document = field(default_factory=dict)
    """Settings by their OpenAI names that the hub has no word for: seed, penalties, logit_bias,
    logprobs, n, min_p, …; who cannot take them leaves them out, as the API says."""
