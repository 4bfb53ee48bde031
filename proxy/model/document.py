"""JSON as Python holds it."""

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Any JSON value."""

Document: TypeAlias = dict[str, Json]
"""A JSON object."""


def as_document(value: Json) -> Document:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_count(value: Json) -> int:
    """`value` if it is a sensible token count, else 0: providers send null, negatives and floats."""
    if type(value) is int or type(value) is float:  # bool is an int, and no count
        return int(value) if 0 <= value <= COUNT_MAX else 0
    return 0


COUNT_MAX = 1_000_000_000
"""Largest token count believed; a thousand times the longest context sold in 2026."""
