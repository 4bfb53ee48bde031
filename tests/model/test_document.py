"""JSON values taken for what they should be, or for nothing."""

import math
from typing import Any

import pytest

from proxy.model.document import COUNT_MAX, as_count, as_document, as_list

OTHERS: list[Any] = [None, True, 5, 1.5, "x"]


def test_an_object_is_itself() -> None:
    value: dict[str, Any] = {"a": 1}

    assert value is as_document(value)


def test_an_array_is_itself() -> None:
    value: list[Any] = [1]

    assert value is as_list(value)


@pytest.mark.parametrize("value", [*OTHERS, []])
def test_what_is_no_object_is_an_empty_one(value: Any) -> None:
    assert {} == as_document(value)


@pytest.mark.parametrize("value", [*OTHERS, {}])
def test_what_is_no_array_is_an_empty_one(value: Any) -> None:
    assert [] == as_list(value)


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (7, 7), (7.9, 7), (COUNT_MAX, COUNT_MAX), (COUNT_MAX + 1, 0), (-1, 0), (-0.5, 0),
     (math.nan, 0), (math.inf, 0), (True, 0), ("7", 0), (None, 0), ([7], 0)],
)  # fmt: skip
def test_only_a_sensible_number_counts(value: Any, count: int) -> None:
    assert count == as_count(value)
