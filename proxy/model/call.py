"""A decoded request: what the client wants, whatever dialect it said it in."""

from collections.abc import Callable
from typing import Literal

import msgspec

from proxy.model.conversation import Conversation
from proxy.model.document import Document
from proxy.model.explanation import Explanation
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


GUARDED = STRIPPED | {
    "model", "models", "messages", "prompt", "system", "stream", "stream_options", "n", "best_of",
    "max_tokens", "max_completion_tokens",
}  # fmt: skip
"""Fields that `provider.options` cannot set: who is asked, what, and how much it may cost."""


def nothing_said() -> Conversation:
    """For calls that are never translated."""
    return Conversation([])


class Call(msgspec.Struct):
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
    preferences: Document = msgspec.field(default_factory=dict)
    """The `provider` object of the request."""
    options: dict[str, Document] = msgspec.field(default_factory=dict)
    """`provider.options`: body fields by provider id, for that provider only."""
    ours: Document = msgspec.field(default_factory=dict)
    """Other fields that speak to the gateway: route, weights, session_id, debug, …"""
    session: str = ""
    """The conversation's own name: `session_id`, `x-session-id` or `prompt_cache_key`."""
    requested: str = ""
    """The first model as the client named it, also where an experiment chose another."""
    sticky: str = ""
    """Key under which the endpoint that serves is remembered; empty: it is not."""
    arm: str = ""
    """ "experiment/arm" whose results this call counts for; empty: none."""
    explained: bool = False
    """Whether the client asked for `openrouter_metadata`."""
    explanation: Explanation | None = None
    """Then why it was planned as it was."""
    echoes: list[bytes] | None = None
    """Bodies as they were sent to providers, where the client asked to see them; None: it did not."""
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


def with_options(call: Call, provider: str, body: Document) -> Document:
    """`body` with what the client wants that very provider to get."""
    own = {k: v for k, v in call.options.get(provider, {}).items() if k not in GUARDED}
    return {**body, **own}
