"""The `provider` object of a request, and `[policy]`: read, checked, and laid over one another.

Rule 1: unknown keys are ignored, wrong types are refused with the field's path.
Rule 2: a request can only tighten what the operator set.
"""

from functools import lru_cache
from typing import Annotated, Literal

import msgspec
import orjson
from msgspec import Meta

from proxy.errors import InvalidRequestError
from proxy.model.document import Document
from proxy.model.preferences import (
    ANYTHING,
    Cutoffs,
    HedgeTerms,
    Preferences,
    PriceCeiling,
    Quantization,
    Sort,
    SortKey,
)
from proxy.units import NANO, NanoDollars, NanoDollarsPerMillion, Seconds, price_from_usd

NAMES_MAX = 100
"""Longest list of providers; OpenRouter lists about 80."""
FIGURE_MAX = 1e9
"""Largest throughput or latency that may be asked for."""
HEDGE_AFTER_MS_MIN, HEDGE_AFTER_MS_MAX = 50, 60_000
"""Delays that a request may ask for."""
HEDGE_USD_MAX = 10
"""Most that a request may offer for its hedge."""
RACE_MAX = 3
"""Most attempts that may ever start together; as many as a request has in all."""
WHY_CHARACTERS_MAX = 200
"""Of a complaint, which may repeat what it is about."""

Name = Annotated[str, Meta(max_length=100)]
Names = Annotated[list[Name], Meta(max_length=NAMES_MAX)]
Figure = Annotated[float, Meta(ge=0, le=FIGURE_MAX)]
Price = str | float


class WrittenCutoffs(msgspec.Struct):
    """Percentiles, as written."""

    p50: Figure | None = None
    p75: Figure | None = None
    p90: Figure | None = None
    p99: Figure | None = None


class WrittenSort(msgspec.Struct):
    """A key, and how far it reaches."""

    by: SortKey | None = None
    partition: Literal["model", "none"] | None = None


class WrittenPrices(msgspec.Struct):
    """USD per million tokens, or per image and request."""

    prompt: Price | None = None
    completion: Price | None = None
    image: Price | None = None
    audio: Price | None = None
    request: Price | None = None


class WrittenHedge(msgspec.Struct):
    """When, and for how much."""

    after_ms: Annotated[float, Meta(ge=HEDGE_AFTER_MS_MIN, le=HEDGE_AFTER_MS_MAX)] | None = None
    max_extra_cost: Price | None = None
    """USD."""


class WrittenRace(msgspec.Struct):
    """How many."""

    n: Annotated[int, Meta(ge=1, le=RACE_MAX)] | None = None


class Written(msgspec.Struct):
    """The object as clients write it."""

    order: Names | None = None
    only: Names | None = None
    ignore: Names | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    quantizations: list[Quantization] | None = None
    sort: SortKey | WrittenSort | None = None
    max_price: WrittenPrices | None = None
    preferred_min_throughput: Figure | WrittenCutoffs | None = None
    preferred_max_latency: Figure | WrittenCutoffs | None = None
    options: dict[str, dict[str, object]] | None = None
    hedge: bool | WrittenHedge | None = None
    race: WrittenRace | None = None


def read_preferences(document: Document) -> Preferences:
    """Read a `provider` object. Raises: InvalidRequestError with the field's path."""
    if not document:
        return ANYTHING
    try:
        body = orjson.dumps(document)
    except (TypeError, ValueError):  # numbers and depths that only the conversion can name
        return _read(document)
    if len(body) > CACHED_BYTES_MAX or b"null" in body:  # NaN and infinity become null
        return _read(document)
    return _read_again(body)


CACHED_BYTES_MAX = 2_048
CACHED_MAX = 1_024
"""Objects remembered: programs send the same few ones all day, and reading one costs 8 us."""


@lru_cache(maxsize=CACHED_MAX)
def _read_again(body: bytes) -> Preferences:
    return _read(orjson.loads(body))


