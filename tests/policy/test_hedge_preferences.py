"""`provider.hedge` and `provider.race`: read, and refused by name where they make no sense."""

import math
from typing import Any

import pytest

from proxy.config.settings import HedgingSettings
from proxy.errors import InvalidRequestError
from proxy.model.preferences import HedgeTerms, Preferences
from proxy.policy.inquiry import inquire
from proxy.policy.preferences import check_race, read_preferences
from proxy.units import NanoDollars, Seconds
from tests.fakes.market import asking, listed, market, rosters, seller
from tests.fakes.things import a_call


def terms(after_s: float | None = None, cost: int | None = None) -> HedgeTerms:
    return HedgeTerms(
        None if after_s is None else Seconds(after_s), None if cost is None else NanoDollars(cost)
    )


ROWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"hedge": True}, {}),
    ({"hedge": None}, {}),
    ({"hedge": False}, {"hedge": False}),
    ({"hedge": {}}, {"hedge": terms()}),
    ({"hedge": {"after_ms": None, "max_extra_cost": None}}, {"hedge": terms()}),
    ({"hedge": {"after_ms": 50}}, {"hedge": terms(0.05)}),
    ({"hedge": {"after_ms": 1500.5}}, {"hedge": terms(1.5005)}),
    ({"hedge": {"after_ms": 60_000}}, {"hedge": terms(60)}),
    ({"hedge": {"max_extra_cost": 0.02}}, {"hedge": terms(None, 20_000_000)}),
    ({"hedge": {"max_extra_cost": "0.02"}}, {"hedge": terms(None, 20_000_000)}),
    ({"hedge": {"max_extra_cost": 0}}, {"hedge": terms(None, 0)}),
    ({"hedge": {"max_extra_cost": 10}}, {"hedge": terms(None, 10**10)}),
    ({"hedge": {"after_ms": 300, "max_extra_cost": 1e-9, "x": 1}}, {"hedge": terms(0.3, 1)}),
    ({"race": None}, {}),
    ({"race": {}}, {}),
    ({"race": {"n": None}}, {}),
    ({"race": {"n": 1}}, {}),
    ({"race": {"n": 2}}, {"race": 2}),
    ({"race": {"n": 3}}, {"race": 3}),
    ({"race": {"n": 1}, "allow_fallbacks": False}, {"allow_fallbacks": False}),
    ({"race": {"n": 2}, "allow_fallbacks": False, "order": ["a", "b"]},
     {"race": 2, "allow_fallbacks": False, "order": ("a", "b")}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "fields"), ROWS, ids=str)
def test_hedges_and_races_are_read(written: dict[str, Any], fields: dict[str, Any]) -> None:
    assert Preferences(**fields) == read_preferences(written)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"hedge": 1}, "hedge"),
    ({"hedge": "yes"}, "hedge"),
    ({"hedge": []}, "hedge"),
    ({"hedge": {"after_ms": 49}}, "hedge.after_ms"),
    ({"hedge": {"after_ms": 60_001}}, "hedge.after_ms"),
    ({"hedge": {"after_ms": -1}}, "hedge.after_ms"),
    ({"hedge": {"after_ms": math.nan}}, "hedge.after_ms"),
    ({"hedge": {"after_ms": math.inf}}, "hedge.after_ms"),
    ({"hedge": {"after_ms": "300"}}, "hedge.after_ms"),
    ({"hedge": {"after_ms": True}}, "hedge.after_ms"),
    ({"hedge": {"max_extra_cost": -0.01}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": 10.01}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": "cheap"}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": "NaN"}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": math.nan}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": math.inf}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": 1e308}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": 10**400}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": "0.0000000001"}}, "hedge.max_extra_cost"),
    ({"hedge": {"max_extra_cost": []}}, "hedge.max_extra_cost"),
    ({"race": 2}, "race"),
    ({"race": True}, "race"),
    ({"race": {"n": 0}}, "race.n"),
    ({"race": {"n": 4}}, "race.n"),
    ({"race": {"n": 1.5}}, "race.n"),
    ({"race": {"n": "2"}}, "race.n"),
    ({"race": {"n": 2}, "allow_fallbacks": False}, "race.n"),
    ({"race": {"n": 2}, "allow_fallbacks": False, "order": ["a"]}, "race.n"),
]


@pytest.mark.parametrize(("written", "path"), WRONG, ids=lambda v: str(v)[:60])
def test_what_is_wrong_is_named_by_its_path(written: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        read_preferences(written)

    assert raised.value.message.endswith(f" - at `$.provider.{path}`")
    assert {"field": f"provider.{path}"} == raised.value.metadata


def test_a_race_without_fallbacks_says_what_it_lacks() -> None:
    with pytest.raises(InvalidRequestError, match="A race needs a second endpoint"):
        read_preferences({"race": {"n": 2}, "allow_fallbacks": False})


def test_a_race_is_as_large_as_the_operator_allows() -> None:
    check_race(Preferences(race=2), 2)
    with pytest.raises(InvalidRequestError, match="At most 2 attempts") as raised:
        check_race(Preferences(race=3), 2)

    assert {"field": "provider.race.n"} == raised.value.metadata


def test_the_limit_is_that_of_the_settings_and_two_where_they_say_nothing() -> None:
    model = market(seller("one", 1), seller("two", 1))
    wanted = {"race": {"n": 3}}
    with pytest.raises(InvalidRequestError, match="At most 2 attempts"):
        asking(model, provider=wanted)
    call, most = a_call(provider=wanted), HedgingSettings(race_max=3)
    inquiry = inquire(call, listed(model), rosters([model]), most)

    assert 3 == inquiry.wanted.race
    assert most is inquiry.hedging
    with pytest.raises(InvalidRequestError, match="At most 1 attempts"):
        asking_with(HedgingSettings(race_max=1), {"race": {"n": 2}})


def asking_with(hedging: HedgingSettings, wanted: dict[str, Any]) -> None:
    model = market(seller("one", 1))
    inquire(a_call(provider=wanted), listed(model), rosters([model]), hedging)
