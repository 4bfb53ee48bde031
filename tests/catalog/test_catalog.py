"""How a client's name for a model is understood."""

from dataclasses import replace

import pytest

from proxy.catalog.catalog import Catalog, Listing
from proxy.errors import UnknownModelError
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.units import NanoDollarsPerMillion

PRICE = NanoDollarsPerMillion(1)
PROVIDER = Provider(id="p", name="P", dialect="openai-chat", base_url="http://p")


def model(name: str, *upstream: str) -> Model:
    endpoints = tuple(
        Endpoint(PROVIDER, name, other, Prices(PRICE, PRICE), 10, tag=str(index))
        for index, other in enumerate(upstream)
    )
    return Model(id=name, name=name, created=0, context_length=10, endpoints=endpoints)


def catalog() -> Catalog:
    models = [
        model("openai/gpt-4o", "gpt-4o-native", "gpt-4o-native"),
        model("meta/llama", "llama-versatile"),
        model("other/llama", "shared"),
        model("a/one", "shared"),
    ]
    return Catalog(
        models=models,
        providers=[replace(PROVIDER, id="z"), PROVIDER],
        aliases={"smart": "openai/gpt-4o", "gone": "not/served"},
        listings=[Listing(one, ()) for one in models],
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("smart", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-native", "openai/gpt-4o"),
        ("llama-versatile", "meta/llama"),
    ],
)
def test_a_name_is_an_id_an_alias_a_slug_or_a_providers_own(name: str, expected: str) -> None:
    assert catalog().resolve(name).id == expected


@pytest.mark.parametrize("name", ["", "gpt", "OPENAI/GPT-4O", "gone", "not/served", "gpt-4o/"])
def test_anything_else_is_not_a_model(name: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        catalog().resolve(name)

    assert caught.value.message == f"{name} is not a valid model ID"
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("name", "candidates"), [("llama", "meta/llama, other/llama"), ("shared", "a/one, other/llama")]
)
def test_a_shared_name_is_refused_with_its_candidates(name: str, candidates: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        catalog().resolve(name)

    assert caught.value.message.endswith(f"it could be any of {candidates}")


def test_a_huge_name_is_not_repeated_whole() -> None:
    with pytest.raises(UnknownModelError) as caught:
        catalog().resolve("x" * 100_000)

    assert len(caught.value.message) < 300


def test_everything_is_in_order_of_id() -> None:
    found = catalog()

    assert list(found.models) == sorted(found.models)
    assert list(found.providers) == ["p", "z"]
    assert [one.model.id for one in found.all_models] == sorted(found.models)
    assert repr(found) == "<Catalog: 4 models at 2 providers>"


@pytest.mark.parametrize(
    "name",
    ["maker/swift-4.5", "swift-4.5", "swift-4-5", "swift-4-5-20250929", "swift-4.5-2025-09-29",
     "swift-4-5@20250929", "maker/swift-4-5"],
)  # fmt: skip
def test_a_date_and_the_kind_of_dot_do_not_matter(name: str) -> None:
    swift = model("maker/swift-4.5", "swift-4-5-20251101")
    found = Catalog(models=[swift, model("a/one", "x")], providers=[PROVIDER], aliases={})

    assert "maker/swift-4.5" == found.resolve(name).id


@pytest.mark.parametrize("name", ["swift-4-5-2025", "swift-45", "swift-4-5-19990101x"])
def test_but_other_digits_do(name: str) -> None:
    found = Catalog(models=[model("maker/swift-4.5", "y")], providers=[PROVIDER], aliases={})

    with pytest.raises(UnknownModelError):
        found.resolve(name)
