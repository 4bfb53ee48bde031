"""Types and required keys of JSON texts."""

import pytest

from proxy.cli.compare_shape import fits, has_shape
from proxy.model.document import Document, Json

PERSON: Document = {
    "type": "object",
    "required": ["name", "tags"],
    "properties": {
        "name": {"type": "string"},
        "age": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name":"a","tags":[]}', True),
        ('{"name":"a","tags":["x"],"age":null,"more":1}', True),
        ('{"name":"a","tags":["x"],"age":3}', True),
        ('{"name":"a"}', False),
        ('{"name":1,"tags":[]}', False),
        ('{"name":"a","tags":[1]}', False),
        ('{"name":"a","tags":[],"age":1.5}', False),
        ("[]", False),
        ("", False),
        ('```json\n{"name":"a","tags":[]}\n```', False),
        ('{"name":"a","tags":[]} and more', False),
    ],
)
def test_a_text_has_the_shape_or_not(text: str, expected: bool) -> None:
    assert expected is has_shape(text, PERSON)


@pytest.mark.parametrize(
    ("name", "fitting", "others"),
    [
        ("object", [{}], [[], "a", None]),
        ("array", [[]], [{}, "a"]),
        ("string", [""], [1, None]),
        ("boolean", [True, False], [0, 1]),
        ("null", [None], [0, False, ""]),
        ("number", [1, 1.5], [True, "1"]),
        ("integer", [1, 2.0], [True, 1.5, "1"]),
    ],
)
def test_each_type_is_told_from_the_others(
    name: str, fitting: list[Json], others: list[Json]
) -> None:
    assert [True] * len(fitting) == [fits(value, {"type": name}) for value in fitting]
    assert [False] * len(others) == [fits(value, {"type": name}) for value in others]


def test_what_is_not_understood_demands_nothing() -> None:
    assert fits(1, {})
    assert fits(1, {"type": "fruit"})
    assert fits({"a": 1}, {"properties": {"a": True}})
    assert fits({"a": 1}, {"required": [["a"], {}]})


def test_a_schema_is_looked_at_to_a_certain_depth() -> None:
    inner: Document = {"items": {"type": "string"}}

    assert not fits([1], inner, 1)
    assert fits([1], inner, 0)
