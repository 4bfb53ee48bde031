"""Service tiers serve who opted in, by whichever way; flex never falls back. (3.8)"""

from typing import Any

import pytest

from proxy.model.preferences import Preferences
from proxy.policy.roster import make_roster
from proxy.policy.suffixes import Sorting
from proxy.policy.tiers import Wanted, by_tier, tier_wanted
from tests.fakes.market import market, names, seller
from tests.fakes.things import a_call

USUAL, OTHER = seller("acme", 2, quantization="fp8"), seller("other", 3)
FLEX = seller("acme", 1, tag="flex", tier="flex", quantization="fp8")
FAST = seller("acme", 4, tag="priority", tier="priority")
FASTEST = seller("acme", 8, tag="ultrafast", tier="ultrafast")
ROSTER = make_roster(market(USUAL, OTHER, FLEX, FAST, FASTEST))
F, P, U, D = "acme/flex", "acme/priority", "acme/ultrafast", ["acme", "other"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"service_tier": "flex"}, "flex"),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "fast"}, "priority"),
        ({"service_tier": "ultrafast"}, "ultrafast"),
        ({"service_tier": "default"}, "default"),
        ({"service_tier": "standard_only"}, "default"),
        ({"service_tier": "auto"}, None),
        ({"service_tier": "scale"}, None),
        ({"service_tier": "gold"}, None),
        ({"service_tier": None}, None),
        ({"speed": "fast"}, "priority"),
        ({"speed": "standard"}, None),
        ({"speed": 1}, None),
        ({"service_tier": "auto", "speed": "fast"}, "priority"),
        ({"service_tier": "flex", "speed": "fast"}, "flex"),
    ],
    ids=str,
)
def test_3_8_a_tier_has_several_names(fields: dict[str, Any], expected: Wanted | None) -> None:
    call = a_call()
    call.body = {**call.body, **fields}

    assert expected == tier_wanted(call)


ROWS: list[tuple[str, Wanted | None, Sorting | None, dict[str, Any], list[str]]] = [
    ("nobody asked", None, None, {}, D),
    ("default", "default", None, {}, D),
    ("flex: flex alone", "flex", None, {}, [F]),
    ("priority: it and the usual", "priority", None, {}, [*D, P]),
    ("ultrafast: then priority, then the usual", "ultrafast", None, {}, [*D, P, U]),
    (":nitro admits priority", None, "nitro", {}, [*D, P]),
    (":floor admits flex", None, "floor", {}, [F, *D]),
    (":exacto admits none", None, "exacto", {}, D),
    ("default switches :nitro's admission off", "default", "nitro", {}, D),
    ("default switches :floor's admission off", "default", "floor", {}, D),
    ("order switches :nitro's admission off", None, "nitro", {"order": ("other",)}, D),
    ("order switches :floor's admission off", None, "floor", {"order": ("acme",)}, D),
    ("named in order", None, None, {"order": ("acme/priority",)}, [*D, P]),
    ("named in only", None, None, {"only": ("acme/flex",)}, [F, *D]),
    ("a provider's name is no tier's", None, None, {"order": ("acme",), "only": ("acme",)}, D),
    ("a quantization names no tier", None, None, {"order": ("acme/fp8",)}, D),
    (
        "flex does not fall back to whom order names",
        "flex",
        None,
        {"order": ("acme", "other")},
        [F],
    ),
    ("flex beside another tier by name", "flex", None, {"only": ("acme/priority",)}, [F, P]),
]


@pytest.mark.parametrize(
    ("wanted", "sorting", "fields", "expected"),
    [row[1:] for row in ROWS],
    ids=[f"3.8 {row[0]}" for row in ROWS],
)
def test_3_8_a_tier_serves_who_opted_in(
    wanted: Wanted | None, sorting: Sorting | None, fields: dict[str, Any], expected: list[str]
) -> None:
    found = by_tier(ROSTER, wanted, sorting, Preferences(**fields))

    assert sorted(expected) == sorted(names(found))
    assert [e for e in ROSTER.every if e in found] == found


def test_3_8_a_model_without_flex_routes_as_usual() -> None:
    roster = make_roster(market(USUAL, FAST))

    assert ["acme"] == names(by_tier(roster, "flex", None, Preferences()))
