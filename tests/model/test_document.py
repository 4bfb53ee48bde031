"""JSON that may be anything, read without surprises."""

import pytest

from proxy.model.document import as_count, as_document, as_list


def test_what_is_not_an_object_or_array_counts_as_an_empty_one() -> None:
    assert {} == as_document([1])
    assert {"a": 1} == as_document({"a": 1})
    assert [] == as_list({"a": 1})
    assert [1] == as_list([1])


@pytest.mark.parametrize(
    ("value", "count"),
    [(5, 5), (5.9, 5), (True, 0), (-1, 0), (10**30, 0), ("5", 0), (None, 0), (float("nan"), 0)],
)
def test_a_token_count_is_sensible_or_zero(value: object, count: int) -> None:
    assert count == as_count(value)  # type: ignore[arg-type]
