"""Which providers are live and what they serve: settings and environment over the built-in data.

A built-in provider is live when its variable holds a key, or when the settings name it. The
sandbox stands in for every model only while nothing is live.

Rule 1: a reference to nothing (a provider, a variable, a model) is an error, never skipped: a typo
in `policy.ignore` would send data where the operator forbade it.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from proxy.catalog.builtin import (
    SANDBOX,
    SANDBOX_MODEL,
    Builtin,
    bare_model,
    load_builtin,
    sandbox_endpoints,
)
from proxy.catalog.catalog import Catalog, Listing
from proxy.catalog.configured import configured_models, configured_provider
from proxy.catalog.schema import EndpointFacts, ModelFacts, ProviderFacts, read_prices
from proxy.config import Settings
from proxy.errors import ConfigError, UnknownModelError
from proxy.model.endpoint import Endpoint, Model, Provider, Timeouts

NOTHING = Builtin(providers={}, models={})
ROUTING_SUFFIXES = frozenset(("beta", "exacto", "floor", "nitro"))
"""Behind a model's name they change no more than who serves it; `policy.suffixes` reads them."""

__all__ = ["build_catalog", "load_builtin"]


def build_catalog(settings: Settings, *, environ: Mapping[str, str]) -> Catalog:
    """Decide what can be served.

    Args:
        environ: read for the presence of keys; no secret is kept.
    Raises: ConfigError, one line with the dotted key.
    """
    builtin = load_builtin() if settings.catalog == "builtin" else NOTHING
    live = _live_providers(settings, builtin, environ)
    sandbox = replace(SANDBOX, timeouts=settings.timeouts.over(Timeouts()))
    models = {model.id: model for model in configured_models(settings, builtin, live, sandbox)}
    for facts in builtin.models.values():
        endpoints = _endpoints_of(facts, builtin, live)
        if endpoints and facts.id not in models:
            models[facts.id] = bare_model(facts, endpoints)
    stand_ins = _stand_ins(settings, builtin, sandboxed=not live)
    for facts in stand_ins:
        models.setdefault(facts.id, bare_model(facts, sandbox_endpoints(facts, sandbox)))
    _check_references(settings, builtin, set(models))
    used = {one.provider.id for model in models.values() for one in model.endpoints}
    catalog = Catalog(
        models=models.values(),
        providers=[*live.values(), *([sandbox] if sandbox.id in used else [])],
        aliases=settings.aliases,
        listings=_listings(builtin, models),
        sandboxed=not live,
    )
    _check_arms(settings, catalog)
    return catalog


def _live_providers(
    settings: Settings, builtin: Builtin, environ: Mapping[str, str]
) -> dict[str, Provider]:
    base = settings.timeouts.over(Timeouts())
    live = {
        facts.id: _builtin_provider(facts, base)
        for facts in builtin.providers.values()
        if environ.get(facts.key_env) and facts.id not in settings.providers
    }
    for name, written in settings.providers.items():
        facts = builtin.providers.get(name)
        below = _builtin_provider(facts, base) if facts else None
        live[name] = configured_provider(name, written, below, base=base, environ=environ)
    return live


def _builtin_provider(facts: ProviderFacts, timeouts: Timeouts) -> Provider:
    return Provider(
        id=facts.id,
        name=facts.name,
        dialect=facts.dialect,
        base_url=facts.base_url,
        api_key=f"env:{facts.key_env}",
        auth=facts.auth,
        headers=tuple(facts.headers.items()),
        quirks=frozenset(facts.quirks),
        timeouts=timeouts,
        privacy_policy_url=facts.privacy_policy_url,
        terms_of_service_url=facts.terms_of_service_url,
        status_page_url=facts.status_page_url,
        headquarters=facts.headquarters,
        bills_cancelled=facts.bills_cancelled,
        retains_prompts=facts.retains_prompts,
        trains_on_prompts=facts.trains_on_prompts,
    )


def _endpoints_of(
    model: ModelFacts, builtin: Builtin, live: Mapping[str, Provider]
) -> tuple[Endpoint, ...]:
    return tuple(
        _builtin_endpoint(model, endpoint, facts, live[facts.id])
        for facts in builtin.providers.values()
        if facts.id in live
        for endpoint in facts.endpoints
        if endpoint.model == model.id
    )


