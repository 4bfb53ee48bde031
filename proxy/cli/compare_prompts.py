"""Prompts to compare models by: a file with one JSON object a line, read and checked before any is sent.

Rule 1: what is wrong is said with file and line, and nothing is sent.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import orjson

from proxy.cli.reading import read_bounded
from proxy.errors import ConfigError
from proxy.model.document import Document, Json, as_document

LINE_BYTES_MAX = 4_194_304
"""Longest line accepted."""
SCHEMA_BYTES_MAX = 1_048_576


class Prompt(msgspec.Struct, frozen=True):
    """One request, but for its model."""

    messages: tuple[Document, ...]
    place: str
    """ "file:line", for rows of results."""
    schema: Document | None = None
    """JSON schema that the answer is asked to have."""


class Prompts(msgspec.Struct, frozen=True):
    """What was read."""

    every: tuple[Prompt, ...]
    more: bool
    """Whether the file goes on beyond the limit."""


def read_prompts(file: Path, *, limit: int, schema: Document | None = None) -> Prompts:
    """Read at most `limit` prompts; empty lines are passed over.

    Args:
        schema: for prompts that name none.
    Raises: ConfigError, with file and line.
    """
    found: list[Prompt] = []
    try:
        with file.open("rb") as lines:
            for place, line in _lines(lines, file):
                if len(found) == limit:
                    return Prompts(tuple(found), more=True)
                found.append(_prompt(line, place, schema))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or 'cannot be read'}") from None
    if not found:
        raise ConfigError(f"{file}: holds no prompt")
    return Prompts(tuple(found), more=False)


def read_schema(file: Path) -> Document:
    """A JSON schema from a file. Raises: ConfigError."""
    return _object(read_bounded(file, SCHEMA_BYTES_MAX), str(file))


def _lines(lines: IO[bytes], file: Path) -> Iterator[tuple[str, bytes]]:
    """Lines that are not empty, each with its place."""
    number = 0
    while line := lines.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise ConfigError(f"{file}:{number}: is longer than {LINE_BYTES_MAX} bytes")
        if line.strip():
            yield f"{file}:{number}", line


def _prompt(line: bytes, place: str, schema: Document | None) -> Prompt:
    document = _object(line, place)
    own = document.get("schema")
    if own is not None and not isinstance(own, dict):
        raise ConfigError(f'{place}: "schema" is no JSON object')
    return Prompt(_messages(document, place), place, own or schema)


def _messages(document: Document, place: str) -> tuple[Document, ...]:
    text, messages = document.get("prompt"), document.get("messages")
    if (text is None) == (messages is None):
        raise ConfigError(f'{place}: say either "prompt" or "messages"')
    if messages is None:
        if not isinstance(text, str) or not text:
            raise ConfigError(f'{place}: "prompt" is no text')
        return ({"role": "user", "content": text},)
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise ConfigError(f'{place}: "messages" is no list of objects with a "role"')
    return tuple(as_document(message) for message in messages)


def _is_message(value: Json) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def _object(data: bytes, place: str) -> Document:
    try:
        value: Json = orjson.loads(data)
    except ValueError as error:
        raise ConfigError(f"{place}: is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: is no JSON object")
    return value
