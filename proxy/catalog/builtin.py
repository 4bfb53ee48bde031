"""The catalogue that comes with the package: reading its TOML files, and the sandbox's endpoints.

Rule 1: only files of the package are read, and only once.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

import msgspec

from proxy.catalog.schema import ModelFacts, ModelFile, ProviderFacts
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.units import price_from_usd

T = TypeVar("T")

SANDBOX_MODEL = "hedgerow/sandbox"
"""The one model the sandbox serves beside real providers."""

SANDBOX = Provider(
    id="sandbox",
    name="Hedgerow Sandbox",
    dialect="openai-chat",
    base_url="sandbox:",
    retains_prompts=False,
    trains_on_prompts=False,
)
"""Answers in-process, without key or network, and says that it is a stand-in."""

SANDBOX_PRICES = {"fast": ("1.00", "4.00"), "flaky": ("0.60", "2.40"), "slow": ("0.30", "1.20")}
"""Tag -> prompt and completion, USD per million tokens: invented, so that routing can be seen."""
SANDBOX_PACE = {"fast": (0.02, 200.0), "flaky": (0.1, 65.0), "slow": (0.3, 33.0)}
"""Tag -> seconds to the first token, tokens per second: what `sandbox.personas` does."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """Everything the package knows."""

    providers: Mapping[str, ProviderFacts]
    models: Mapping[str, ModelFacts]


@cache
def load_builtin() -> Builtin:
    """Read the package's TOML files; a fault in them is a bug and raises as it is."""
    providers = _read_folder("providers", ProviderFacts)
    models = [model for file in _read_folder("models", ModelFile) for model in file.models]
    return Builtin(
        providers={provider.id: provider for provider in providers},
        models={model.id: model for model in models},
    )


def bare_model(facts: ModelFacts, endpoints: tuple[Endpoint, ...] = ()) -> Model:
    """A model from its facts, served by `endpoints`."""
    return Model(
        id=facts.id,
        name=facts.name,
        created=facts.created,
        context_length=facts.context_length,
        endpoints=endpoints,
        description=facts.description,
        output_tokens_max=facts.output_tokens_max,
        input_modalities=facts.input_modalities,
        output_modalities=facts.output_modalities,
        tokenizer=facts.tokenizer,
        supported_parameters=facts.supported_parameters,
        knowledge_cutoff=facts.knowledge_cutoff,
        hugging_face_id=facts.hugging_face_id,
        distillable=facts.distillable,
    )


def sandbox_endpoints(model: ModelFacts, provider: Provider) -> tuple[Endpoint, ...]:
    """Three ways to be answered by the sandbox: fast and dear, slow and cheap, and flaky."""
    return tuple(
        Endpoint(
            provider=provider,
            model=model.id,
            upstream_model=f"{tag}/{model.id}",
            prices=Prices(price_from_usd(prompt), price_from_usd(completion), version="sandbox"),
            context_length=model.context_length,
            output_tokens_max=model.output_tokens_max,
            supported_parameters=model.supported_parameters,
            timeouts=provider.timeouts,
            tag=tag,
            expected_ttft_s=SANDBOX_PACE[tag][0],
            expected_throughput=SANDBOX_PACE[tag][1],
        )
        for tag, (prompt, completion) in SANDBOX_PRICES.items()
    )


def _read_folder(folder: str, kind: type[T]) -> list[T]:
    found = (files("proxy.catalog") / folder).iterdir()
    return [
        msgspec.convert(tomllib.loads(item.read_text(encoding="utf-8")), kind)
        for item in sorted(found, key=lambda item: item.name)
        if item.name.endswith(".toml")
    ]
