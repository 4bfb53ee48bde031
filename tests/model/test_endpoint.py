"""An endpoint's name is made of its parts; its values cannot be changed."""

from dataclasses import FrozenInstanceError, replace

import pytest

from tests.fakes.things import a_model, an_endpoint


@pytest.mark.parametrize(
    ("tag", "name"), [("", "acme:maker/model"), ("fp8", "acme/fp8:maker/model")]
)
def test_an_endpoint_is_named_by_provider_tag_and_model(tag: str, name: str) -> None:
    assert name == an_endpoint(tag=tag).id


def test_a_changed_copy_is_named_anew() -> None:
    assert "acme/fast:maker/model" == replace(an_endpoint(), tag="fast").id


def test_an_endpoint_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        an_endpoint().tag = "x"  # type: ignore[misc]


def test_what_a_provider_does_with_prompts_is_unknown_unless_said() -> None:
    provider = an_endpoint().provider

    assert (None, None) == (provider.retains_prompts, provider.trains_on_prompts)


def test_a_model_holds_its_endpoints_in_order() -> None:
    first, second = an_endpoint("one"), an_endpoint("two")

    assert (first, second) == a_model(first, second).endpoints
