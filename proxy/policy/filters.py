"""Which endpoints may serve a request at all, each rule with the words for why one may not.

Rule 1: every filter stands for itself; planning asks `passes`, explanations ask `why`.
Rule 2: an operator who names a provider means its service tiers too; a request that does, does not.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from proxy.model.call import Call
from proxy.model.endpoint import PARAMETERS, Endpoint
from proxy.model.preferences import Preferences, PriceCeiling
from proxy.policy.demands import CHARACTERS_PER_TOKEN, parameters_of, prompt_tokens_least
from proxy.units import usd_per_million

OPERATOR = "policy"
"""Whose ceilings cover a provider's service tiers."""


class Filter(NamedTuple):
    """One hard rule."""

    code: str
    """As `excluded_by` of an error has it: max_price, context_length, …"""
    passes: Callable[[Endpoint], bool]
    why: Callable[[Endpoint], str]


def preference_filters(wanted: Preferences, *, whose: str = "provider") -> list[Filter]:
    """What a request's preferences, or the operator's ceilings, demand.

    Args:
        whose: how explanations call the source: "provider", or "policy".
    """
    filters: list[Filter] = []
    if wanted.only is not None:
        whole = whose == OPERATOR
        filters.append(_filter("allowed_providers", _named(wanted.only, whole=whole),
                               f"not in {whose}.only"))  # fmt: skip
    if wanted.order and not wanted.allow_fallbacks:
        filters.append(_filter("allowed_providers", _named(wanted.order, whole=False),
                               f"not in {whose}.order, and fallbacks are not allowed"))  # fmt: skip
    if wanted.ignore:
        ignored = _named(wanted.ignore, whole=True)
        filters.append(_filter("ignored_providers", lambda e: not ignored(e),
                               f"in {whose}.ignore"))  # fmt: skip
    if wanted.deny_collection:
        filters.append(_filter("data_policy:training", lambda e: e.provider.trains_on_prompts is False,
                               f"may train on prompts ({whose}.data_collection)"))  # fmt: skip
    if wanted.zdr:
        filters.append(_filter("data_policy:zdr", lambda e: e.provider.retains_prompts is False,
                               f"may keep prompts ({whose}.zdr)"))  # fmt: skip
    if wanted.quantizations is not None:
        allowed = wanted.quantizations
        filters.append(Filter("quantization", lambda e: (e.quantization or "unknown") in allowed,
                              lambda e: f"quantization is {e.quantization or 'unknown'}"))  # fmt: skip
    if wanted.price_max is not None:
        filters += _price_filters(wanted.price_max, whose)
    return filters


def _named(names: Sequence[str], *, whole: bool) -> Callable[[Endpoint], bool]:
    """Whether a list means an endpoint; `whole`: a provider's name means its service tiers too."""
    wanted = frozenset(names)
    if not whole:
        return lambda e: not wanted.isdisjoint(e.names)
    return lambda e: (
        not wanted.isdisjoint(e.names)
        or e.provider.id in wanted
        or e.provider.name.lower() in wanted
    )


def _filter(code: str, passes: Callable[[Endpoint], bool], why: str) -> Filter:
    return Filter(code, passes, lambda _: why)


def _price_filters(most: PriceCeiling, whose: str) -> list[Filter]:
    filters = []
    if (prompt := most.prompt) is not None:
        filters.append(Filter(
            "max_price", lambda e: e.prices.prompt <= prompt,
            lambda e: f"prompt costs ${usd_per_million(e.prices.prompt)} per million ({whose}.max_price)",
        ))  # fmt: skip
    if (completion := most.completion) is not None:
        filters.append(Filter(
            "max_price", lambda e: e.prices.completion <= completion,
            lambda e: f"output costs ${usd_per_million(e.prices.completion)} per million "
                      f"({whose}.max_price)",
        ))  # fmt: skip
    if (request := most.request) is not None:
        filters.append(_filter("max_price", lambda e: e.prices.request <= request,
                               f"its price per request is above {whose}.max_price"))  # fmt: skip
    return filters


def demand_filters(
    call: Call, wanted: Preferences, context_min: int, output_min: int
) -> list[Filter]:
    """What the request itself demands.

    Args:
        context_min: shortest context length among the candidates, tokens; what fits it needs no filter.
        output_min: the same of output caps.
    """
    filters: list[Filter] = []
    cap = call.output_tokens_max or 0
    if call.prompt_bytes // CHARACTERS_PER_TOKEN + cap > context_min:
        needed = prompt_tokens_least(call.body) + cap
        filters.append(Filter(
            "context_length", lambda e: e.context_length >= needed,
            lambda e: f"context length {e.context_length} is less than the {needed} tokens needed",
        ))  # fmt: skip
    if cap > output_min:
        filters.append(Filter(
            "max_tokens", lambda e: cap <= (e.output_tokens_max or cap),
            lambda e: f"gives at most {e.output_tokens_max} output tokens, {cap} were asked for",
        ))  # fmt: skip
    if wanted.require_parameters:
        said = parameters_of(call.body) & PARAMETERS
        filters.append(Filter(
            "require_parameters", lambda e: said.isdisjoint(e.withheld),
            lambda e: "does not support " + ", ".join(sorted(said & e.withheld)),
        ))  # fmt: skip
    return filters
