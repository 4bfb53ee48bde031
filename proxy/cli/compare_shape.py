"""Whether a text is JSON of a certain shape: types and required keys, at every depth; pure.

Rule 1: this is no validator of JSON schema: of a schema only `type`, `properties`, `required` and `items`
are looked at; a text that passes may still break its other rules.
"""

import orjson

from proxy.model.document import Document, Json, as_document, as_list

DEPTH_MAX = 64
"""Levels of a schema that are looked at."""


def has_shape(text: str, schema: Document) -> bool:
    """Whether `text` is one JSON value with the types and keys that `schema` demands."""
    try:
        value: Json = orjson.loads(text)
    except ValueError:
        return False
    return fits(value, schema)


def fits(value: Json, schema: Document, depth: int = DEPTH_MAX) -> bool:
    """Whether a value has these types and keys."""
    wanted = schema.get("type")
    names = as_list(wanted) if isinstance(wanted, list) else [wanted]
    if wanted is not None and not any(_is(value, name) for name in names):
        return False
    if depth == 0:
        return True
    if isinstance(value, dict):
        parts = as_document(schema.get("properties"))
        required = as_list(schema.get("required"))
        return all(key in value for key in required if isinstance(key, str)) and all(
            fits(value[key], as_document(part), depth - 1)
            for key, part in parts.items()
            if key in value
        )
    if isinstance(value, list):
        every = as_document(schema.get("items"))
        return all(fits(item, every, depth - 1) for item in value)
    return True


def _is(value: Json, name: Json) -> bool:
    match name:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        case _:  # a word that is no type demands nothing that we could look for
            return True
