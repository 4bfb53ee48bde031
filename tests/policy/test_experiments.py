"""Which arm a request gets."""

import math
import random
from collections import Counter
from typing import Any

import pytest

from proxy.config.settings import ArmSettings, ExperimentSettings
from proxy.errors import InvalidRequestError
from proxy.model.call import Call
from proxy.model.document import Document, Json
from proxy.policy.experiments import (
    UNIT_CHARACTERS_MAX,
    Choice,
    Split,
    choose,
    choose_arm,
    find_split,
    in_order,
    read_split,
    unit_of,
)

SPLIT = Split("tone", ("a/x", "a/y", "a/z"), (6.0, 3.0, 1.0), "tone")
UNITS = [f"user-{number}" for number in range(20_000)]


def asked(*models: str, session: str = "", body: Document | None = None, **ours: Json) -> Call:
    return Call("openai-chat", "chat", body or {}, models, ours=ours, session=session)


def weighted(*weights: float) -> Split:
    return Split("tone", ("a/x", "a/y", "a/z")[: len(weights)], weights, "tone")


def arms(split: Split) -> list[int]:
    return [choose_arm(split, unit, 0.0) for unit in UNITS]


def settings(**arms: float) -> ExperimentSettings:
    return ExperimentSettings(
        arms=tuple(ArmSettings(model=f"a/{name}", weight=weight) for name, weight in arms.items())
    )


EXPERIMENTS = {"tone": settings(x=1, y=9)}


# --- who gets what -------------------------------------------------------------------------------
def near(weights: tuple[float, ...], chosen: list[int]) -> bool:
    """Are the shares those of the weights, within four standard deviations?"""
    counts, n = Counter(chosen), len(chosen)
    shares = [weight / sum(weights) for weight in weights]
    return all(
        abs(counts[arm] - n * share) <= 4 * math.sqrt(n * share * (1 - share))
        for arm, share in enumerate(shares)
    )


@pytest.mark.parametrize("weights", [(1.0, 1.0), (9.0, 1.0), (6.0, 3.0, 1.0), (1e-6, 1e6, 2e5)])
def test_arms_get_the_shares_of_their_weights(weights: tuple[float, ...]) -> None:
    source = random.Random(3)

    assert near(weights, arms(weighted(*weights)))
    assert near(weights, [choose_arm(weighted(*weights), None, source.random()) for _ in UNITS])


def test_a_unit_keeps_its_arm_whatever_is_drawn() -> None:
    for unit in UNITS[:50]:
        assert 1 == len({choose_arm(SPLIT, unit, draw) for draw in (0.0, 0.5, 0.99)})


def test_every_process_chooses_alike() -> None:
    reckoned = [0, 2, 1, 1, 0, 1, 0, 0, 2, 1, 0, 2]  # by openssl and awk, from the rule

    assert reckoned == [choose_arm(SPLIT, unit, 0.0) for unit in UNITS[:12]]


@pytest.mark.parametrize(("draw", "arm"), [(0.0, 0), (0.59, 0), (0.61, 1), (0.89, 1), (0.91, 2)])
def test_without_a_unit_the_draw_decides(draw: float, arm: int) -> None:
    assert arm == choose_arm(SPLIT, None, draw)


def test_a_draw_that_rounds_up_to_the_end_is_the_last_arm() -> None:
    assert 2 == choose_arm(SPLIT, None, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [((9.0, 1.0), (5.0, 5.0), None), ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0), 0),
     ((1.0, 1.0, 1.0), (1.0, 2.0, 1.0), 1), ((1.0, 1.0, 1.0), (1.0, 1.0, 0.1), 2)],
)  # fmt: skip
def test_other_weights_move_no_more_units_than_the_new_shares_need(
    before: tuple[float, ...], after: tuple[float, ...], changed: int | None
) -> None:
    was, now = arms(weighted(*before)), arms(weighted(*after))
    moved = [(a, b) for a, b in zip(was, now, strict=True) if a != b]
    differences = [b / sum(after) - a / sum(before) for a, b in zip(before, after, strict=True)]
    needed = sum(difference for difference in differences if difference > 0)

    assert all(changed in {None, *move} for move in moved), "between arms that stayed as they were"
    assert all(differences[a] < 0 < differences[b] for a, b in moved)
    assert pytest.approx(needed, abs=0.015) == len(moved) / len(UNITS)


def test_an_arm_more_takes_units_and_moves_none_between_the_others() -> None:
    was, now = arms(weighted(1, 1)), arms(weighted(1, 1, 1))

    assert {2} == {b for a, b in zip(was, now, strict=True) if a != b}


def test_the_order_of_arms_does_not_matter_to_units() -> None:
    turned = Split("tone", SPLIT.models[::-1], SPLIT.weights[::-1], "tone")

    assert arms(SPLIT) == [2 - arm for arm in arms(turned)]


def test_experiments_are_independent_of_each_other() -> None:
    one = Split("one", ("a", "b"), (1.0, 1.0), "one")
    two = Split("two", ("a", "b"), (1.0, 1.0), "two")
    both = Counter(zip(arms(one), arms(two), strict=True))

    assert near((1.0,) * 4, [2 * a + b for (a, b), count in both.items() for _ in range(count)])


