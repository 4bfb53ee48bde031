"""The endpoints of a model that the operator lets anybody use, with what planning looks up of them.

Made once per model, so that a request pays for what is its own only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from proxy.model.endpoint import Endpoint, Model
from proxy.model.preferences import ANYTHING, Preferences
from proxy.policy.filters import OPERATOR, preference_filters
from proxy.policy.stickiness import worth_it

UNBOUNDED = 1 << 62


@dataclass(frozen=True, slots=True)
class Roster:
    """One model's endpoints, cheapest first; ties by id."""

    model: Model
    every: tuple[Endpoint, ...]
    """Within the operator's ceilings, service tiers included."""
    usual: tuple[Endpoint, ...]
    """The same without tiers."""
    cumulative: tuple[float, ...]
    """Running sums of the weights of `usual` in the draw."""
    context_min: int
    """Shortest context length, tokens."""
    output_min: int
    """Lowest output cap, tokens."""
    silent_on: frozenset[str]
    """Parameters that at least one endpoint does not list, of those that matter for choice."""
    modalities: frozenset[str]
    caches: bool
    """Whether somebody reads cached prompts for less than others."""
    own_keys: bool
    """Whether some are served with callers' own keys."""


ANY_INPUT = frozenset(("text", "image", "file", "audio", "video"))
FEATURES = ("tools", "response_format", "structured_outputs", "verbosity")


def make_roster(model: Model, ceilings: Preferences = ANYTHING) -> Roster:
    """Arrange the endpoints of `model` that meet `ceilings`."""
    filters = preference_filters(ceilings, whose=OPERATOR)
    within = [e for e in model.endpoints if all(rule.passes(e) for rule in filters)]
    if ceilings.distillable and model.distillable is not True:
        within = []
    every = tuple(sorted(within, key=lambda e: (blended(e), e.id)))
    usual = tuple(e for e in every if e.tier is None)
    return Roster(
        model=model,
        every=every,
        usual=usual,
        cumulative=tuple(accumulate(map(weight, usual))),
        context_min=min([e.context_length for e in every], default=UNBOUNDED),
        output_min=min([e.output_tokens_max or UNBOUNDED for e in every], default=UNBOUNDED),
        silent_on=frozenset(f for f in FEATURES if not all(supports(e, f) for e in every)),
        modalities=frozenset(model.input_modalities) if model.inputs_known else ANY_INPUT,
        caches=any(worth_it(e) for e in every),
        own_keys=any(e.own_key is not None for e in every),
    )


def supports(endpoint: Endpoint, parameter: str) -> bool:
    """Whether it takes a parameter; an endpoint that lists none takes all."""
    listed = endpoint.supported_parameters
    return not listed or parameter in listed


def blended(endpoint: Endpoint) -> int:
    """One number to compare list prices by: three prompt tokens for each one of output."""
    return 3 * endpoint.prices.prompt + endpoint.prices.completion


def weight(endpoint: Endpoint) -> float:
    """Share in the draw: price to the power of -2, so half the price gets four times the traffic.

    Source: OpenRouter, "Provider routing", price-based load balancing. What is free takes all.
    """
    return 1.0 / max(blended(endpoint), 1) ** 2


def running_weights(endpoints: Sequence[Endpoint]) -> tuple[float, ...]:
    """Running sums of weights, for a draw among some of a roster."""
    return tuple(accumulate(map(weight, endpoints)))
