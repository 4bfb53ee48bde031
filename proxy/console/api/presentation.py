"""How models, endpoints and providers look in the API: values in, JSON documents out; pure.

Rule 1: every key that the official clients require is present, null where we know nothing.
Rule 2: prices are USD per unit as strings; what a price list does not name is left out, not "0".
Source: the public OpenRouter API, Model and PublicEndpoint, as of 2026-08.
"""

from collections.abc import Iterable
from itertools import chain

from proxy.model.document import Document, Json
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.units import usd_per_unit

API_PREFIX = "/api/v1"
"""Prefix of links in replies; the same routes also stand under "/v1"."""

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


def present_endpoints(model: Model) -> Document:
    """The `data` of GET /models/{author}/{slug}/endpoints."""
    return {
        "id": model.id,
        "name": model.name,
        "created": model.created,
        "description": model.description,
        "architecture": present_architecture(model),
        "endpoints": [present_endpoint(endpoint, model) for endpoint in model.endpoints],
    }


def present_endpoint(endpoint: Endpoint, model: Model) -> Document:
    """One endpoint. Live figures are null: this file sees no statistics."""
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
        "status": 0,
        "uptime_last_5m": None,
        "uptime_last_30m": None,
        "uptime_last_1d": None,
        "latency_last_30m": None,
        "throughput_last_30m": None,
        "supports_voice_cloning": False,
        "supports_multiple_audio_references": False,
        "supports_image_reference": False,
        "supports_diarization": False,
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


def _least(*limits: int | None) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _strings(values: Iterable[str]) -> list[Json]:
    return list(values)
