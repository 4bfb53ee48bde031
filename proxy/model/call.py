"""A decoded request: what the client wants, whatever dialect it said it in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from proxy.model.conversation import Conversation
from proxy.model.document import Document
from proxy.units import Seconds

Surface = Literal["chat", "completions", "messages", "count_tokens"]
"""Which route of a dialect was called; decides the shape of the reply."""


STRIPPED = frozenset((
    "api_base", "base_url", "api_key", "api_version", "api_type", "organization", "extra_headers",
    "custom_llm_provider", "litellm_params", "aws_access_key_id", "aws_secret_access_key",
    "aws_session_token", "aws_region_name", "vertex_credentials", "vertex_project", "vertex_location",
    "azure_ad_token", "proxy", "http_client", "mock_response",
))  # fmt: skip
"""Fields that look like routing or credentials: a gateway that forwarded them could be steered."""


def nothing_said() -> Conversation:
    """For calls that are never translated."""
    return Conversation([])


@dataclass(slots=True)
class Call:
    """One inference request."""

    dialect: str
    surface: Surface
    body: Document
    """The request as decoded, without routing fields; unknown fields are still in it."""
    models: tuple[str, ...]
    """Models asked for, best first, as the client named them; 1..4."""
    stream: bool = False
    output_tokens_max: int | None = None
    """The client's own cap, tokens."""
    prompt_bytes: int = 0
    """Size of the request body; the prompt's token count is estimated from it."""
    converse: Callable[[], Conversation] = nothing_said
    """What the request means, for an encoder of another dialect; may raise InvalidRequestError with
    the path of what cannot be understood."""
    native_headers: bytes = b""
    """Header lines for a provider of the same dialect, by what the client said."""
    preferences: Document = field(default_factory=dict)
    """The `provider` object of the request."""
    generation_id: str = ""
    """"gen-<unix seconds>-<20 characters>"."""
    created: int = 0
    """Unix seconds; stands in every reply chunk."""
    received_at: Seconds = Seconds(0.0)
    """Monotonic seconds when the request's last byte was read."""


class Caller(msgspec.Struct, frozen=True):
    """Who calls, and what they may do."""

    account: str
    """Ledger account; "open" where there are no keys."""
    key_hash: str = ""
    """SHA-256 of the key, hexadecimal; empty in open mode."""
