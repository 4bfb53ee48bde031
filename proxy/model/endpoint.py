"""What can serve a call: provider x model x region x credential, with its price."""

from dataclasses import dataclass, field
from typing import Literal

from proxy.units import NanoDollarsPerMillion, Seconds


@dataclass(frozen=True, slots=True)
class Prices:
    """Nano-dollars per million units; all zero only where `prices = "free"` was written."""

    prompt: NanoDollarsPerMillion
    completion: NanoDollarsPerMillion
    cache_read: NanoDollarsPerMillion | None = None
    """Cached prompt tokens; None: as `prompt`."""
    cache_write: NanoDollarsPerMillion | None = None
    """Prompt tokens written to a cache; None: as `prompt`."""
    request: NanoDollarsPerMillion = NanoDollarsPerMillion(0)
    """For a million requests."""
    version: str = ""
    """Date or digest of the list this came from; goes into every ledger entry."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines of one attempt; seconds."""

    connect_s: Seconds = Seconds(5.0)
    """Resolving, connecting and TLS together."""
    first_token_s: Seconds = Seconds(60.0)
    """Request sent -> first token (streamed)."""
    idle_s: Seconds = Seconds(60.0)
    """Longest silence between two pieces of content; comments do not count."""
    total_s: Seconds = Seconds(600.0)
    """The whole attempt; for a reply that is not streamed, also the time to its last byte."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A company, or a server of the operator's own."""

    id: str
    name: str
    """As shown in replies: "DeepInfra"."""
    dialect: str
    """Name in `dialects.registry`."""
    base_url: str
    """Scheme, authority and path prefix; no trailing slash. "sandbox:" is answered in-process."""
    api_key: str | None = None
    """Where the secret is: "env:NAME" or "file:PATH". Never the secret."""
    auth: Literal["bearer", "x-api-key"] = "bearer"
    """In which header field it is sent: `authorization`, or one of its own."""
    headers: tuple[tuple[str, str], ...] = ()
    """Extra request headers, fixed by the operator."""
    quirks: frozenset[str] = frozenset()
    """Documented deviations; names are listed in `catalog.schema.QUIRKS`."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    ca_file: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    """http URL of a proxy, "env:NAME" of a variable holding one, "none", or None: as `HTTPS_PROXY`,
    `HTTP_PROXY` and `NO_PROXY` say."""
    parser: Literal["fast", "strict"] = "fast"
    """Who reads its replies: llhttp behind our own checks, or h11."""
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    status_page_url: str | None = None
    headquarters: str | None = None
    retains_prompts: bool | None = None
    """True: keeps prompts for some time; None: not known, treated as True by `zdr`."""
    trains_on_prompts: bool | None = None
    """True: may train on prompts; None: not known, treated as True by `data_collection = "deny"`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can serve one model."""

    provider: Provider
    model: str
    """Our model id, "author/slug"."""
    upstream_model: str
    """The provider's own name for it."""
    prices: Prices
    context_length: int
    """Tokens, prompt and output together."""
    output_tokens_max: int | None = None
    quantization: str | None = None
    supported_parameters: tuple[str, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    tag: str = ""
    """Distinguishes several endpoints of one provider for one model: "fast", "fp8"."""
    quirks: frozenset[str] = frozenset()
    """Deviations of this model there; its provider's are added."""

    id: str = ""
    """Stable name for headers, logs and statistics: "provider/tag:model"; made from the parts."""

    def __post_init__(self) -> None:
        """Name it once: the name stands in every reply's head."""
        tag = f"/{self.tag}" if self.tag else ""
        object.__setattr__(self, "id", f"{self.provider.id}{tag}:{self.model}")
        object.__setattr__(self, "quirks", self.provider.quirks | self.quirks)


@dataclass(frozen=True, slots=True)
class Model:
    """What a client asks for."""

    id: str
    name: str
    created: int
    """Unix seconds of listing."""
    context_length: int
    endpoints: tuple[Endpoint, ...]
    description: str = ""
    output_tokens_max: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    tokenizer: str = "Other"
    supported_parameters: tuple[str, ...] = ()
    knowledge_cutoff: str | None = None
    hugging_face_id: str | None = None
