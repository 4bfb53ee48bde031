"""The smallest value that a JSON schema allows, for tool arguments and structured answers; pure.

Preference: const, default, first of enum, first example, else the zero of the type. Keywords that would
need a search (pattern, not, if) are ignored: the sandbox shows the shape, it does not solve.

Rule 1: any schema ends: depth, number of values and length of strings are bounded.
"""

from proxy.model.document import Document, Json, as_document, as_list

DEPTH_MAX = 24
VALUES_MAX = 500
"""Most values in one specimen; beyond it every value is null."""
STRING_MAX = 1_000
ITEMS_MAX = 16
NUMBER_MAX = 2**53
"""Beyond it JSON readers disagree (RFC 8259, section 6), and beyond 64 bits orjson refuses."""

FORMATS: dict[str, str] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""Strings for `format`; addresses are those reserved for documentation (RFC 2606, 5737, 3849)."""


def specimen(schema: Json) -> Json:
    """A value for `schema`; null where it says nothing."""
    return _Builder(as_document(schema)).build(schema, depth=0)


class _Builder:
    """Keeps the root for `$ref` and the number of values left."""

    def __init__(self, root: Document) -> None:
        self._root = root
        self._left = VALUES_MAX

    def build(self, schema: Json, *, depth: int) -> Json:
        self._left -= 1
        if depth > DEPTH_MAX or self._left < 0 or not isinstance(schema, dict):
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return self.build(self._resolve(reference), depth=depth + 1)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("enum", "examples"):
            if values := as_list(schema.get(key)):
                return values[0]
        for key in ("anyOf", "oneOf", "allOf"):
            if choices := as_list(schema.get(key)):
                return self._combine(schema, choices, all_of=key == "allOf", depth=depth)
        return self._of_type(schema, depth)

    def _resolve(self, reference: str) -> Json:
        """What a local reference such as "#/$defs/Place" names; nothing is ever fetched."""
        node: Json = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            node = as_document(node).get(part.replace("~1", "/").replace("~0", "~"))
        return node

    def _combine(self, schema: Document, choices: list[Json], *, all_of: bool, depth: int) -> Json:
        if not all_of:
            chosen = next((c for c in choices if as_document(c).get("type") != "null"), choices[0])
            return self.build(chosen, depth=depth + 1)
        own: Document = {key: value for key, value in schema.items() if key != "allOf"}
        parts = [self.build(c, depth=depth + 1) for c in [own, *choices][:ITEMS_MAX]]
        merged: Document = {}
        for part in parts:
            merged |= as_document(part)
        return merged or next((part for part in parts if part is not None), None)

    def _of_type(self, schema: Document, depth: int) -> Json:
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                count = min(_whole(schema.get("minItems")), ITEMS_MAX)
                items = schema.get("items")
                return [self.build(items, depth=depth + 1) for _ in range(count)]
            case "string":
                return _string(schema)
            case "integer" | "number" as name:
                return _number(schema, whole=name == "integer")
            case "boolean":
                return False
            case _:
                return None

    def _object(self, schema: Document, depth: int) -> Document:
        properties = as_document(schema.get("properties"))
        names = [name for name in as_list(schema.get("required")) if isinstance(name, str)]
        return {name: self.build(properties.get(name), depth=depth + 1) for name in names}


def _type_of(schema: Document) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = next((name for name in named if name != "null"), "null")
    if isinstance(named, str):
        return named
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema else "null"


def _string(schema: Document) -> str:
    known = schema.get("format")
    text = FORMATS.get(known, "") if isinstance(known, str) else ""
    return text.ljust(min(_whole(schema.get("minLength")), STRING_MAX), "x")


def _number(schema: Document, *, whole: bool) -> int | float:
    """Zero if allowed, else the bound nearest to it."""
    value: int | float = 0
    if (low := _real(schema.get("minimum"))) is not None:
        value = max(value, low)
    if (low := _real(schema.get("exclusiveMinimum"))) is not None and low >= value:
        value = low + 1
    if (high := _real(schema.get("maximum"))) is not None:
        value = min(value, high)
    if (high := _real(schema.get("exclusiveMaximum"))) is not None and high <= value:
        value = high - 1
    value = max(-NUMBER_MAX, min(value, NUMBER_MAX))
    return -int(-value // 1) if whole else value


def _real(value: Json) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Json) -> int:
    number = _real(value)
    return int(number) if number is not None and 0 < number <= STRING_MAX else 0
