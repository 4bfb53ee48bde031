"""Environment variables laid over a document: `HEDGEROW_SERVER__BIND` is `server.bind`.

Rule 1: a double underscore nests. Names without one are ignored, but for `HEDGEROW_CATALOG`:
Kubernetes puts `HEDGEROW_PORT=tcp://…` beside a service of that name.
Rule 2: the type of the setting decides how its text is read: text stays text, a list may be
written with commas, everything else is a TOML value.
"""

import tomllib
from collections.abc import Mapping

import msgspec.inspect

from proxy.config.settings import Settings
from proxy.errors import ConfigError
from proxy.model.document import Document, Json

PREFIX = "HEDGEROW_"
TOP_LEVEL = {"HEDGEROW_CATALOG"}


def overlay_environment(document: Document, environ: Mapping[str, str]) -> Document:
    """Lay `HEDGEROW_*` variables over a decoded settings file; neither argument is changed.

    Raises: ConfigError naming the variable, for a name that leads through something not a table.
    """
    result = document
    for name in sorted(environ):
        if name.startswith(PREFIX) and ("__" in name or name in TOP_LEVEL):
            path = [part.lower() for part in name.removeprefix(PREFIX).split("__")]
            if not all(path):
                raise ConfigError(f"environment: {name}: a part of the name is empty")
            result = _with_value(result, path, name, environ[name])
    return result


def _with_value(document: Document, path: list[str], name: str, text: str) -> Document:
    """A copy of `document` with the value at `path` replaced."""
    kind: msgspec.inspect.Type | None = msgspec.inspect.type_info(Settings)
    result = dict(document)
    table = result
    *leading, last = path
    for index, part in enumerate(leading):
        key = _existing(table, part)
        kind = _inner(kind, key)
        below = table.get(key, {})
        if not isinstance(below, dict):
            raise ConfigError(f"environment: {name}: {'.'.join(path[: index + 1])} is not a table")
        table[key] = table = dict(below)
    key = _existing(table, last)
    table[key] = _read(text, _inner(kind, key))
    return result


def _existing(table: Document, part: str) -> str:
    """The key as the file spells it: variables have neither case nor hyphens."""
    same = [key for key in table if key.lower().replace("-", "_") == part]
    return same[0] if same else part


def _inner(kind: msgspec.inspect.Type | None, key: str) -> msgspec.inspect.Type | None:
    """The type of one key; None where nothing is known, which the parser will complain about."""
    match kind:
        case msgspec.inspect.StructType():
            return next((field.type for field in kind.fields if field.encode_name == key), None)
        case msgspec.inspect.DictType():
            return kind.value_type
        case _:
            return None


def _read(text: str, kind: msgspec.inspect.Type | None) -> Json:
    options = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    if any(isinstance(o, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for o in options):
        return text
    is_list = any(isinstance(option, msgspec.inspect.VarTupleType) for option in options)
    if is_list and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    return _toml_value(text)


def _toml_value(text: str) -> Json:
    """A TOML value; text that is none stays text, and the parser will name the type it wants."""
    try:
        document: Document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if len(document) == 1 else text
