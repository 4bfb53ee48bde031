"""What every module of this dialect needs: its name, the fields that no provider gets, refusals.

Rule 1: a refusal names the path of what is wrong, as the client wrote it.
"""

import orjson

from proxy.errors import InvalidRequestError
from proxy.model.call import STRIPPED
from proxy.model.document import Document, Json

NAME = "openai-chat"

OURS = frozenset((
    "provider", "models", "route", "weights", "preset", "plugins", "transforms", "usage", "session_id",
    "trace", "debug", "include_reasoning", "stream_options",
))  # fmt: skip
"""Fields that speak to the gateway: never sent upstream as they are."""


WITHHELD = OURS | STRIPPED


def refused(path: str, why: str) -> InvalidRequestError:
    """An error about what stands at `path` ("$.messages[2].content")."""
    return InvalidRequestError(
        f"{why} - at `{path}`", metadata={"field": path.removeprefix("$").lstrip(".")}
    )


def text_at(document: Document, key: str, path: str) -> str:
    """A string of `document`; "" where it is null or missing. Raises: InvalidRequestError."""
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refused(f"{path}.{key}", "Expected `str`")
    return value


def word_at(document: Document, key: str, path: str) -> str:
    """A string of `document` that must be there. Raises: InvalidRequestError."""
    if value := text_at(document, key, path):
        return value
    raise refused(f"{path}.{key}", "Missing or empty field")


def flag_at(document: Document, key: str, path: str) -> bool | None:
    """A truth value of `document`, or None. Raises: InvalidRequestError."""
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise refused(f"{path}.{key}", "Expected `bool`")
    return value


def object_at(document: Document, key: str, path: str) -> Document | None:
    """An object of `document`, or None. Raises: InvalidRequestError."""
    value = document.get(key)
    return None if value is None else an_object(value, f"{path}.{key}")


def list_at(document: Document, key: str, path: str) -> list[Json]:
    """An array of `document`; empty where it is null or missing. Raises: InvalidRequestError."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise refused(f"{path}.{key}", "Expected `array`")
    return value


def an_object(value: Json, path: str) -> Document:
    """`value`, which must be an object. Raises: InvalidRequestError."""
    if not isinstance(value, dict):
        raise refused(path, "Expected `object`")
    return value


def as_json(value: Json) -> str:
    """What should have been a string, as JSON; empty if it nests too deep to be written."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return ""
