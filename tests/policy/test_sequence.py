"""Who decides the order of a model's endpoints, from the strongest word down. (3.6, 3.7, 3.8, 3.9)"""

from typing import Any

import pytest

from proxy.model.endpoint import Endpoint
from proxy.model.preferences import Preferences, Sort
from proxy.model.standing import NOTHING_KNOWN
from proxy.policy.roster import make_roster
from proxy.policy.sequence import DRAWN, STICKY, in_sequence
from proxy.policy.situation import Present, Target
from proxy.policy.suffixes import Sorting
from tests.fakes.market import EARLIER, at, knowing, market, names, planned, seller
from tests.fakes.things import a_call

A = seller("a", 1, expected_throughput=10, expected_ttft_s=3)
B = seller("b", 2, expected_throughput=50, expected_ttft_s=0.1)
C = seller("c", 3, expected_throughput=90, expected_ttft_s=1)
FLEX = seller("b", 0.5, tag="flex", tier="flex", expected_throughput=5)
LATE = seller("c", 0.4, tag="flex", tier="flex", expected_throughput=1)
FAST = seller("a", 6, tag="priority", tier="priority", expected_throughput=70)
FASTEST = seller("b", 9, tag="ultrafast", tier="ultrafast", expected_throughput=60)
NOW = at(NOTHING_KNOWN)


def ordered(
    *endpoints: Endpoint, sorting: Sorting | None = None, present: Present = NOW,
    wanted: Preferences | None = None, **fields: Any,
) -> tuple[list[str], str]:  # fmt: skip
    roster = make_roster(market(*endpoints))
    found, why = in_sequence(
        roster.every, a_call(**fields), Target(roster, sorting), wanted or Preferences(), present
    )
    return names(found), why


def test_3_3_nothing_asked_is_a_draw() -> None:
    assert (["a", "b", "c"], DRAWN) == ordered(A, B, C)
    assert (["c", "a", "b"], DRAWN) == ordered(A, B, C, present=at(NOTHING_KNOWN, draw=0.99))


# --- 3.6 ----------------------------------------------------------------------------------------
def test_3_6_the_conversations_last_endpoint_comes_first() -> None:
    assert (["c", "a", "b"], STICKY) == ordered(A, B, C, present=at(NOTHING_KNOWN, sticky="c"))


@pytest.mark.parametrize(
    ("fields", "sorting"),
    [
        ({"order": ("b",)}, None),
        ({"sort": Sort("latency")}, None),
        ({}, "nitro"),
        ({}, "floor"),
        ({}, "exacto"),
    ],
    ids=str,
)
def test_3_6_it_does_not_where_the_request_says_otherwise(
    fields: dict[str, Any], sorting: Sorting | None
) -> None:
    wanted = Preferences(**fields)
    asked = ordered(A, B, C, wanted=wanted, sorting=sorting)

    for name in "abc":
        present = at(NOTHING_KNOWN, sticky=name)
        assert asked == ordered(A, B, C, wanted=wanted, sorting=sorting, present=present)


@pytest.mark.parametrize("reason", ["breaker", "rate_limit", "credential"])
def test_3_6_one_that_is_not_available_leaves_the_next_best(reason: Any) -> None:
    assert (
        "a" == planned(market(A, B, C), present=at(knowing(resting={"c": reason}), sticky="c"))[0]
    )
    assert ["a", "b"] == planned(
        market(A, B, C), provider={"ignore": ["c"]}, present=at(NOTHING_KNOWN, sticky="c")
    )


def test_3_6_after_trouble_a_conversation_looks_anew() -> None:
    assert (["a", "b", "c"], DRAWN) == ordered(
        A, B, C, present=at(knowing(troubled=["c"]), sticky="c")
    )
    over = knowing(troubled=["c"], until=EARLIER)
    assert (["c", "a", "b"], STICKY) == ordered(A, B, C, present=at(over, sticky="c"))


def test_3_6_one_that_is_no_more_is_forgotten() -> None:
    assert (["a", "b", "c"], DRAWN) == ordered(A, B, C, present=at(NOTHING_KNOWN, sticky="gone"))


