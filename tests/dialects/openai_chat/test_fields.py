"""Fields of a request by their types: null is nothing, another type is refused with its path."""

from typing import Any

import pytest

from proxy.dialects.openai_chat.fields import (
    OURS,
    STRIPPED,
    WITHHELD,
    an_object,
    as_json,
    flag_at,
    list_at,
    object_at,
    refused,
    text_at,
    word_at,
)
from proxy.errors import InvalidRequestError


def test_a_refusal_names_the_place_in_words_and_as_a_field() -> None:
    error = refused("$.messages[2].content", "No")

    assert ("No - at `$.messages[2].content`", "messages[2].content") == (
        error.message,
        error.metadata["field"],
    )


@pytest.mark.parametrize(
    ("read", "value", "missing", "wrong"),
    [
        (text_at, "a", "", 5),
        (flag_at, False, None, 0),
        (object_at, {"a": 1}, None, []),
        (list_at, [1], [], {}),
    ],
)
def test_a_field_is_of_its_type_or_null_or_refused(
    read: Any, value: Any, missing: Any, wrong: Any
) -> None:
    assert value == read({"x": value}, "x", "$")
    assert missing == read({"x": None}, "x", "$") == read({}, "x", "$")
    with pytest.raises(InvalidRequestError, match=r"Expected .* at `\$\.a\.x`"):
        read({"x": wrong}, "x", "$.a")


@pytest.mark.parametrize("document", [{}, {"x": None}, {"x": ""}])
def test_a_word_must_be_there(document: Any) -> None:
    assert "a" == word_at({"x": "a"}, "x", "$")
    with pytest.raises(InvalidRequestError, match=r"Missing or empty field - at `\$\.x`"):
        word_at(document, "x", "$")


def test_an_object_must_be_one() -> None:
    assert {} == an_object({}, "$")
    with pytest.raises(InvalidRequestError, match="object"):
        an_object("x", "$")


def test_what_nests_too_deep_to_be_written_is_no_json() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]

    assert ('{"a":"é"}', "") == (as_json({"a": "é"}), as_json(deep))


def test_what_no_provider_gets_is_ours_or_steers() -> None:
    assert WITHHELD == OURS | STRIPPED
    assert not OURS & STRIPPED
