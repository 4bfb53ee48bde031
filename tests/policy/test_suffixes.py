"""Suffixes of a model's name: which are ours, which combine, which belong to the name. (3.7)"""

from typing import Any

import pytest

from proxy.errors import InvalidRequestError
from proxy.policy.suffixes import Asked, take_apart

ROWS: list[tuple[str, Asked, str]] = [
    ("a/m", Asked("a/m"), "a/m"),
    ("a/m:free", Asked("a/m", "free"), "a/m:free"),
    ("a/m:batch", Asked("a/m", "batch"), "a/m:batch"),
    ("a/m:thinking", Asked("a/m", "thinking"), "a/m:thinking"),
    ("a/m:extended", Asked("a/m", "extended"), "a/m:extended"),
    ("a/m:nitro", Asked("a/m", sorting="nitro"), "a/m"),
    ("a/m:floor", Asked("a/m", sorting="floor"), "a/m"),
    ("a/m:exacto", Asked("a/m", sorting="exacto"), "a/m"),
    ("a/m:beta", Asked("a/m", ignored=("beta",)), "a/m"),
    ("a/m:free:nitro", Asked("a/m", "free", "nitro"), "a/m:free"),
    ("a/m:nitro:free", Asked("a/m", "free", "nitro"), "a/m:free"),
    ("a/m:floor:beta:free", Asked("a/m", "free", "floor", ("beta",)), "a/m:free"),
    ("a/m:nitro:floor", Asked("a/m", sorting="floor"), "a/m"),
    ("a/m:floor:free:nitro", Asked("a/m", "free", "nitro"), "a/m:free"),
    ("a/m:free:free", Asked("a/m", "free"), "a/m:free"),
    ("llama:8b", Asked("llama:8b"), "llama:8b"),
    ("llama:8b:nitro", Asked("llama:8b", sorting="nitro"), "llama:8b"),
    ("llama:nitro:8b", Asked("llama:nitro:8b"), "llama:nitro:8b"),
    ("a/m:NITRO", Asked("a/m:NITRO"), "a/m:NITRO"),
    (":nitro", Asked("", sorting="nitro"), ""),
    ("", Asked(""), ""),
]


@pytest.mark.parametrize(("name", "asked", "entry"), ROWS, ids=[f"3.7 {row[0]}" for row in ROWS])
def test_a_name_is_taken_apart(name: str, asked: Asked, entry: str) -> None:
    found = take_apart(name)

    assert asked == found
    assert entry == found.name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a/m:free:batch", "one variant, :free or :batch"),
        ("a/m:free:nitro:thinking", "one variant"),
        ("a/m:online", "no web search"),
        ("a/m:free:online", "no web search"),
    ],
)
def test_what_cannot_be_had_is_refused(name: str, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why) as raised:
        take_apart(name)

    expected: dict[str, Any] = {"field": "model"}
    assert expected == raised.value.metadata
    assert name in raised.value.message
