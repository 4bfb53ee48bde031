"""Which endpoints may serve a call, and in what order: price order here, live statistics later.

Rule 1: nothing here waits or reads a clock. Rule 2: the operator's ceilings hold whatever is asked.
"""

import math
from collections.abc import Callable, Sequence

from proxy.errors import InvalidRequestError, NoEndpointError
from proxy.model.call import Call
from proxy.model.document import Document, Json, as_document
from proxy.model.endpoint import Endpoint, Model
from proxy.model.plan import Plan
from proxy.policy.pricing import worst_case
from proxy.units import NanoDollarsPerMillion, Seconds, price_from_usd

NEVER = Seconds(math.inf)
Test = Callable[[Endpoint], bool]


def make_plan(
    call: Call, models: Sequence[Model], ceilings: Document, *, attempts_max: int
) -> Plan:
    """Order the endpoints that may serve `call`, cheapest first, model by model.

    Args:
        models: those asked for, resolved, best first.
        ceilings: the operator's `provider`-like preferences; both must be met.
    Raises: NoEndpointError, InvalidRequestError.
    """
    tests = [*_tests(ceilings), *_tests(call.preferences)] if ceilings or call.preferences else []
    order = _names(call.preferences, "order")
    offers: list[Endpoint] = []
    for model in models:
        fit = (
            [e for e in model.endpoints if all(test(e) for test in tests)]
            if tests
            else model.endpoints
        )
        offers.extend(_ordered(fit, order))
    if not offers:
        raise NoEndpointError(_nothing_left(models, call.preferences))
    if call.preferences.get("allow_fallbacks") is False:
        offers = offers[:1]
    chosen = tuple(offers[:attempts_max])
    cost_max = max([worst_case(call, endpoint) for endpoint in chosen])
    return Plan(chosen, NEVER, cost_max, call.output_tokens_max)


def _ordered(endpoints: Sequence[Endpoint], order: list[str]) -> list[Endpoint]:
    """Providers named in `order` first, as named; the rest by price."""
    if len(endpoints) == 1:
        return list(endpoints)
    rank = {name: place for place, name in enumerate(order)}

    def key(endpoint: Endpoint) -> tuple[int, int, str]:
        return (_rank(endpoint, rank), blended(endpoint), endpoint.id)

    return sorted(endpoints, key=key)


def _rank(endpoint: Endpoint, rank: dict[str, int]) -> int:
    if not rank:
        return 0
    provider = endpoint.provider
    named = (provider.id, provider.name.lower(), f"{provider.id}/{endpoint.tag}")
    return min(rank.get(name, len(rank)) for name in named)


def blended(endpoint: Endpoint) -> int:
    """One number to compare prices by: three prompt tokens for each one of output."""
    return 3 * endpoint.prices.prompt + endpoint.prices.completion


def _tests(preferences: Document) -> list[Test]:
    tests: list[Test] = []
    if only := _names(preferences, "only"):
        tests.append(lambda e: _rank(e, dict.fromkeys(only, 0)) == 0)
    if ignore := _names(preferences, "ignore"):
        tests.append(lambda e: _rank(e, dict.fromkeys(ignore, 0)) != 0)
    if preferences.get("data_collection") == "deny":
        tests.append(lambda e: e.provider.trains_on_prompts is False)
    if preferences.get("zdr") is True:
        tests.append(lambda e: e.provider.retains_prompts is False)
    if quantizations := _names(preferences, "quantizations"):
        tests.append(lambda e: (e.quantization or "unknown") in quantizations)
    price_max = as_document(preferences.get("max_price"))
    if (prompt := _price(price_max, "prompt")) is not None:
        tests.append(lambda e: e.prices.prompt <= prompt)
    if (completion := _price(price_max, "completion")) is not None:
        tests.append(lambda e: e.prices.completion <= completion)
    return tests


def _price(prices: Document, name: str) -> NanoDollarsPerMillion | None:
    value = prices.get(name)
    if value is None:
        return None
    try:
        return price_from_usd(str(value))
    except ValueError as error:
        raise InvalidRequestError(f"{error} - at `$.provider.max_price.{name}`") from None


def _names(preferences: Document, name: str) -> list[str]:
    value: Json = preferences.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequestError(f"Expected an array of strings - at `$.provider.{name}`")
    return [str(item).lower() for item in value]


def _nothing_left(models: Sequence[Model], preferences: Document) -> str:
    """The message clients look for, by what emptied the plan."""
    names = ", ".join(model.id for model in models)
    if "only" in preferences:
        serving = ", ".join(sorted({e.provider.id for m in models for e in m.endpoints}))
        return (
            "No allowed providers are available for the selected model. "
            f"Providers serving {names}: {serving}."
        )
    if preferences.get("data_collection") == "deny" or preferences.get("zdr") is True:
        return f"No endpoints found matching your data policy for {names}."
    return f"No endpoints found for {names}."
