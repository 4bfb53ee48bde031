"""The `provider` object: every field is read, wrong ones are named, unknown ones pass."""

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from proxy.errors import InvalidRequestError
from proxy.model.preferences import ANYTHING, Cutoffs, Preferences, PriceCeiling, Sort
from proxy.policy.preferences import (
    CACHED_BYTES_MAX,
    NAMES_MAX,
    WHY_CHARACTERS_MAX,
    read_preferences,
    refused,
)
from tests.fakes.market import usd

ROWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"unknown": [1]}, {}),
    ({"order": ["Acme", "acme", "b/FP8"]}, {"order": ("acme", "b/fp8")}),
    ({"order": None}, {}),
    ({"only": ["Acme"]}, {"only": ("acme",)}),
    ({"only": []}, {"only": ()}),
    ({"only": None}, {"only": None}),
    ({"ignore": ["ACME"]}, {"ignore": ("acme",)}),
    ({"allow_fallbacks": False}, {"allow_fallbacks": False}),
    ({"allow_fallbacks": None}, {"allow_fallbacks": True}),
    ({"require_parameters": True}, {"require_parameters": True}),
    ({"data_collection": "deny"}, {"deny_collection": True}),
    ({"data_collection": "allow"}, {}),
    ({"zdr": True}, {"zdr": True}),
    ({"zdr": False}, {}),
    ({"enforce_distillable_text": True}, {"distillable": True}),
    ({"quantizations": ["fp8", "unknown", "fp8"]}, {"quantizations": frozenset(("fp8", "unknown"))}),
    ({"sort": "latency"}, {"sort": Sort("latency", "model")}),
    ({"sort": {"by": "price", "partition": "none"}}, {"sort": Sort("price", "none")}),
    ({"sort": {"by": "exacto"}}, {"sort": Sort("exacto", "model")}),
    ({"sort": {"by": "price", "partition": None}}, {"sort": Sort("price", "model")}),
    ({"sort": {"by": None, "partition": "none"}}, {"sort": Sort("price", "none")}),
    ({"sort": {"by": None, "partition": "model"}}, {"sort": None}),
    ({"sort": {}}, {"sort": None}),
    ({"max_price": {"prompt": 1, "completion": "2.5"}}, {"price_max": PriceCeiling(usd(1), usd(2.5))}),
    ({"max_price": {"request": 0.001}}, {"price_max": PriceCeiling(request=usd(1_000))}),
    ({"max_price": {"image": 1, "audio": "2"}}, {"price_max": PriceCeiling()}),
    ({"max_price": {"prompt": 1e-12}}, {"price_max": PriceCeiling(usd(0))}),
    ({"preferred_min_throughput": 50}, {"throughput_min": Cutoffs(p50=50.0)}),
    ({"preferred_min_throughput": {"p90": 5, "p99": 1}}, {"throughput_min": Cutoffs(p90=5.0, p99=1.0)}),
    ({"preferred_max_latency": 0}, {"latency_max": Cutoffs(p50=0.0)}),
    ({"preferred_max_latency": {"p50": 1, "p75": 2}}, {"latency_max": Cutoffs(1.0, 2.0)}),
    ({"options": {"Acme": {"X": 1}}}, {"options": {"acme": {"X": 1}}}),
    ({"options": {}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "fields"), ROWS, ids=str)
def test_every_field_is_read(written: dict[str, Any], fields: dict[str, Any]) -> None:
    assert Preferences(**fields) == read_preferences(written)


