"""Specimens of JSON schemas."""

from typing import Any

import pytest

from proxy.sandbox.specimen import specimen

PLACE = {
    "type": "object",
    "required": ["city", "unit", "days"],
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1},
        "note": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (PLACE, {"city": "", "unit": "celsius", "days": 1}),
        ({"const": 7, "type": "integer"}, 7),
        ({"default": None, "enum": ["a"]}, None),
        ({"examples": ["x"], "type": "string"}, "x"),
        ({"type": ["null", "string"]}, ""),
        ({"type": ["null"]}, None),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": "martian"}, None),
        ({"type": 5}, None),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "string", "minLength": -3}, ""),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "format": 1}, ""),
        ({"type": "number", "minimum": 0.5}, 0.5),
        ({"type": "number", "minimum": True}, 0),
        ({"type": "integer", "minimum": 0.5}, 1),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "minimum": 1e300}, 2**53),
        ({"type": "number", "maximum": -1e300}, -(2**53)),
        ({"type": "integer", "exclusiveMinimum": -4}, 0),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "exclusiveMaximum": 5}, 0),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"items": {"type": "string"}, "minItems": 2}, ["", ""]),
        ({"properties": {"a": {"type": "string"}}}, {}),
        ({"required": ["a", 1]}, {"a": None}),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 0),
        ({"oneOf": [{"type": "null"}]}, None),
        ({"allOf": [{"type": "string"}]}, ""),
        (
            {"allOf": [{"required": ["a"]}], "required": ["b"], "properties": {"b": {"const": 1}}},
            {"a": None, "b": 1},
        ),
        (
            {"$defs": {"a/b": {"type": "string"}}, "required": ["x"],
             "properties": {"x": {"$ref": "#/$defs/a~1b"}}},
            {"x": ""},
        ),
        ({"$ref": "#/nowhere"}, None),
        ({"$ref": "https://example.com/schema.json"}, None),
        ({}, None),
        (True, None),
        (None, None),
    ],
)  # fmt: skip
def test_the_smallest_value(schema: Any, expected: Any) -> None:
    assert expected == specimen(schema)


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert specimen({"$ref": "#"}) is None
    node = specimen({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}})
    assert isinstance(node, dict)


def test_a_schema_that_explodes_is_cut() -> None:
    many: Any = {"type": "string"}
    for _ in range(12):
        many = {"type": "array", "minItems": 1_000, "items": many}

    assert len(str(specimen(many))) < 20_000
