"""An endpoint's name is made of its parts; its values cannot be changed."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from proxy.model.endpoint import PARAMETERS, Credential
from tests.fakes.things import a_model, a_provider, an_endpoint


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


def test_a_key_is_limited_if_anything_of_it_is() -> None:
    unlimited = Credential("env:K", weight=2.0)
    limited = (
        Credential("env:K", 1),
        Credential("env:K", tpm=1),
        Credential("env:K", None, None, 1),
    )

    assert not unlimited.limited
    assert all(one.limited for one in limited)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, {"acme", "acme cloud"}),
        ({"tag": "us-east5"}, {"acme", "acme cloud", "acme/us-east5"}),
        ({"quantization": "FP8"}, {"acme", "acme cloud", "acme/fp8"}),
        ({"tag": "turbo", "quantization": "fp8"}, {"acme", "acme cloud", "acme/turbo", "acme/fp8"}),
        ({"tier": "flex"}, {"acme/flex"}),
        ({"tier": "flex", "tag": "flex"}, {"acme/flex"}),
        (
            {"tier": "priority", "tag": "fast", "quantization": "fp8"},
            {"acme/fast", "acme/priority"},
        ),
    ],
    ids=str,
)
def test_3_1_lists_may_call_an_endpoint_by_several_names(
    fields: dict[str, Any], names: set[str]
) -> None:
    provider = replace(a_provider(), name="Acme Cloud")

    assert names == an_endpoint(provider, **fields).names


def test_what_is_listed_of_an_endpoint_withholds_the_rest() -> None:
    assert frozenset() == an_endpoint().withheld
    assert (
        PARAMETERS - {"tools", "seed"}
        == an_endpoint(supported_parameters=("tools", "seed", "max_tokens")).withheld
    )
    assert (
        frozenset()
        == replace(an_endpoint(supported_parameters=("tools",)), supported_parameters=()).withheld
    )


def test_an_endpoint_promises_nothing_unless_said() -> None:
    one = an_endpoint()

    assert (None, None, None, None) == (
        one.tier, one.own_key, one.expected_ttft_s, one.expected_throughput,
    )  # fmt: skip
