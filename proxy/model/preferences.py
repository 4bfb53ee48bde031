"""How a request wants to be routed: its `provider` object, read and checked.

Source of names and defaults: the public OpenRouter API, "Provider routing", 2026-08.
"""

from typing import Literal

import msgspec

from proxy.model.document import Document
from proxy.units import NanoDollars, NanoDollarsPerMillion, Seconds

Quantization = Literal[
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown"
]  # fmt: skip
SortKey = Literal["price", "throughput", "latency", "exacto"]


class Sort(msgspec.Struct, frozen=True):
    """A fixed order instead of a draw."""

    by: SortKey
    partition: Literal["model", "none"] = "model"
    """Within each model in turn, or across all of them."""


class Cutoffs(msgspec.Struct, frozen=True):
    """Values that percentiles must reach; None: not asked."""

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None


class PriceCeiling(msgspec.Struct, frozen=True):
    """Dearest prices accepted; None: any."""

    prompt: NanoDollarsPerMillion | None = None
    completion: NanoDollarsPerMillion | None = None
    request: NanoDollarsPerMillion | None = None
    """For a million requests."""


class HedgeTerms(msgspec.Struct, frozen=True):
    """What a request says of its hedge; that it does is consent to one on a caller's own key as well."""

    after_s: Seconds | None = None
    """Silence after which a second attempt starts; None: what figures say."""
    cost_max: NanoDollars | None = None
    """What that may cost at most, also at a dearer provider; None: as the settings say."""


class Preferences(msgspec.Struct, frozen=True):
    """One request's wishes, or an operator's ceilings. Names are in lower case."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    """None: any; an empty one lets nothing through."""
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    deny_collection: bool = False
    zdr: bool = False
    distillable: bool = False
    quantizations: frozenset[str] | None = None
    sort: Sort | None = None
    price_max: PriceCeiling | None = None
    throughput_min: Cutoffs | None = None
    """Tokens per second."""
    latency_max: Cutoffs | None = None
    """Seconds to the first token."""
    options: dict[str, Document] = {}
    """Body fields by provider id, for that provider only."""
    hedge: HedgeTerms | bool = True
    """False: no second attempt by silence."""
    race: int = 1
    """Attempts that start together."""


ANYTHING = Preferences()
