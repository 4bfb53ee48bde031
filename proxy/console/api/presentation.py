"""How models, endpoints and providers look in the API: values in, JSON documents out; pure.

Rule 1: every key that the official clients require is present, null where we know nothing.
Rule 2: prices are USD per unit as strings; what a price list does not name is left out, not "0".
Source: the public OpenRouter API, Model and PublicEndpoint, as of 2026-08.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec

from proxy.model.document import Document, Json
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.model.standing import Quantiles, Report, Standing
from proxy.units import usd_per_unit

API_PREFIX = "/api/v1"
"""Prefix of links in replies; the same routes also stand under "/v1"."""

HEALTHY, TROUBLED, RESTING = 0, -1, -2
"""`status`: no trouble; asked after those without trouble; left alone for a while."""

MILLISECONDS = 1000
"""Latencies are published in milliseconds."""

TOOL_CHOICES = ("none", "auto", "required", "function")


def cheapest(endpoints: Iterable[Endpoint]) -> Endpoint:
    """The endpoint with the least price for a prompt token and an output token together.

    Raises: ValueError where there is no endpoint.
    """
    return min(endpoints, key=lambda e: (e.prices.prompt + e.prices.completion, e.id))


def present_prices(prices: Prices) -> Document:
    """The `pricing` object."""
    document: Document = {
        "prompt": usd_per_unit(prices.prompt),
        "completion": usd_per_unit(prices.completion),
        "request": usd_per_unit(prices.request),
    }
    if prices.cache_read is not None:
        document["input_cache_read"] = usd_per_unit(prices.cache_read)
    if prices.cache_write is not None:
        document["input_cache_write"] = usd_per_unit(prices.cache_write)
    return document


def present_architecture(model: Model) -> Document:
    """The `architecture` object; `modality` is the older summary, "text+image->text"."""
    inputs, outputs = model.input_modalities, model.output_modalities
    return {
        "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
        "input_modalities": list(inputs),
        "output_modalities": list(outputs),
        "tokenizer": model.tokenizer,
        "instruct_type": None,
    }


def supported_parameters(model: Model) -> tuple[str, ...]:
    """What the model or one of its endpoints understands, in order of first mention."""
    served = (endpoint.supported_parameters for endpoint in model.endpoints)
    return tuple(dict.fromkeys(chain(model.supported_parameters, *served)))


def present_model(model: Model) -> Document:
    """One entry of GET /models. `model` has at least one endpoint."""
    top = cheapest(model.endpoints)
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "hugging_face_id": model.hugging_face_id,
        "name": model.name,
        "created": model.created,
        "description": model.description,
        "context_length": model.context_length,
        "architecture": present_architecture(model),
        "pricing": present_prices(top.prices),
        "top_provider": {
            "context_length": top.context_length,
            "max_completion_tokens": _least(top.output_tokens_max, model.output_tokens_max),
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": _strings(supported_parameters(model)),
        "default_parameters": None,
        "supported_voices": None,
        "knowledge_cutoff": model.knowledge_cutoff,
        "expiration_date": None,
        "links": {"details": f"{API_PREFIX}/models/{model.id}/endpoints"},
    }


class Present(msgspec.Struct, frozen=True):
    """What the live figures of one endpoint look like to one caller."""

    status: int = HEALTHY
    report: Report | None = None
    """None: it had no traffic."""
    figures: bool = True
    """False: the caller may not see latency and throughput."""


UNSEEN = Present()


def present_endpoints(model: Model, present: Mapping[str, Present]) -> Document:
    """The `data` of GET /models/{author}/{slug}/endpoints; `present` is by endpoint id."""
    return {
        "id": model.id,
        "name": model.name,
        "created": model.created,
        "description": model.description,
        "architecture": present_architecture(model),
        "endpoints": [
            present_endpoint(endpoint, model, present.get(endpoint.id, UNSEEN))
            for endpoint in model.endpoints
        ],
    }


def present_endpoint(endpoint: Endpoint, model: Model, present: Present) -> Document:
    """One endpoint, as it is and as it does."""
    provider, prices = endpoint.provider, endpoint.prices
    chooses = "tool_choice" in endpoint.supported_parameters
    return {
        "name": f"{provider.name} | {model.id}",
        "model_id": model.id,
        "model_name": model.name,
        "provider_name": provider.name,
        "tag": _tag(endpoint),
        "context_length": endpoint.context_length,
        "max_prompt_tokens": None,
        "max_completion_tokens": _least(endpoint.output_tokens_max, model.output_tokens_max),
        "quantization": endpoint.quantization,
        "pricing": present_prices(prices),
        "supported_parameters": _strings(
            endpoint.supported_parameters or model.supported_parameters
        ),
        # A price for reads and none for writes is how lists describe caches nobody asks for.
        "supports_implicit_caching": prices.cache_read is not None and prices.cache_write is None,
        "supports_tool_choice": dict.fromkeys(TOOL_CHOICES, chooses),
        "native_tools": {},
        "service_tier": None,
        **present_vitals(present),
        "supports_voice_cloning": False,
        "supports_multiple_audio_references": False,
        "supports_image_reference": False,
        "supports_diarization": False,
    }


def present_vitals(present: Present) -> Document:
    """Status and live figures; null where there are none, or none to be seen."""
    report = present.report
    recent = report.half_hour if report is not None and present.figures else Standing()
    return {
        "status": present.status,
        "uptime_last_5m": None if report is None else report.uptime_5m,
        "uptime_last_30m": None if report is None else report.uptime_30m,
        "uptime_last_1d": None if report is None else report.uptime_1d,
        "latency_last_30m": _quantiles(recent.ttft, MILLISECONDS),
        "throughput_last_30m": _quantiles(recent.throughput, 1),
    }


def present_provider(provider: Provider) -> Document:
    """One entry of GET /providers."""
    return {
        "name": provider.name,
        "slug": provider.id,
        "privacy_policy_url": provider.privacy_policy_url,
        "terms_of_service_url": provider.terms_of_service_url,
        "status_page_url": provider.status_page_url,
        "headquarters": provider.headquarters,
        "datacenters": None,
    }


def _tag(endpoint: Endpoint) -> str:
    """What clients write into `provider.order` to mean this endpoint: "deepinfra/fp8"."""
    detail = endpoint.tag or endpoint.quantization
    return f"{endpoint.provider.id}/{detail}" if detail else endpoint.provider.id


def _quantiles(quantiles: Quantiles | None, scale: int) -> Json:
    if quantiles is None:
        return None
    return {
        "p50": round(quantiles.p50 * scale, 1),
        "p75": round(quantiles.p75 * scale, 1),
        "p90": round(quantiles.p90 * scale, 1),
        "p99": round(quantiles.p99 * scale, 1),
    }


def _least(*limits: int | None) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _strings(values: Iterable[str]) -> list[Json]:
    return list(values)
