"""The models that can be served, arranged to be searched: filters and orders of GET /models; pure.

Rule 1: what a model looks like is encoded once, when the shelf is built, never per request.
Rule 2: filters are joined by "and". Within one filter, parameters and input modalities must all be
there; of output modalities, authors and providers one is enough.
Rule 3: every order is stable; models without data for it keep the catalogue's order, at the end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import orjson

from proxy.console.api.presentation import cheapest, present_model, supported_parameters
from proxy.model.endpoint import Model
from proxy.units import NanoDollarsPerMillion

DEFAULT_OUTPUTS = frozenset({"text"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One model, and what it is searched by."""

    model: Model
    encoded: bytes
    """The JSON object of GET /models."""
    text: str
    """Id, name and description in lower case."""
    author: str
    providers: frozenset[str]
    """Ids and names in lower case."""
    parameters: frozenset[str]
    price_prompt: NanoDollarsPerMillion
    price_sum: int
    """Prompt and completion together, of the cheapest endpoint; nano-dollars per million."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a client looks for; empty sets and None match everything."""

    text: str = ""
    context_length_min: int = 0
    price_min: NanoDollarsPerMillion | None = None
    """Bound of the prompt price; included."""
    price_max: NanoDollarsPerMillion | None = None
    parameters: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = DEFAULT_OUTPUTS
    authors: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()


Order = Callable[[Entry], int]

ORDERS: dict[str, Order | None] = {
    "newest": lambda entry: -entry.model.created,
    "pricing-low-to-high": lambda entry: entry.price_sum,
    "pricing-high-to-low": lambda entry: -entry.price_sum,
    "context-high-to-low": lambda entry: -entry.model.context_length,
    # Known to the API, but we have no data for them (yet): the catalogue's order.
    "most-popular": None,
    "top-weekly": None,
    "throughput-high-to-low": None,
    "latency-low-to-high": None,
    "intelligence-high-to-low": None,
    "coding-high-to-low": None,
    "agentic-high-to-low": None,
    "design-arena-elo-high-to-low": None,
}
"""Values of `sort`."""


def shelve(models: Iterable[Model]) -> tuple[Entry, ...]:
    """Arrange the models that have an endpoint, in the given order."""
    return tuple(_entry(model) for model in models if model.endpoints)


def select(shelf: Sequence[Entry], filters: Filters, sort: str = "") -> list[Entry]:
    """The entries that match, in the order `sort` (a key of ORDERS, or "")."""
    found = [entry for entry in shelf if _matches(entry, filters)]
    order = ORDERS.get(sort)
    if order is not None:
        found.sort(key=order)
    return found


def _entry(model: Model) -> Entry:
    top = cheapest(model.endpoints).prices
    providers = [endpoint.provider for endpoint in model.endpoints]
    return Entry(
        model=model,
        encoded=orjson.dumps(present_model(model)),
        text=f"{model.id}\n{model.name}\n{model.description}".lower(),
        author=model.id.partition("/")[0].lower(),
        providers=frozenset(word.lower() for p in providers for word in (p.id, p.name)),
        parameters=frozenset(supported_parameters(model)),
        price_prompt=top.prompt,
        price_sum=top.prompt + top.completion,
    )


def _matches(entry: Entry, filters: Filters) -> bool:
    return (
        filters.text in entry.text
        and entry.model.context_length >= filters.context_length_min
        and (filters.price_min is None or entry.price_prompt >= filters.price_min)
        and (filters.price_max is None or entry.price_prompt <= filters.price_max)
        and filters.parameters <= entry.parameters
        and filters.inputs.issubset(entry.model.input_modalities)
        and _one_of(filters.outputs, entry.model.output_modalities)
        and _one_of(filters.authors, (entry.author,))
        and _one_of(filters.providers, entry.providers)
    )


def _one_of(wanted: frozenset[str], there: Iterable[str]) -> bool:
    return not wanted or not wanted.isdisjoint(there)