# --- 3.7 and 3.8, through the whole plan ---------------------------------------------------------
TIERED = market(A, B, C, FLEX, LATE, FAST, FASTEST)
N, F = "maker/model:nitro", "maker/model:floor"
ROWS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("3.7 :nitro: throughput, priority competes", {"model": N}, ["c", "a/priority", "b", "a"]),
    ("3.7 :floor: price, flex competes", {"model": F}, ["c/flex", "b/flex", "a", "b", "c"]),
    ("3.7 :exacto: by price, tiers do not compete", {"model": "maker/model:exacto"}, ["a", "b", "c"]),
    ("3.7 :beta: no effect", {"model": "maker/model:beta"}, ["a", "b", "c"]),
    ("3.7 the last one wins", {"model": f"{N}:floor"}, ["c/flex", "b/flex", "a", "b", "c"]),
    ("3.2 sort beats a suffix", {"model": N, "provider": {"sort": "price"}},
     ["a", "b", "c", "a/priority"]),
    ("3.2 order beats a suffix", {"model": N, "provider": {"order": ["b"]}}, ["b", "a", "c"]),
    ("3.8 none", {}, ["a", "b", "c"]),
    ("3.8 flex: flex alone, by price", {"service_tier": "flex"}, ["c/flex", "b/flex"]),
    ("3.8 flex never falls back", {"service_tier": "flex", "provider": {"order": ["a"]}},
     ["c/flex", "b/flex"]),
    ("3.8 priority first, then the others by throughput", {"service_tier": "priority"},
     ["a/priority", "c", "b", "a"]),
    ("3.8 fast is priority", {"service_tier": "fast"}, ["a/priority", "c", "b", "a"]),
    ("3.8 speed: fast is priority", {"speed": "fast"}, ["a/priority", "c", "b", "a"]),
    ("3.8 ultrafast, priority, default", {"service_tier": "ultrafast"},
     ["b/ultrafast", "a/priority", "c", "b", "a"]),
    ("3.8 default", {"service_tier": "default"}, ["a", "b", "c"]),
    ("3.8 default disables :nitro's admission", {"service_tier": "default", "model": N},
     ["c", "b", "a"]),
    ("3.8 default disables :floor's admission", {"service_tier": "default", "model": F},
     ["a", "b", "c"]),
    ("3.8 auto", {"service_tier": "auto"}, ["a", "b", "c"]),
    ("3.8 scale", {"service_tier": "scale"}, ["a", "b", "c"]),
    ("3.8 named in order", {"provider": {"order": ["b/flex"]}}, ["b/flex", "a", "b", "c"]),
    ("3.8 named in only", {"provider": {"only": ["b/flex", "b"]}}, ["b/flex", "b"]),
    ("3.8 flex with another tier named", {"service_tier": "flex",
     "provider": {"only": ["a/priority", "b/flex"]}}, ["b/flex", "a/priority"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_suffixes_and_tiers_decide(fields: dict[str, Any], expected: list[str]) -> None:
    assert expected == planned(TIERED, **fields)


def test_3_8_without_flex_the_model_routes_normally() -> None:
    assert ["a", "b", "a/priority"] == [
        *planned(market(A, B, FAST), service_tier="flex"),
        *planned(market(A, B, FAST), service_tier="priority")[:1],
    ]


def test_3_8_a_tier_beside_the_usual_may_be_named_where_the_fast_ones_are_asked_for() -> None:
    found = planned(
        TIERED, service_tier="priority", provider={"only": ["b/flex", "a/priority", "c"]}
    )

    assert ["a/priority", "b/flex", "c"] == found


@pytest.mark.parametrize(
    ("fields", "sorting", "why"),
    [
        ({"wanted": Preferences(sort=Sort("price"))}, None, "provider.sort: price"),
        ({"wanted": Preferences(order=("a",))}, None, "provider.order; then by price"),
        ({"wanted": Preferences(order=("a",), allow_fallbacks=False)}, None,
         "provider.order, without fallbacks"),
        ({}, "nitro", ":nitro, by throughput"),
        ({}, "floor", ":floor, by price"),
        ({}, "exacto", ":exacto, by exacto"),
        ({"service_tier": "priority"}, None, "service tier priority, by throughput"),
        ({"service_tier": "flex"}, None, "service tier flex, by price"),
    ],
    ids=str,
)  # fmt: skip
def test_an_order_says_what_it_is_by(
    fields: dict[str, Any], sorting: Sorting | None, why: str
) -> None:
    assert why == ordered(A, FLEX, FAST, sorting=sorting, **fields)[1]


# --- 3.9 ----------------------------------------------------------------------------------------
def sold(*own: Endpoint) -> Any:
    return market(seller("bedrock", 3), seller("vertex", 2), seller("anthropic", 1), *own)


def own(name: str, place: str = "first", price: float = 9) -> Endpoint:
    return seller(name, price, tag="own", own_key=place)


THREE = ["bedrock", "vertex", "anthropic"]
OWN_ROWS: list[tuple[str, list[Endpoint], dict[str, Any], list[str]]] = [
    ("prioritised, shared, fallback", [own("vertex"), own("bedrock", "last", 0.1)], {},
     ["vertex/own", "anthropic", "vertex", "bedrock", "bedrock/own"]),
    ("order, and keys for all", [own(name) for name in THREE], {"order": THREE},
     ["bedrock/own", "vertex/own", "anthropic/own", *THREE]),
    ("order, and a key for vertex", [own("vertex")], {"order": ["bedrock", "vertex"]},
     ["vertex/own", "bedrock", "vertex", "anthropic"]),
    ("sort within each section", [own("vertex", price=7), own("bedrock")], {"sort": "price"},
     ["vertex/own", "bedrock/own", "anthropic", "vertex", "bedrock"]),
    ("no fallbacks: the top alone", [own("vertex")], {"allow_fallbacks": False}, ["vertex/own"]),
    ("no fallbacks: the listed order", [own("vertex")],
     {"allow_fallbacks": False, "order": ["bedrock", "vertex"]}, ["vertex/own", "bedrock", "vertex"]),
    ("no fallbacks: a key as fallback", [own("bedrock", "last", 0.1)], {"allow_fallbacks": False},
     ["anthropic"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "provider", "expected"),
    [pytest.param(*row[1:], id=f"3.9 {row[0]}") for row in OWN_ROWS],
)
def test_callers_own_keys_stand_around_ours(
    keys: list[Endpoint], provider: dict[str, Any], expected: list[str]
) -> None:
    assert expected == planned(sold(*keys), provider=provider)


def test_3_9_data_policies_come_before_own_keys() -> None:
    assert [] == [
        name
        for name in planned(
            market(seller("safe", 9, retains_prompts=False), own("vertex")), provider={"zdr": True}
        )
        if name != "safe"
    ]
