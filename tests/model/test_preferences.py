"""Wishes are values: nothing is wished for unless said, and they cannot be changed."""

from typing import get_args

import pytest

from proxy.model.preferences import (
    ANYTHING,
    Cutoffs,
    Preferences,
    PriceCeiling,
    Quantization,
    Sort,
    SortKey,
)


def test_nothing_is_wished_for_unless_said() -> None:
    assert Preferences() == ANYTHING
    assert (None, (), True) == (ANYTHING.only, ANYTHING.order, ANYTHING.allow_fallbacks)
    assert (None, None) == (Cutoffs().p50, PriceCeiling().prompt)
    assert "model" == Sort("price").partition


def test_3_2_names_are_those_of_the_api() -> None:
    assert {"price", "throughput", "latency", "exacto"} == set(get_args(SortKey))
    assert 12 == len(get_args(Quantization))
    assert {"mxfp8", "nvfp4", "unknown"} <= set(get_args(Quantization))


def test_wishes_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ANYTHING.zdr = True  # type: ignore[misc]
