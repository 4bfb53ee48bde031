"""The shape of the built-in files: `providers/<id>.toml` and `models/<author>.toml`.

Rule 1: a vendor is data; where one deviates, the deviation has a name in QUIRKS and code tests that.
Rule 2: prices are dated and appended, never overwritten; the last of a list counts.
"""

from hashlib import sha256
from typing import Literal

import msgspec

from proxy.config import Auth, PriceSettings
from proxy.model.endpoint import Prices, Tier
from proxy.units import NanoDollarsPerMillion, price_from_usd

DIALECT_AUTH: dict[str, Auth] = {"anthropic-messages": "x-api-key"}
"""Where a provider of this dialect expects its key, unless it says otherwise; all others: bearer."""
QUIRKS = {
    "adaptive_thinking": "takes `thinking.type` adaptive with an effort, and no token budget",
    "cache_control": "takes `cache_control` marks in OpenAI's dialect",
    "echo_reasoning": "wants its own thinking of earlier turns back, as `reasoning_content`",
    "drop_obfuscation": "pads stream chunks with `obfuscation`; it is asked not to, by option",
    "max_completion_tokens": "refuses `max_tokens`; the cap is sent as `max_completion_tokens`",
    "max_tokens": "does not know `max_completion_tokens`; the cap is sent as `max_tokens`",
    "native_reasoning": "takes the object `reasoning` as it is; others get `reasoning_effort`",
    "no_stream_options": "refuses `stream_options`; sends usage without being asked",
}
"""Every deviation a provider may declare, and what it means."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of a built-in file."""


class DatedPrices(Table, frozen=True):
    """Prices from a day on; USD per million tokens, decimal strings."""

    since: str
    """ISO date on which they were first seen; goes into ledger entries as their version."""
    prompt: str
    completion: str
    cache_read: str | None = None
    cache_write: str | None = None
    request: str | None = None
    """USD per million requests."""


class EndpointFacts(Table, frozen=True):
    """One model at one provider."""

    model: str
    """Our id."""
    upstream_model: str
    prices: tuple[DatedPrices, ...]
    """Oldest first; at least one."""
    context_length: int | None = None
    """None: the model's."""
    output_tokens_max: int | None = None
    """None: the model's."""
    quantization: str | None = None
    quirks: tuple[str, ...] = ()
    """Deviations of this model, besides its provider's."""
    tag: str = ""
    tier: Tier | None = None
    """Service tier that these prices are for."""
    expected_ttft_s: float | None = None
    expected_throughput: float | None = None


class ProviderFacts(Table, frozen=True):
    """A provider, and what it serves."""

    id: str
    name: str
    base_url: str
    dialect: str
    key_env: str
    """Environment variable whose presence makes this provider live."""
    source_url: str
    """Where its models and prices are documented."""
    checked: str
    """ISO date of the last look."""
    headquarters: str | None = None
    """ISO 3166 alpha-2."""
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    status_page_url: str | None = None
    retains_prompts: bool | None = None
    """None: not known, treated as True where it matters."""
    trains_on_prompts: bool | None = None
    """None: not known, treated as True where it matters."""
    bills_cancelled: bool = False
    """It is known to bill a stream in full that was cancelled."""
    auth: Auth = "bearer"
    """In which header field the key is sent."""
    headers: dict[str, str] = {}
    """Further request headers, no secrets."""
    quirks: tuple[str, ...] = ()
    unsupported_parameters: tuple[str, ...] = ()
    """Request fields this provider refuses or ignores, whatever the model."""
    endpoints: tuple[EndpointFacts, ...] = ()


class ModelFacts(Table, frozen=True):
    """A model, whoever serves it."""

    id: str
    name: str
    created: int
    """Unix seconds of its release."""
    context_length: int
    """Tokens, prompt and output together."""
    description: str = ""
    output_tokens_max: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    tokenizer: str = "Other"
    supported_parameters: tuple[str, ...] = ()
    knowledge_cutoff: str | None = None
    hugging_face_id: str | None = None
    distillable: bool | None = None


class ModelFile(Table, frozen=True):
    """`models/<author>.toml`."""

    models: tuple[ModelFacts, ...]


def read_prices(prices: PriceSettings | DatedPrices | Literal["free"]) -> Prices:
    """Turn written prices into integers, with the version that ledger entries name.

    The version is the date of built-in prices and a digest of configured ones.

    Raises: ValueError for a price that is not a decimal in range.
    """
    if prices == "free":
        nothing = NanoDollarsPerMillion(0)
        return Prices(prompt=nothing, completion=nothing, version="free")
    return Prices(
        prompt=price_from_usd(prices.prompt),
        completion=price_from_usd(prices.completion),
        cache_read=_optional(prices.cache_read),
        cache_write=_optional(prices.cache_write),
        request=price_from_usd(prices.request or "0"),
        version=prices.since if isinstance(prices, DatedPrices) else _digest(prices),
    )


def _optional(text: str | None) -> NanoDollarsPerMillion | None:
    return None if text is None else price_from_usd(text)


def _digest(prices: PriceSettings) -> str:
    return "config-" + sha256(msgspec.json.encode(prices)).hexdigest()[:12]
