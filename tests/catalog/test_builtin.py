"""The data that comes with the package is whole, consistent and quick to read."""

from datetime import date
from time import perf_counter

import pytest

from proxy.catalog.builtin import (
    SANDBOX,
    SANDBOX_MODEL,
    bare_model,
    load_builtin,
    sandbox_endpoints,
)
from proxy.catalog.schema import QUIRKS, EndpointFacts, ProviderFacts, read_prices
from proxy.config import DIALECTS

PROVIDERS = list(load_builtin().providers.values())
ENDPOINTS = [(one, endpoint) for one in PROVIDERS for endpoint in one.endpoints]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.id)
def test_a_provider_says_where_it_is_and_how_we_know(provider: ProviderFacts) -> None:
    assert provider.base_url.startswith("https://")
    assert not provider.base_url.endswith("/")
    assert provider.dialect in DIALECTS
    assert set(provider.quirks) <= set(QUIRKS)
    assert all(set(endpoint.quirks) <= set(QUIRKS) for endpoint in provider.endpoints)
    assert provider.source_url.startswith("https://")
    assert date.fromisoformat(provider.checked)
    assert provider.key_env.isupper()
    assert provider.endpoints


@pytest.mark.parametrize(
    ("provider", "endpoint"), ENDPOINTS, ids=[f"{one.id}:{e.model}" for one, e in ENDPOINTS]
)
def test_an_endpoint_serves_a_known_model_at_a_price(
    provider: ProviderFacts, endpoint: EndpointFacts
) -> None:
    model = load_builtin().models[endpoint.model]
    dates = [date.fromisoformat(prices.since) for prices in endpoint.prices]

    assert dates == sorted(dates)
    assert all(read_prices(prices).prompt > 0 for prices in endpoint.prices)
    assert (endpoint.context_length or model.context_length) > 0


def test_every_model_but_the_sandboxs_is_offered_by_somebody() -> None:
    offered = {endpoint.model for _, endpoint in ENDPOINTS}

    assert set(load_builtin().models) - offered == {SANDBOX_MODEL}


def test_keys_belong_to_one_provider_each() -> None:
    assert len({one.key_env for one in PROVIDERS}) == len(PROVIDERS)


def test_the_sandbox_is_fast_and_dear_slow_and_cheap_or_flaky() -> None:
    facts = load_builtin().models[SANDBOX_MODEL]

    by_tag = {one.tag: one for one in sandbox_endpoints(facts, SANDBOX)}

    assert by_tag["slow"].prices.prompt < by_tag["flaky"].prices.prompt
    assert by_tag["flaky"].prices.prompt < by_tag["fast"].prices.prompt
    assert by_tag["fast"].upstream_model == "fast/hedgerow/sandbox"
    assert bare_model(facts, tuple(by_tag.values())).id == SANDBOX_MODEL


def test_reading_everything_takes_less_than_60_ms() -> None:
    def once() -> float:
        load_builtin.cache_clear()
        began = perf_counter()
        load_builtin()
        return perf_counter() - began

    assert min(once() for _ in range(5)) < 0.060