def _read(document: Document) -> Preferences:
    try:
        written = msgspec.convert(document, Written)
    except msgspec.ValidationError as error:
        why, _, path = str(error).rpartition(" - at `$.")
        raise refused(path.rstrip("`"), why[:WHY_CHARACTERS_MAX]) from None
    hedge = written.hedge
    return Preferences(
        order=_names(written.order) or (),
        only=_names(written.only),
        ignore=_names(written.ignore) or (),
        allow_fallbacks=written.allow_fallbacks is not False,
        require_parameters=written.require_parameters is True,
        deny_collection=written.data_collection == "deny",
        zdr=written.zdr is True,
        distillable=written.enforce_distillable_text is True,
        quantizations=None if written.quantizations is None else frozenset(written.quantizations),
        sort=_sort(written.sort),
        price_max=_prices(written.max_price),
        throughput_min=_cutoffs(written.preferred_min_throughput),
        latency_max=_cutoffs(written.preferred_max_latency),
        options=_options(document) if written.options else {},
        hedge=_terms(hedge) if isinstance(hedge, WrittenHedge) else hedge is not False,
        race=_race(written),
    )


def _names(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(name.lower() for name in names))


def _sort(written: SortKey | WrittenSort | None) -> Sort | None:
    """Nothing to sort by leaves the draw; but one order of all models needs something, so their price."""
    if isinstance(written, str):
        return Sort(written)
    if written is None or (written.by is None and written.partition != "none"):
        return None
    return Sort(written.by or "price", written.partition or "model")


def _cutoffs(value: float | WrittenCutoffs | None) -> Cutoffs | None:
    """One number means the median."""
    if value is None:
        return None
    if not isinstance(value, WrittenCutoffs):
        value = WrittenCutoffs(p50=value)
    return Cutoffs(value.p50, value.p75, value.p90, value.p99)


def _prices(written: WrittenPrices | None) -> PriceCeiling | None:
    if written is None:
        return None
    _price(written.image, "image")
    _price(written.audio, "audio")
    request = _price(written.request, "request", per=1_000_000)
    return PriceCeiling(
        _price(written.prompt, "prompt"), _price(written.completion, "completion"), request
    )


def _price(value: Price | None, name: str, *, per: int = 1) -> NanoDollarsPerMillion | None:
    """A ceiling; `per`: how many units the written price is short of a million's."""
    if value is None:
        return None
    text = (
        value if isinstance(value, str) else f"{value:.9f}" if abs(value) <= FIGURE_MAX else "inf"
    )
    try:
        price = price_from_usd(text)
    except ValueError as error:
        raise refused(f"max_price.{name}", str(error)) from None
    return NanoDollarsPerMillion(price * per)


def _terms(written: WrittenHedge) -> HedgeTerms:
    after_ms = written.after_ms
    after_s = None if after_ms is None else Seconds(after_ms / 1000)
    return HedgeTerms(after_s, _amount(written.max_extra_cost))


def _amount(value: Price | None) -> NanoDollars | None:
    """Money, USD."""
    if value is None:
        return None
    try:
        amount = price_from_usd(value if isinstance(value, str) else f"{value:.9f}")
    except ValueError:
        amount = NanoDollarsPerMillion(-1)
    if not 0 <= amount <= HEDGE_USD_MAX * NANO:
        why = f"Expected USD within 0..{HEDGE_USD_MAX}, no finer than 1e-9"
        raise refused("hedge.max_extra_cost", why)
    return NanoDollars(amount)


def _race(written: Written) -> int:
    n = (written.race and written.race.n) or 1
    if n > 1 and written.allow_fallbacks is False and len(written.order or ()) < 2:
        raise refused("race.n", "A race needs a second endpoint, and allow_fallbacks is false")
    return n


def check_race(wanted: Preferences, most: int) -> None:
    """Raises: InvalidRequestError where more attempts shall start together than the operator allows."""
    if wanted.race > most:
        raise refused("race.n", f"At most {most} attempts may start together here")


def _options(document: Document) -> dict[str, Document]:
    options = document.get("options")
    assert isinstance(options, dict)
    return {name.lower(): block for name, block in options.items() if isinstance(block, dict)}


def refused(field: str, why: str) -> InvalidRequestError:
    """An error about `$.provider.<field>`."""
    return InvalidRequestError(
        f"{why} - at `$.provider.{field}`", metadata={"field": f"provider.{field}"}
    )
