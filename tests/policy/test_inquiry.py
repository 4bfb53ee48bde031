"""From names and preferences to a plan, an explanation or a refusal. (3.7, names)"""

from typing import Any

import pytest

from proxy.errors import InvalidRequestError, NoEndpointError, UnknownModelError
from proxy.model.preferences import ANYTHING
from proxy.model.standing import NOTHING_KNOWN
from proxy.policy.inquiry import EXACTO, Inquiry, decide, explanation, inquire, refused
from tests.fakes.market import asking, at, listed, market, rosters, seller
from tests.fakes.things import a_call

BASE = market(seller("a", 1), seller("b", 2))
FREE = market(seller("a", 0), id_="maker/model:free")
ONLY_FREE = market(seller("a", 0), id_="maker/gift:free")
LLAMA = market(seller("a", 1), id_="meta/llama:8b")
MODELS = (BASE, FREE, ONLY_FREE, LLAMA)
CATALOG = listed(*MODELS, aliases={"old": "maker/model", "older:free": "maker/model:free"})


def resolved(name: str, *others: str) -> Inquiry:
    return inquire(a_call(model=name, models=[*others]), CATALOG, rosters(MODELS))


ROWS: list[tuple[str, str, str | None]] = [
    ("maker/model", "maker/model", None),
    ("maker/model:free", "maker/model:free", None),
    ("maker/model:free:nitro", "maker/model:free", "nitro"),
    ("maker/model:nitro:free", "maker/model:free", "nitro"),
    ("maker/model:floor:nitro", "maker/model", "nitro"),
    ("maker/model:beta", "maker/model", None),
    ("model:nitro", "maker/model", "nitro"),
    ("old", "maker/model", None),
    ("old:floor", "maker/model", "floor"),
    ("old:free", "maker/model:free", None),
    ("older:free:nitro", "maker/model:free", "nitro"),
    ("maker/gift:free", "maker/gift:free", None),
    ("maker/gift:free:floor", "maker/gift:free", "floor"),
    ("gift:free", "maker/gift:free", None),
    ("meta/llama:8b", "meta/llama:8b", None),
    ("meta/llama:8b:nitro", "meta/llama:8b", "nitro"),
]


@pytest.mark.parametrize(("name", "model", "sorting"), ROWS, ids=[f"3.7 {row[0]}" for row in ROWS])
def test_names_are_resolved(name: str, model: str, sorting: str | None) -> None:
    (target,) = resolved(name).targets

    assert (model, sorting) == (target.roster.model.id, target.sorting)


@pytest.mark.parametrize(
    "name", ["maker/model:batch", "old:thinking", "meta/llama:8b:extended:nitro"]
)
def test_3_7_a_variant_without_an_entry_does_not_fall_back(name: str) -> None:
    with pytest.raises(
        NoEndpointError, match=r"No endpoints found for .*:(batch|thinking|extended)\."
    ):
        resolved(name)


@pytest.mark.parametrize(
    "name", ["no/such", "no/such:nitro", "no/such:free", ":nitro", "maker/gift"]
)
def test_unknown_models_are_told(name: str) -> None:
    with pytest.raises(UnknownModelError):
        resolved(name)


def test_3_7_each_of_several_models_may_have_suffixes() -> None:
    found = resolved("maker/model:nitro", "meta/llama:8b:floor", "maker/model:free")

    assert [
        ("maker/model", "nitro"), ("meta/llama:8b", "floor"), ("maker/model:free", None),
    ] == [(target.roster.model.id, target.sorting) for target in found.targets]  # fmt: skip


def test_a_model_asked_for_by_two_names_is_asked_for_once() -> None:
    found = resolved("maker/model:nitro", "old", "model:floor")

    assert [("maker/model", "nitro")] == [(t.roster.model.id, t.sorting) for t in found.targets]


def test_what_has_no_effect_is_noted() -> None:
    assert (":beta has no effect.",) == resolved("maker/model:beta").notes
    assert (f":{EXACTO}",) == resolved("maker/model:exacto").notes
    assert () == resolved("maker/model:nitro").notes
    sorted_ = asking(BASE, provider={"sort": "exacto"})
    assert (f"provider.sort: {EXACTO}",) == sorted_.notes
    assert () == asking(BASE, provider={"sort": "price"}).notes


def test_preferences_are_read() -> None:
    assert asking(BASE).wanted is ANYTHING
    assert ("a",) == asking(BASE, provider={"order": ["A"]}).wanted.order


@pytest.mark.parametrize(
    ("provider", "path"),
    [({"sort": "x"}, "provider.sort"), ({"ignore": ["b", "aaaab"]}, "")],
    ids=str,
)
def test_bad_preferences_are_refused_and_strangers_are_not(
    provider: dict[str, Any], path: str
) -> None:
    if not path:
        assert ("b", "aaaab") == asking(BASE, provider=provider).wanted.ignore
        return
    with pytest.raises(InvalidRequestError) as raised:
        asking(BASE, provider=provider)
    assert {"field": path} == raised.value.metadata


def test_a_slip_in_ignore_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="nearest known one is 'together'"):
        asking(market(seller("together", 1)), provider={"ignore": ["togeter"]})


def test_a_plan_is_made_or_refused_with_reasons() -> None:
    plan = decide(asking(BASE), at(NOTHING_KNOWN), attempts_max=1)
    assert ["a:maker/model"] == [offer.id for offer in plan.offers]

    nobody = asking(BASE, provider={"only": ["nobody"]})
    with pytest.raises(NoEndpointError) as raised:
        decide(nobody, at(NOTHING_KNOWN), attempts_max=1)
    assert raised.value.message == refused(nobody, at(NOTHING_KNOWN)).message
    assert raised.value.metadata == refused(nobody, at(NOTHING_KNOWN)).metadata


def test_an_explanation_is_of_the_plan_that_would_be_made() -> None:
    inquiry = resolved("maker/model:beta")
    found = explanation(inquiry, at(NOTHING_KNOWN, draw=0.99), attempts_max=1)

    assert ["b:maker/model"] == [one.endpoint for one in found.candidates if one.selected]
    assert [":beta has no effect."] == found.notes
    nobody = explanation(asking(BASE, provider={"zdr": True}), at(NOTHING_KNOWN), attempts_max=1)
    assert [None, None] == [one.place for one in nobody.candidates]
