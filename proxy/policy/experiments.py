"""Experiments: which arm a request gets, and what is tried where that arm fails.

An experiment splits requests over models by weight. The operator writes one (clients ask for the model
`split/NAME`), or a request brings its own (`"route": "split"` with `models` and `weights`).

Rule 1: a unit (a session, else a user) has the same arm in every process, after every restart.
Rule 2: where the weight of an arm changes, units move only from or to that arm, and only as many as the
new shares need. Rule 3: results of different weights are never added up: other weights are another
experiment, since shares that change while the traffic does can turn a comparison around (Simpson).
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec

from proxy.config.checks import REQUEST_PREFIX, SPLIT_PREFIX
from proxy.config.settings import ExperimentSettings
from proxy.errors import InvalidRequestError
from proxy.model.call import Call
from proxy.model.document import Document

ROUTE = "split"
WEIGHT_MAX = 1_000_000
"""As in the settings."""
UNIT_CHARACTERS_MAX = 1_024
"""Of a unit's name; what is longer is cut, since `user` has no limit of its own."""
BITS = 53
"""Of a hash; as many as a float holds."""


class Split(msgspec.Struct, frozen=True):
    """An experiment: its arms, and how much each of them gets."""

    name: str
    """As in results; no slash in it."""
    models: tuple[str, ...]
    """Arms, as clients name models; each once."""
    weights: tuple[float, ...]
    """Of the arms, in their order; positive."""
    seed: str
    """What units are hashed with; as `name`, but the same for all weights."""
    further: tuple[str, ...] = ()
    """Models behind all arms, no part of the experiment."""


class Choice(msgspec.Struct, frozen=True):
    """An arm, chosen."""

    arm: str
    """ "experiment/arm", as `Plan.arm` has it."""
    models: tuple[str, ...]
    """It, the other arms by weight, and what was asked for besides."""


def choose(call: Call, experiments: Mapping[str, ExperimentSettings], draw: float) -> Choice | None:
    """Choose an arm; None: the call is part of no experiment.

    Args:
        draw: a random number of [0, 1), used for nothing else: an arm must not tell the endpoint.
    Raises: InvalidRequestError with the field's path.
    """
    split = find_split(call, experiments)
    if split is None:
        return None
    arm = choose_arm(split, unit_of(call), draw)
    return Choice(f"{split.name}/{split.models[arm]}", in_order(split, arm))


def find_split(call: Call, experiments: Mapping[str, ExperimentSettings]) -> Split | None:
    """The experiment that `call` asks for; None: none. Raises: InvalidRequestError."""
    split, first = read_split(call.ours, call.models), call.models[0]
    if split is not None or not first.startswith(SPLIT_PREFIX):
        return split
    name = first.removeprefix(SPLIT_PREFIX)
    settings = experiments.get(name)
    if settings is None:
        return None  # an unknown model, as any other
    arms = settings.arms
    models, weights = tuple(arm.model for arm in arms), tuple(arm.weight for arm in arms)
    further = tuple(model for model in call.models[1:] if model not in models)
    return Split(name, models, weights, name, further)


def read_split(body: Document, models: Sequence[str]) -> Split | None:
    """The experiment that a request brings along; None: it brings none.

    Args:
        body: fields that speak to the gateway.
        models: `model` and `models`, each once; the arms.
    Raises: InvalidRequestError with the field's path.
    """
    written = body.get("weights")
    if body.get("route") != ROUTE:
        if written is not None:
            raise _refused("weights", 'They have a meaning with `"route": "split"` only')
        return None
    for model in models:
        if model.startswith(SPLIT_PREFIX):
            raise _refused("route", f"{model[:200]} is an experiment already")
    weights = (1.0,) * len(models) if written is None else _weights(written, len(models))
    seed = f"{REQUEST_PREFIX}{_digest(*models)}"
    shares = [f"{weight / math.fsum(weights):.6g}" for weight in weights]
    return Split(f"{seed}-{_digest(*shares)}", tuple(models), weights, seed)


def unit_of(call: Call) -> str | None:
    """Who keeps an arm: the session, else the user; None: every request is drawn for itself."""
    user = call.ours.get("user") or call.body.get("user")
    return call.session or (user if isinstance(user, str) and user else None)


def choose_arm(split: Split, unit: str | None, draw: float) -> int:
    """Index of an arm, drawn by weight: by the unit's own lot, else by `draw`.

    Each arm gets a fixed waiting time from a hash of experiment, unit and model, which its weight
    divides; the shortest wins. So an arm wins with a probability of weight / sum of weights, and other
    weights change its own time only.

    Source: rendezvous hashing with weights (Thaler & Ravishankar, 1998; Schindelhauer & Schomaker, 2005).
    """
    if unit is None:
        sums = list(accumulate(split.weights))
        return min(bisect_right(sums, draw * sums[-1]), len(sums) - 1)
    begun = hashlib.sha256(
        f"{split.seed}\0{unit[:UNIT_CHARACTERS_MAX]}\0".encode("utf-8", "replace")
    )
    waits: list[float] = []
    for model, weight in zip(split.models, split.weights, strict=True):
        lot = begun.copy()
        lot.update(model.encode("utf-8", "replace"))
        number = int.from_bytes(lot.digest()[:8], "big") >> (64 - BITS)
        waits.append(-math.log((number + 0.5) / (1 << BITS)) / weight)
    return waits.index(min(waits))


def in_order(split: Split, arm: int) -> tuple[str, ...]:
    """Models to try: the arm, the others by weight (ties as listed), and those behind all arms."""
    others = [index for index in range(len(split.models)) if index != arm]
    others.sort(key=lambda index: -split.weights[index])
    return (*(split.models[index] for index in (arm, *others)), *split.further)


def _weights(written: object, count: int) -> tuple[float, ...]:
    if not isinstance(written, list):
        raise _refused("weights", "Expected `array`")
    if len(written) != count:
        raise _refused("weights", f"Expected as many as there are models, {count}")
    for index, weight in enumerate(written):
        if type(weight) not in {int, float} or not 0 < weight <= WEIGHT_MAX:
            raise _refused(f"weights[{index}]", f"Expected a number above 0, at most {WEIGHT_MAX}")
    return tuple(float(weight) for weight in written)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()[:8]


def _refused(field: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"{why} - at `$.{field}`", metadata={"field": field})