def _builtin_endpoint(
    model: ModelFacts, endpoint: EndpointFacts, facts: ProviderFacts, provider: Provider
) -> Endpoint:
    refused = set(facts.unsupported_parameters)
    return Endpoint(
        provider=provider,
        model=model.id,
        upstream_model=endpoint.upstream_model,
        prices=read_prices(endpoint.prices[-1]),
        context_length=endpoint.context_length or model.context_length,
        output_tokens_max=endpoint.output_tokens_max or model.output_tokens_max,
        quantization=endpoint.quantization,
        supported_parameters=tuple(p for p in model.supported_parameters if p not in refused),
        timeouts=provider.timeouts,
        quirks=frozenset(endpoint.quirks),
        tag=endpoint.tag,
        tier=endpoint.tier,
        expected_ttft_s=endpoint.expected_ttft_s,
        expected_throughput=endpoint.expected_throughput,
    )


def _stand_ins(settings: Settings, builtin: Builtin, *, sandboxed: bool) -> list[ModelFacts]:
    """Models the sandbox answers for: all without a live provider, else only its own."""
    if settings.catalog == "none":
        return [load_builtin().models[SANDBOX_MODEL]] if sandboxed else []
    return list(builtin.models.values()) if sandboxed else [builtin.models[SANDBOX_MODEL]]


def _check_references(settings: Settings, builtin: Builtin, served: set[str]) -> None:
    providers = [*builtin.providers, *settings.providers, SANDBOX.id]
    for key, names in (("only", settings.policy.only), ("ignore", settings.policy.ignore)):
        for index, name in enumerate(names):
            _refuse_unknown(name, providers, f"policy.{key}[{index}]", "provider")
    for alias, target in settings.aliases.items():
        _refuse_unknown(target, [*builtin.models, *served], f"aliases.{alias}", "model")
        if alias in builtin.models:
            raise ConfigError(f"aliases.{alias}: is already the id of a model")


def _refuse_unknown(name: str, known: list[str], place: str, what: str) -> None:
    if name not in known:
        raise ConfigError(f"{place}: no {what} {name!r}{_nearest(name, known)}")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f'; the nearest known one is "{close[0]}"' if close else ""


def _check_arms(settings: Settings, catalog: Catalog) -> None:
    """Refuse arms that nothing serves: an experiment that lacks one measures something else."""
    needs = {listing.model.id: listing.needs for listing in catalog.all_models}
    for name, experiment in settings.experiments.items():
        for index, arm in enumerate(experiment.arms):
            bare = ":".join(word for word in arm.model.split(":") if word not in ROUTING_SUFFIXES)
            if arm.model in catalog.models or _is_served(bare, catalog):
                continue
            target = settings.aliases.get(bare, bare)
            keys = " or ".join(needs.get(target, ()))
            why = f"; a key in {keys} would" if keys else _nearest(bare, needs)
            raise ConfigError(
                f"experiments.{name}.arms[{index}].model: nothing serves {target!r}{why}"
            )


def _is_served(name: str, catalog: Catalog) -> bool:
    """Whether a client's name without routing suffixes leads to one model; variants are of a model."""
    try:
        catalog.resolve(name)
    except UnknownModelError:
        base, _, variant = name.rpartition(":")
        try:
            return f"{catalog.resolve(base).id}:{variant}" in catalog.models
        except UnknownModelError:
            return False
    return True


def _listings(builtin: Builtin, served: Mapping[str, Model]) -> list[Listing]:
    listings = [Listing(model=model, needs=_needs(model, builtin)) for model in served.values()]
    for facts in builtin.models.values():
        if facts.id not in served:
            model = bare_model(facts)
            listings.append(Listing(model=model, needs=_needs(model, builtin)))
    return listings


def _needs(model: Model, builtin: Builtin) -> tuple[str, ...]:
    """Variables that would bring a real provider for `model`; the author's own first."""
    if model.id == SANDBOX_MODEL or any(e.provider.id != SANDBOX.id for e in model.endpoints):
        return ()
    offering = [
        facts
        for facts in builtin.providers.values()
        if any(endpoint.model == model.id for endpoint in facts.endpoints)
    ]
    offering.sort(key=lambda facts: (len(facts.endpoints), facts.id))
    return tuple(facts.key_env for facts in offering)
