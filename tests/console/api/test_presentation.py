"""Shapes that official clients require."""

import pytest

from proxy.console.api.presentation import (
    RESTING,
    Present,
    cheapest,
    present_endpoints,
    present_model,
    present_prices,
    present_provider,
    present_vitals,
)
from proxy.model.document import as_document
from proxy.model.endpoint import Model, Prices
from proxy.model.standing import Quantiles, Report, Standing
from proxy.units import price_from_usd

Models = dict[str, Model]

MODEL_KEYS = {
    "architecture", "canonical_slug", "context_length", "created", "default_parameters", "id",
    "links", "name", "per_request_limits", "pricing", "supported_parameters", "supported_voices",
    "top_provider",
}  # fmt: skip
"""Marked * for `Model` in Appendix A."""

ENDPOINT_KEYS = {
    "context_length", "latency_last_30m", "max_completion_tokens", "max_prompt_tokens", "model_id",
    "model_name", "name", "native_tools", "pricing", "provider_name", "quantization",
    "service_tier", "supported_parameters", "supports_diarization", "supports_implicit_caching",
    "supports_tool_choice", "tag", "throughput_last_30m", "uptime_last_1d", "uptime_last_30m",
    "uptime_last_5m",
}  # fmt: skip
"""Marked * for `PublicEndpoint` in Appendix A."""


def test_a_model_has_every_required_key(models: Models) -> None:
    shown = present_model(models["north/big"])

    assert set(shown) >= MODEL_KEYS
    assert shown["links"] == {"details": "/api/v1/models/north/big/endpoints"}
    assert shown["architecture"] == {
        "modality": "text+image->text",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "tokenizer": "Other",
        "instruct_type": None,
    }


def test_prices_and_top_provider_are_those_of_the_cheapest_endpoint(models: Models) -> None:
    shown = present_model(models["north/big"])

    assert shown["pricing"] == {
        "prompt": "0.000002",
        "completion": "0.000008",
        "request": "0",
        "input_cache_read": "0.0000002",
    }
    assert shown["top_provider"] == {
        "context_length": 100_000,
        "max_completion_tokens": 8_192,
        "is_moderated": False,
    }


def test_supported_parameters_are_the_union_without_repetition(models: Models) -> None:
    shown = present_model(models["north/big"])

    assert shown["supported_parameters"] == [
        "temperature", "tools", "tool_choice", "reasoning", "seed",
    ]  # fmt: skip


def test_a_price_for_cache_writes_is_shown() -> None:
    one = price_from_usd("1")
    prices = Prices(prompt=one, completion=one, cache_read=one, cache_write=one)

    assert present_prices(prices)["input_cache_write"] == "0.000001"


def test_every_endpoint_has_every_required_key(models: Models) -> None:
    shown = present_endpoints(models["north/big"], {})
    endpoints = shown["endpoints"]

    assert set(shown) == {"id", "name", "created", "description", "architecture", "endpoints"}
    assert isinstance(endpoints, list)
    assert len(endpoints) == 2
    for entry in map(as_document, endpoints):
        assert set(entry) >= ENDPOINT_KEYS
        assert set(as_document(entry["supports_tool_choice"])) == {
            "none", "auto", "required", "function",
        }  # fmt: skip


def test_an_endpoint_shows_its_own_limits_and_tag(models: Models) -> None:
    first, second = (
        as_document(entry)
        for entry in present_endpoints(models["north/big"], {})["endpoints"] or []  # type: ignore[union-attr]
    )

    assert (first["tag"], second["tag"]) == ("acme/fp8", "bulk")
    assert (first["max_completion_tokens"], second["max_completion_tokens"]) == (4_096, 8_192)
    assert first["name"] == "Acme | north/big"
    assert (first["supports_implicit_caching"], second["supports_implicit_caching"]) == (
        False,
        True,
    )
    assert as_document(first["supports_tool_choice"])["auto"] is False
    assert as_document(second["supports_tool_choice"])["auto"] is True


REPORT = Report(
    recent=Standing(),
    half_hour=Standing(
        ttft=Quantiles(0.1, 0.2, 0.3, 1.0004), throughput=Quantiles(40.0, 30.0, 20.0, 0.1)
    ),
    ends={},
    recent_ends={},
    uptime_5m=100.0,
    uptime_30m=50.0,
)


def test_latency_is_published_in_milliseconds_and_throughput_per_second() -> None:
    assert present_vitals(Present(report=REPORT)) == {
        "status": 0,
        "uptime_last_5m": 100.0,
        "uptime_last_30m": 50.0,
        "uptime_last_1d": None,
        "latency_last_30m": {"p50": 100.0, "p75": 200.0, "p90": 300.0, "p99": 1000.4},
        "throughput_last_30m": {"p50": 40.0, "p75": 30.0, "p90": 20.0, "p99": 0.1},
    }


def test_who_may_not_see_figures_sees_status_and_uptime() -> None:
    shown = present_vitals(Present(RESTING, REPORT, figures=False))

    assert (-2, 100.0) == (shown["status"], shown["uptime_last_5m"])
    assert shown["latency_last_30m"] is None
    assert shown["throughput_last_30m"] is None


def test_an_endpoint_without_traffic_is_healthy_and_otherwise_null() -> None:
    shown = present_vitals(Present())

    assert 0 == shown.pop("status")
    assert {None} == set(shown.values())


def test_live_figures_belong_to_the_endpoint_of_that_id(models: Models) -> None:
    second = models["north/big"].endpoints[1].id

    shown = present_endpoints(models["north/big"], {second: Present(RESTING)})["endpoints"]

    assert isinstance(shown, list)
    assert [0, -2] == [as_document(entry)["status"] for entry in shown]


def test_no_limit_is_null(models: Models) -> None:
    shown = as_document(present_model(models["north/small"])["top_provider"])

    assert shown["max_completion_tokens"] is None


def test_a_provider_has_every_required_key(models: Models) -> None:
    provider = models["north/big"].endpoints[0].provider

    assert present_provider(provider) == {
        "name": "Acme",
        "slug": "acme",
        "privacy_policy_url": None,
        "terms_of_service_url": None,
        "status_page_url": None,
        "headquarters": "DE",
        "datacenters": None,
    }


def test_the_cheapest_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        cheapest([])
