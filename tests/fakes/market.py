"""A small market for tests of routing: endpoints with prices, what is known of them, plans."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.catalog.catalog import Catalog
from proxy.model.endpoint import Endpoint, Model, Prices
from proxy.model.standing import Quantiles, Rest, RestReason, Snapshot, Standing
from proxy.policy.inquiry import Inquiry, decide, inquire
from proxy.policy.preferences import read_preferences
from proxy.policy.roster import Roster, make_roster
from proxy.policy.situation import Present
from proxy.units import NanoDollarsPerMillion, Seconds
from tests.fakes.things import a_call, a_model, a_provider, an_endpoint

NOW = Seconds(1_000.0)
LATER, EARLIER = Seconds(NOW + 10), Seconds(NOW - 10)
PROVIDER_FIELDS = ("trains_on_prompts", "retains_prompts")


def usd(dollars: float) -> NanoDollarsPerMillion:
    return NanoDollarsPerMillion(round(dollars * 10**9))


def seller(name: str, price: float, completion: float | None = None, **changes: Any) -> Endpoint:
    """An endpoint of the provider `name`; USD per million tokens, completion as prompt unless said."""
    of_provider = {key: changes.pop(key) for key in PROVIDER_FIELDS if key in changes}
    provider = a_provider(name, **of_provider)
    provider = replace(provider, name=changes.pop("shown", provider.name))
    prices = Prices(
        usd(price),
        usd(price if completion is None else completion),
        request=usd(changes.pop("request", 0)),
    )
    return an_endpoint(provider, **{"prices": prices, **changes})


def market(*endpoints: Endpoint, id_: str = "maker/model", **changes: Any) -> Model:
    """A model that these sell."""
    sold = tuple(replace(endpoint, model=id_) for endpoint in endpoints)
    return replace(a_model(), endpoints=sold, id=id_, **changes)


def listed(*models: Model, aliases: Mapping[str, str] | None = None) -> Catalog:
    """A catalogue of them."""
    providers = {e.provider.id: e.provider for model in models for e in model.endpoints}
    return Catalog(models=models, providers=providers.values(), aliases=aliases or {})


def rosters(models: Iterable[Model], ceilings: dict[str, Any] | None = None) -> dict[str, Roster]:
    """By model id, under the operator's ceilings."""
    most = read_preferences(ceilings or {})
    return {model.id: make_roster(model, most) for model in models}


def asking(*models: Model, ceilings: dict[str, Any] | None = None, **fields: Any) -> Inquiry:
    """A request; for the first of the models, unless `model` or `models` is among the fields."""
    body = {"model": models[0].id, **fields}
    return inquire(a_call(**body), listed(*models), rosters(models, ceilings))


def planned(
    *models: Model, present: Present | None = None, attempts_max: int = 9,
    ceilings: dict[str, Any] | None = None, **fields: Any,
) -> list[str]:  # fmt: skip
    """Ids of the endpoints planned for a request, without ":maker/model"."""
    inquiry = asking(*models, ceilings=ceilings, **fields)
    plan = decide(inquiry, present or Present(NOW), attempts_max=attempts_max)
    return [offer.id.removesuffix(":maker/model") for offer in plan.offers]


def knowing(
    *,
    ttft: Mapping[str, float] | None = None,
    throughput: Mapping[str, float] | None = None,
    paid: Mapping[str, tuple[float, float]] | None = None,
    troubled: Iterable[str] = (),
    resting: Mapping[str, RestReason] | None = None,
    until: Seconds = LATER,
) -> Snapshot:
    """A snapshot, by endpoint without ":maker/model"; all four percentiles are the same.

    Args:
        paid: USD per million, of prompts and of output.
        resting: also by provider id, written "provider!".
    """
    figures: dict[str, dict[str, Any]] = {}
    for field, values in (("ttft", ttft or {}), ("throughput", throughput or {})):
        for name, value in values.items():
            figures.setdefault(_id(name), {})[field] = Quantiles(value, value, value, value)
    for name, (prompt, completion) in (paid or {}).items():
        figures.setdefault(_id(name), {}).update(
            prompt_price=prompt * 1e9, completion_price=completion * 1e9
        )
    return Snapshot(
        standings={name: Standing(**fields) for name, fields in figures.items()},
        troubled={_id(name): until for name in troubled},
        resting={_id(name): Rest(until, reason) for name, reason in (resting or {}).items()},
    )


def at(snapshot: Snapshot, *, draw: float = 0.0, sticky: str | None = None) -> Present:
    """That snapshot, now."""
    return Present(NOW, snapshot, draw, None if sticky is None else _id(sticky))


def _id(name: str) -> str:
    return name[:-1] if name.endswith("!") else name if ":" in name else f"{name}:maker/model"


def names(endpoints: Sequence[Endpoint]) -> list[str]:
    """Their providers, with tags."""
    return [endpoint.id.partition(":")[0] for endpoint in endpoints]