HUGE = 10**400
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"order": "acme"}, "order"),
    ({"order": [1]}, "order[0]"),
    ({"order": ["a"] * (NAMES_MAX + 1)}, "order"),
    ({"only": ["a", None]}, "only[1]"),
    ({"only": {}}, "only"),
    ({"ignore": ["x" * 101]}, "ignore[0]"),
    ({"ignore": 1}, "ignore"),
    ({"allow_fallbacks": "no"}, "allow_fallbacks"),
    ({"require_parameters": 1}, "require_parameters"),
    ({"data_collection": "maybe"}, "data_collection"),
    ({"data_collection": True}, "data_collection"),
    ({"zdr": "true"}, "zdr"),
    ({"enforce_distillable_text": []}, "enforce_distillable_text"),
    ({"quantizations": "fp8"}, "quantizations"),
    ({"quantizations": ["fp8", "fp9"]}, "quantizations[1]"),
    ({"quantizations": ["fp8", None]}, "quantizations[1]"),
    ({"sort": "speed"}, "sort"),
    ({"sort": 1}, "sort"),
    ({"sort": {"by": "speed"}}, "sort.by"),
    ({"sort": {"by": "price", "partition": "all"}}, "sort.partition"),
    ({"max_price": 1}, "max_price"),
    ({"max_price": {"prompt": "cheap"}}, "max_price.prompt"),
    ({"max_price": {"prompt": "NaN"}}, "max_price.prompt"),
    ({"max_price": {"prompt": "Infinity"}}, "max_price.prompt"),
    ({"max_price": {"prompt": math.nan}}, "max_price.prompt"),
    ({"max_price": {"prompt": math.inf}}, "max_price.prompt"),
    ({"max_price": {"prompt": 1e308}}, "max_price.prompt"),
    ({"max_price": {"prompt": HUGE}}, "max_price.prompt"),
    ({"max_price": {"prompt": "9" * 101}}, "max_price.prompt"),
    ({"max_price": {"completion": -1}}, "max_price.completion"),
    ({"max_price": {"completion": "-0.01"}}, "max_price.completion"),
    ({"max_price": {"completion": True}}, "max_price.completion"),
    ({"max_price": {"completion": "0.0000000001"}}, "max_price.completion"),
    ({"max_price": {"image": -1}}, "max_price.image"),
    ({"max_price": {"audio": "loud"}}, "max_price.audio"),
    ({"max_price": {"request": []}}, "max_price.request"),
    ({"max_price": {"request": "x"}}, "max_price.request"),
    ({"preferred_min_throughput": -1}, "preferred_min_throughput"),
    ({"preferred_min_throughput": "fast"}, "preferred_min_throughput"),
    ({"preferred_min_throughput": math.nan}, "preferred_min_throughput"),
    ({"preferred_min_throughput": {"p90": math.nan}}, "preferred_min_throughput.p90"),
    ({"preferred_min_throughput": {"p90": "5"}}, "preferred_min_throughput.p90"),
    ({"preferred_max_latency": math.inf}, "preferred_max_latency"),
    ({"preferred_max_latency": 1e308}, "preferred_max_latency"),
    ({"preferred_max_latency": True}, "preferred_max_latency"),
    ({"preferred_max_latency": {"p50": -0.5}}, "preferred_max_latency.p50"),
    ({"options": []}, "options"),
    ({"options": {"acme": 1}}, "options[...]"),
]


@pytest.mark.parametrize(("written", "path"), WRONG, ids=lambda v: str(v)[:60])
def test_what_is_wrong_is_named_by_its_path(written: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        read_preferences(written)

    assert raised.value.message.endswith(f" - at `$.provider.{path}`")
    assert {"field": f"provider.{path}"} == raised.value.metadata
    assert 400 == raised.value.status


@pytest.mark.parametrize("field", ["sort", "data_collection"])
def test_a_complaint_does_not_repeat_a_megabyte(field: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        read_preferences({field: "x" * 1_000_000})

    assert len(raised.value.message) < WHY_CHARACTERS_MAX + 100
    assert {"field": f"provider.{field}"} == raised.value.metadata


def test_nothing_written_is_anything() -> None:
    assert read_preferences({}) is ANYTHING


def test_the_same_object_is_read_once_and_a_long_one_every_time() -> None:
    short, long = {"order": ["acme"]}, {"options": {"acme": {"x": "y" * CACHED_BYTES_MAX}}}

    assert read_preferences({**short}) is read_preferences({**short})
    assert read_preferences({**long}) == read_preferences({**long})
    assert read_preferences(long) is not read_preferences(long)


def test_what_json_cannot_hold_is_read_all_the_same() -> None:
    assert ("\ud800",) == read_preferences({"ignore": ["\ud800"]}).ignore
    assert HUGE == read_preferences({"options": {"acme": {"x": HUGE}}}).options["acme"]["x"]


def test_an_error_can_be_made_of_any_field() -> None:
    assert "Why - at `$.provider.x`" == refused("x", "Why").message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    "order only ignore allow_fallbacks require_parameters data_collection zdr sort max_price options "
    "enforce_distillable_text quantizations preferred_min_throughput preferred_max_latency x".split()
)


@given(
    st.dictionaries(FIELDS, JSON | st.fixed_dictionaries({"prompt": JSON, "p50": JSON, "by": JSON}))
)
def test_whatever_is_written_is_read_or_refused_by_name(written: dict[str, Any]) -> None:
    try:
        found = read_preferences(written)
    except InvalidRequestError as error:
        assert str(error.metadata["field"]).startswith("provider.")
        return
    for cutoffs in (found.throughput_min, found.latency_max):
        assert cutoffs is None or all(
            v is None or math.isfinite(v) for v in (cutoffs.p50, cutoffs.p99)
        )
