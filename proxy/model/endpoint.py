"""What can serve a call: provider x model x region x credential, with its price."""

from dataclasses import dataclass, field
from typing import Literal

from proxy.units import NanoDollarsPerMillion, Seconds

Tier = Literal["flex", "priority", "ultrafast"]
OwnKey = Literal["first", "last"]

PARAMETERS = frozenset((
    "frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "reasoning", "response_format",
    "seed", "stop", "structured_outputs", "temperature", "tool_choice", "tools", "top_k",
    "top_logprobs", "top_p",
))  # fmt: skip
"""Request parameters that catalogues say or deny of an endpoint, by their OpenAI names. Of others, such as
`verbosity`, silence says nothing. Output caps are not among them: they are money, and always sent."""


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
    prompt_most: NanoDollarsPerMillion = NanoDollarsPerMillion(0)
    """The dearest that a prompt token can be; made from the others."""

    def __post_init__(self) -> None:
        """Compare them once: every plan asks."""
        most = max(self.prompt, self.cache_write or 0, self.cache_read or 0)
        object.__setattr__(self, "prompt_most", NanoDollarsPerMillion(most))


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
class Credential:
    """One of several keys of a provider, and how much of it we use."""

    key: str
    """Where the secret is: "env:NAME" or "file:PATH". Never the secret."""
    rpm: int | None = None
    """Requests sent within any 60 s; None: no limit of ours."""
    tpm: int | None = None
    """Tokens sent within any 60 s: estimated prompt and output cap."""
    max_concurrency: int | None = None
    """Requests in progress."""
    weight: float = 1.0
    """Share of the requests, as long as there is a choice."""

    @property
    def limited(self) -> bool:
        """Whether anything has to be counted."""
        return not (self.rpm is None and self.tpm is None and self.max_concurrency is None)


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
    credentials: tuple[Credential, ...] = ()
    """Several keys instead of `api_key`."""
    credential_waiters_max: int = 100
    """Requests that may wait for one of them."""
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
    bills_cancelled: bool = False
    """True: what it would have said after a client left is billed as well; such attempts are not hedged
    away lightly."""
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
    tier: Tier | None = None
    """Service tier that it is billed at; only who asks for it is served by it. None: the usual one."""
    own_key: OwnKey | None = None
    """Served with a caller's own key: before all others, or when all others failed. None: ours."""
    expected_ttft_s: float | None = None
    """Time to the first token that the catalogue expects, until there are samples; seconds."""
    expected_throughput: float | None = None
    """The same, output tokens per second."""

    id: str = ""
    """Stable name for headers, logs and statistics: "provider/tag:model"; made from the parts."""
    names: frozenset[str] = frozenset()
    """What `order`, `only` and `ignore` may call it, in lower case; a tier only by its tag or tier."""
    withheld: frozenset[str] = frozenset()
    """Parameters of the API that it does not support; empty where that is not known."""

    def __post_init__(self) -> None:
        """Name it once: the name stands in every reply's head."""
        provider, put = self.provider, object.__setattr__
        tag = f"/{self.tag}" if self.tag else ""
        put(self, "id", f"{provider.id}{tag}:{self.model}")
        put(self, "quirks", provider.quirks | self.quirks)
        names = {f"{provider.id}/{part}" for part in (self.tag, self.tier) if part}
        if self.tier is None:
            names |= {provider.id, provider.name}
            names |= {f"{provider.id}/{self.quantization}"} if self.quantization else set()
        put(self, "names", frozenset(name.lower() for name in names))
        listed = self.supported_parameters
        put(self, "withheld", PARAMETERS.difference(listed) if listed else frozenset())


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
    inputs_known: bool = True
    """False: nobody said which kinds of input it takes; text is certain, others are tried."""
    distillable: bool | None = None
    """Whether its author allows other models to be trained on its output; None: not known, a no."""
