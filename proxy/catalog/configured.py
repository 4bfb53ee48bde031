"""Providers and models as the operator wrote them, laid over built-in facts of the same id.

Rule 1: what is not said comes from the built-in entry; what neither says is an error or a default
named here. Rule 2: a variable that should hold a key and does not is an error now, not a 502 later.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from proxy.catalog.builtin import Builtin
from proxy.catalog.schema import DIALECT_AUTH, QUIRKS, ModelFacts, read_prices
from proxy.config import DIALECTS, EndpointSettings, ModelSettings, ProviderSettings, Settings
from proxy.config.settings import CredentialSettings
from proxy.errors import ConfigError
from proxy.model.endpoint import Credential, Endpoint, Model, Provider, Timeouts


def configured_provider(
    name: str,
    written: ProviderSettings,
    below: Provider | None,
    *,
    base: Timeouts,
    environ: Mapping[str, str],
) -> Provider:
    """A provider of the settings.

    Args:
        below: the built-in provider of this id, if there is one.
        base: deadlines for everyone.
    Raises: ConfigError, for no URL, an unknown quirk, or a variable that is not set.
    """
    place = f"providers.{name}"
    base_url = written.base_url or (below.base_url if below else None)
    if base_url is None:
        raise ConfigError(f"{place}.base_url: missing, and no built-in provider is called {name!r}")
    for quirk in written.quirks or ():
        if quirk not in QUIRKS:
            known = ", ".join(QUIRKS)
            raise ConfigError(f"{place}.quirks: {quirk!r} is not one of: {known}")
    dialect = written.dialect or DIALECTS[0]
    start = below or Provider(
        id=name,
        name=name,
        dialect=dialect,
        base_url=base_url,
        auth=DIALECT_AUTH.get(dialect, "bearer"),
    )
    provider = replace(
        start,
        name=written.name or start.name,
        dialect=written.dialect or start.dialect,
        base_url=base_url.rstrip("/"),
        api_key=written.api_key or _inherited_key(written, start, environ),
        credentials=tuple(_credential(one) for one in written.credentials),
        credential_waiters_max=written.credential_waiters_max,
        auth=written.auth or start.auth,
        bills_cancelled=start.bills_cancelled
        if written.bills_cancelled is None
        else written.bills_cancelled,
        headers=tuple((dict(start.headers) | written.headers).items()),
        quirks=start.quirks if written.quirks is None else frozenset(written.quirks),
        timeouts=written.timeouts.over(base),
        ca_file=written.ca_file,
        client_cert=written.client_cert,
        proxy=written.proxy,
        parser=written.parser,
    )
    _require_variables(provider, place, environ)
    return provider


def configured_models(
    settings: Settings, builtin: Builtin, live: Mapping[str, Provider], sandbox: Provider
) -> Iterator[Model]:
    """The models of the settings, in order.

    Raises: ConfigError, for a provider that is unknown or without a key, or no context length.
    """
    usable = {**live, sandbox.id: sandbox}
    for index, written in enumerate(settings.models):
        place = f"models[{index}]"
        below = builtin.models.get(written.id)
        known = _facts(written, below, place)
        yield Model(
            id=known.id,
            name=known.name,
            created=known.created,
            context_length=known.context_length,
            endpoints=tuple(
                _endpoint(
                    endpoint,
                    known,
                    _provider(endpoint.provider, f"{place}.endpoints[{i}]", usable, builtin),
                    written,
                )
                for i, endpoint in enumerate(written.endpoints)
            ),
            description=known.description,
            output_tokens_max=known.output_tokens_max,
            input_modalities=known.input_modalities,
            output_modalities=known.output_modalities,
            tokenizer=known.tokenizer,
            supported_parameters=known.supported_parameters,
            knowledge_cutoff=known.knowledge_cutoff,
            hugging_face_id=known.hugging_face_id,
            inputs_known=written.input_modalities is not None or below is not None,
            distillable=known.distillable,
        )


def _inherited_key(
    written: ProviderSettings, start: Provider, environ: Mapping[str, str]
) -> str | None:
    """The built-in variable; but no key is asked for where the URL is the operator's own.

    Nor where several keys take its place.
    """
    if written.credentials:
        return None
    if start.api_key is None or written.base_url is None:
        return start.api_key
    return start.api_key if environ.get(start.api_key.removeprefix("env:")) else None


def _credential(written: CredentialSettings) -> Credential:
    return Credential(
        key=written.key,
        rpm=written.rpm,
        tpm=written.tpm,
        max_concurrency=written.max_concurrency,
        weight=written.weight,
    )


def _require_variables(provider: Provider, place: str, environ: Mapping[str, str]) -> None:
    references = [("api_key", provider.api_key), ("proxy", provider.proxy)]
    references += [(f"headers.{name}", value) for name, value in provider.headers]
    references += [
        (f"credentials[{index}].key", one.key) for index, one in enumerate(provider.credentials)
    ]
    for key, reference in references:
        name = (
            (reference or "").partition("env:")[2] if (reference or "").startswith("env:") else ""
        )
        if name and not environ.get(name):
            raise ConfigError(f"{place}.{key}: the environment variable {name} is not set")


def _provider(name: str, place: str, usable: Mapping[str, Provider], builtin: Builtin) -> Provider:
    if name in usable:
        return usable[name]
    if name in builtin.providers:
        variable = builtin.providers[name].key_env
        raise ConfigError(f"{place}.provider: {name!r} needs {variable} in the environment")
    raise ConfigError(f"{place}.provider: no provider {name!r}; add [providers.{name}]")


def _facts(written: ModelSettings, below: ModelFacts | None, place: str) -> ModelFacts:
    """The model's facts: what is written, else what the built-in model of this id says."""
    context_length = written.context_length or (below.context_length if below else None)
    if context_length is None:
        raise ConfigError(f"{place}.context_length: missing, and {written.id!r} is not built in")
    start = below or ModelFacts(
        id=written.id, name=written.id, created=0, context_length=context_length
    )
    return ModelFacts(
        id=written.id,
        name=start.name if written.name is None else written.name,
        created=start.created if written.created is None else written.created,
        context_length=context_length,
        description=start.description if written.description is None else written.description,
        output_tokens_max=written.output_tokens_max or start.output_tokens_max,
        input_modalities=written.input_modalities or start.input_modalities,
        output_modalities=written.output_modalities or start.output_modalities,
        tokenizer=written.tokenizer or start.tokenizer,
        supported_parameters=written.supported_parameters or start.supported_parameters,
        knowledge_cutoff=written.knowledge_cutoff or start.knowledge_cutoff,
        hugging_face_id=written.hugging_face_id or start.hugging_face_id,
        distillable=start.distillable if written.distillable is None else written.distillable,
    )


def _endpoint(
    written: EndpointSettings, known: ModelFacts, provider: Provider, model: ModelSettings
) -> Endpoint:
    parameters = written.supported_parameters
    return Endpoint(
        provider=provider,
        model=known.id,
        upstream_model=written.upstream_model,
        prices=read_prices(written.prices),
        context_length=written.context_length or known.context_length,
        output_tokens_max=written.output_tokens_max or known.output_tokens_max,
        quantization=written.quantization,
        supported_parameters=known.supported_parameters if parameters is None else parameters,
        timeouts=model.timeouts.over(provider.timeouts),
        tag=written.tag,
        tier=written.tier,
        expected_ttft_s=written.expected_ttft_s,
        expected_throughput=written.expected_throughput,
    )