def test_only_the_beginning_of_a_long_unit_counts() -> None:
    name = "u" * UNIT_CHARACTERS_MAX

    assert {choose_arm(SPLIT, name, 0)} == {choose_arm(SPLIT, f"{name}{n}", 0) for n in range(50)}


def test_behind_the_arm_come_the_others_by_weight() -> None:
    split = Split("s", ("a", "b", "c", "d"), (1.0, 5.0, 1.0, 9.0), "s", ("z",))

    assert ("a", "d", "b", "c", "z") == in_order(split, 0)
    assert ("d", "b", "a", "c", "z") == in_order(split, 3)


@pytest.mark.parametrize(
    ("call", "unit"),
    [
        (asked("m", session="s", user="u"), "s"),
        (asked("m", user="u"), "u"),
        (asked("m", body={"user": "u"}), "u"),
        (asked("m", body={"user": 3}), None),
        (asked("m", user=""), None),
        (asked("m"), None),
    ],
)
def test_a_unit_is_the_session_else_the_user(call: Call, unit: str | None) -> None:
    assert unit == unit_of(call)


# --- experiments of the settings -------------------------------------------------------------------
def test_an_experiment_is_asked_for_like_a_model() -> None:
    call = asked("split/tone", "b/last", "a/x")

    assert Split("tone", ("a/x", "a/y"), (1.0, 9.0), "tone", ("b/last",)) == find_split(
        call, EXPERIMENTS
    )
    assert Choice("tone/a/y", ("a/y", "a/x", "b/last")) == choose(call, EXPERIMENTS, 0.5)
    assert Choice("tone/a/x", ("a/x", "a/y", "b/last")) == choose(call, EXPERIMENTS, 0.05)


@pytest.mark.parametrize("models", [("a/x",), ("split/other",), ("a/x", "split/tone")])
def test_other_models_are_no_experiment(models: tuple[str, ...]) -> None:
    assert None is choose(asked(*models), EXPERIMENTS, 0.0)


# --- experiments of requests -----------------------------------------------------------------------
def test_a_request_brings_its_own_experiment() -> None:
    split = read_split({"route": "split", "weights": [9, 1]}, ["a/x", "a/y"])

    assert split is not None
    assert (("a/x", "a/y"), (9.0, 1.0)) == (split.models, split.weights)
    chosen = choose(asked("a/x", "a/y", route="split", weights=[9, 1]), {}, 0.95)
    assert Choice(f"{split.name}/a/y", ("a/y", "a/x")) == chosen
    assert "/" not in split.name


def test_without_weights_they_are_equal() -> None:
    split = read_split({"route": "split", "weights": None}, ["a/x", "a/y"])

    assert split is not None
    assert (1.0, 1.0) == split.weights


def test_results_are_kept_apart_by_models_and_shares() -> None:
    def name(weights: Any, *models: str) -> str:
        split = read_split({"route": "split", "weights": weights}, models or ("a/x", "a/y"))
        assert split is not None
        return split.name

    assert name([9, 1]) == name([90, 10.0])
    assert name(None) == name([2, 2])
    assert 3 == len({name([9, 1]), name([1, 9]), name([9, 1], "a/x", "a/z")})


def name_of(split: Split | None) -> tuple[str, str]:
    assert split is not None
    return split.name, split.seed


def test_units_stay_where_they_are_while_a_client_changes_its_weights() -> None:
    one = name_of(read_split({"route": "split", "weights": [9, 1]}, ["a/x", "a/y"]))
    two = name_of(read_split({"route": "split", "weights": [8, 2]}, ["a/x", "a/y"]))

    assert one[0] != two[0]
    assert one[1] == two[1]


@pytest.mark.parametrize("route", [None, "fallback", 3])
def test_another_route_is_no_experiment(route: Json) -> None:
    assert None is read_split({"route": route}, ["a/x"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"weights": [1]}, "weights"),
        ({"route": "split", "weights": 3}, "weights"),
        ({"route": "split", "weights": {}}, "weights"),
        ({"route": "split", "weights": []}, "weights"),
        ({"route": "split", "weights": [1]}, "weights"),
        ({"route": "split", "weights": [1, 1, 1]}, "weights"),
        ({"route": "split", "weights": [1, 0]}, "weights[1]"),
        ({"route": "split", "weights": [-1, 1]}, "weights[0]"),
        ({"route": "split", "weights": [1, "1"]}, "weights[1]"),
        ({"route": "split", "weights": [True, 1]}, "weights[0]"),
        ({"route": "split", "weights": [1, None]}, "weights[1]"),
        ({"route": "split", "weights": [1, math.inf]}, "weights[1]"),
        ({"route": "split", "weights": [1, math.nan]}, "weights[1]"),
        ({"route": "split", "weights": [10**400, 1]}, "weights[0]"),
    ],
)
def test_unusable_weights_are_refused_with_their_path(body: Document, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_split(body, ["a/x", "a/y"])

    assert {"field": field} == caught.value.metadata
    assert caught.value.message.endswith(f" - at `$.{field}`")


def test_an_experiment_is_no_arm_of_another() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_split({"route": "split"}, ["a/x", "split/tone"])

    assert {"field": "route"} == caught.value.metadata
