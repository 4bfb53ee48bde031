"""Requests read: what is checked, what is ours and taken out, what stays as it came.

Rule 1: blocks of unknown types pass: a provider of the same dialect may know them.
Rule 2: every result of a tool answers a call of the assistant's turn before it, and each call has one.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Literal, TypeVar

import msgspec

from proxy.dialects.anthropic_messages.conversing import converse
from proxy.dialects.anthropic_messages.names import NAME, headers as default_headers
from proxy.errors import InvalidRequestError
from proxy.model.call import STRIPPED, Call, Surface
from proxy.model.dialect import NO_HEADERS
from proxy.model.document import Document, Json, as_document, as_list

FALLBACKS_MAX = 3
"""Length of `models` and of `fallbacks`, as OpenRouter has it."""

OURS = frozenset((
    "provider", "models", "fallbacks", "route", "weights", "preset", "plugins", "transforms", "usage", "session_id",
    "user", "trace", "debug", "stop_server_tools_when", "safeguards",
))  # fmt: skip
"""Fields that speak to the gateway: never sent upstream as they are."""


WITHHELD = OURS | STRIPPED

NATIVE_HEADERS = (b"anthropic-beta", b"anthropic-version")
"""What a provider of this dialect hears of the client's head."""
DEFAULTS = {b"anthropic-version": default_headers}
"""Said where the client says nothing."""
HEADER_BYTES_MAX = 1024

Table = dict[str, object]
Number = float | None


class Kind(msgspec.Struct):
    """A block, of which only the type is known."""

    type: str


class Turn(msgspec.Struct):
    """One message; its blocks are checked one by one."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Kind]


class Fallback(msgspec.Struct, forbid_unknown_fields=True):
    """A model to try next."""

    model: str


class Thinking(msgspec.Struct):
    """`thinking`; other types pass."""

    type: str
    budget_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Choice(msgspec.Struct):
    """`tool_choice`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Output(msgspec.Struct):
    """`output_config`."""

    effort: str | None = None
    format: Table | None = None


class Shape(msgspec.Struct):
    """Known fields and their types; all others pass unseen."""

    model: str
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    messages: Annotated[list[Turn], msgspec.Meta(min_length=1)]
    models: Annotated[list[str], msgspec.Meta(max_length=FALLBACKS_MAX)] | None = None
    fallbacks: Annotated[list[Fallback], msgspec.Meta(max_length=FALLBACKS_MAX)] | None = None
    system: str | list[Kind] | None = None
    stream: bool | None = None
    temperature: Number = None
    top_p: Number = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[Table] | None = None
    tool_choice: Choice | None = None
    thinking: Thinking | None = None
    output_config: Output | None = None
    metadata: Table | None = None
    service_tier: str | None = None
    provider: Table | None = None
    user: str | None = None
    session_id: Annotated[str, msgspec.Meta(max_length=256)] | None = None


class Text(msgspec.Struct):
    """`text`."""

    text: str
    cache_control: Table | None = None


class Sourced(msgspec.Struct):
    """`image` and `document`."""

    source: Kind
    cache_control: Table | None = None


class ToolUse(msgspec.Struct):
    """`tool_use`."""

    id: str
    name: str
    input: Table | None = None
    cache_control: Table | None = None


class ToolResult(msgspec.Struct):
    """`tool_result`."""

    tool_use_id: str
    content: str | list[Kind] | None = None
    is_error: bool | None = None
    cache_control: Table | None = None


class Thought(msgspec.Struct):
    """`thinking`; whether it must be signed is the provider's to judge."""

    thinking: str
    signature: str | None = None


class Redacted(msgspec.Struct):
    """`redacted_thinking`."""

    data: str


class Data(msgspec.Struct):
    """A source of type `base64`."""

    media_type: str
    data: str


class PlainText(msgspec.Struct):
    """A source of type `text`."""

    data: str


class Url(msgspec.Struct):
    """A source of type `url`."""

    url: str


class File(msgspec.Struct):
    """A source of type `file`."""

    file_id: str


class CustomTool(msgspec.Struct):
    """A tool that the client runs."""

    name: str
    input_schema: Table
    description: str | None = None
    strict: bool | None = None
    cache_control: Table | None = None


BLOCKS: Mapping[str, type[msgspec.Struct]] = {
    "text": Text, "image": Sourced, "document": Sourced, "tool_use": ToolUse,
    "tool_result": ToolResult, "thinking": Thought, "redacted_thinking": Redacted,
}  # fmt: skip
SOURCES: Mapping[str, type[msgspec.Struct]] = {
    "base64": Data, "text": PlainText, "url": Url, "file": File,
}  # fmt: skip

T = TypeVar("T")


def decode_request(
    document: Document, surface: Surface, headers: Mapping[bytes, bytes] = NO_HEADERS
) -> Call:
    """Read a client's request. Raises: InvalidRequestError with the field's path."""
    shape = checked_shape(document)
    named = (shape.model, *(shape.models or ()), *(f.model for f in shape.fallbacks or ()))
    body: Document = document
    ours: Document = {}
    if not WITHHELD.isdisjoint(document):
        body = {key: value for key, value in document.items() if key not in WITHHELD}
        ours = {key: document[key] for key in OURS if key in document}
    return Call(
        dialect=NAME,
        surface=surface,
        body=body,
        models=tuple(dict.fromkeys(named)),
        stream=bool(shape.stream),
        output_tokens_max=shape.max_tokens,
        converse=partial(converse, document),
        native_headers=native_headers(headers),
        preferences=as_document(document.get("provider")),
        ours=ours,
        session=shape.session_id or "",
    )


def native_headers(headers: Mapping[bytes, bytes]) -> bytes:
    """Header lines that go on. Raises: InvalidRequestError for a value that no line can hold."""
    lines = b""
    for name in NATIVE_HEADERS:
        value = headers.get(name)
        if value is None:
            lines += DEFAULTS.get(name, b"")
            continue
        if len(value) > HEADER_BYTES_MAX or not (value.isascii() and value.decode().isprintable()):
            raise InvalidRequestError(
                f"Header {name.decode()} must be printable and have"
                f" {HEADER_BYTES_MAX} bytes or fewer."
            )
        lines += b"%b: %b\r\n" % (name, value)
    return lines


def checked_shape(document: Document) -> Shape:
    """Check the types of known fields. Raises: InvalidRequestError with the field's path."""
    if "model" not in document and (models := as_list(document.get("models"))):
        document["model"] = models[0]
    shape = checked(document, Shape, "$")
    if shape.models and shape.fallbacks:
        raise refused("Either models or fallbacks, not both", "$.fallbacks")
    if shape.thinking and shape.thinking.type == "enabled" and not shape.thinking.budget_tokens:
        raise refused("Object missing required field `budget_tokens`", "$.thinking")
    if shape.tool_choice and shape.tool_choice.type == "tool" and not shape.tool_choice.name:
        raise refused("Object missing required field `name`", "$.tool_choice")
    for i, tool in enumerate(as_list(document.get("tools"))):
        if as_document(tool).get("type") in {None, "custom"}:
            checked(tool, CustomTool, f"$.tools[{i}]")
    check_blocks(document.get("system"), "$.system")
    pairs = Pairs()
    for i, turn in enumerate(as_list(document["messages"])):
        message = as_document(turn)
        path = f"$.messages[{i}].content"
        check_blocks(message["content"], path)
        pairs.take(str(message["role"]), message["content"], path)
    pairs.close()
    return shape


def check_blocks(content: Json, path: str) -> None:
    """Check blocks of known types. Raises: InvalidRequestError with the field's path."""
    for where, block in blocks_of(content, path):
        kind = str(block["type"])
        if kind not in BLOCKS:
            continue
        checked(block, BLOCKS[kind], where)
        if kind == "tool_result":
            check_blocks(block.get("content"), f"{where}.content")
        source = as_document(block.get("source"))
        shape = SOURCES.get(str(source.get("type")))
        if shape is not None:
            checked(source, shape, f"{where}.source")


def blocks_of(content: Json, path: str) -> Iterator[tuple[str, Document]]:
    """Blocks with their paths; none where the content is a string."""
    for i, block in enumerate(as_list(content)):
        if isinstance(block, dict):
            yield f"{path}[{i}]", block


class Pairs:
    """Calls of tools and their results; turns of one role in a row count as one."""

    def __init__(self) -> None:
        self._role = "user"
        self._called: dict[str, str] = {}
        """Calls of the assistant's last turn: id -> path."""
        self._answered: set[str] = set()

    def take(self, role: str, content: Json, path: str) -> None:
        """Take one message. Raises: InvalidRequestError with the path of what has no counterpart."""
        if role == "system":
            return
        if role != self._role:
            if role == "assistant":
                self.close()
                self._called, self._answered = {}, set()
            self._role = role
        for where, block in blocks_of(content, path):
            kind = block["type"]
            if kind == "tool_use" and role == "assistant":
                self._call(str(block["id"]), where)
            elif kind == "tool_result":
                self._answer(str(block["tool_use_id"]), where, role)

    def _call(self, name: str, where: str) -> None:
        if name in self._called:
            raise refused(f"`tool_use` ids must be unique, `{name[:64]}` is not", f"{where}.id")
        self._called[name] = where

    def _answer(self, name: str, where: str, role: str) -> None:
        where = f"{where}.tool_use_id"
        if role != "user" or name not in self._called:
            raise refused(f"No `tool_use` in the turn before has the id `{name[:64]}`", where)
        if name in self._answered:
            raise refused(f"A second `tool_result` for `{name[:64]}`", where)
        self._answered.add(name)

    def close(self) -> None:
        """The user's turn is over. Raises: InvalidRequestError with the path of a call without result."""
        if self._role != "user":
            return
        for name, where in self._called.items():
            if name not in self._answered:
                raise refused(
                    f"`tool_use` `{name[:64]}` has no `tool_result` in the next turn", where
                )


def checked(value: Json, shape: type[T], path: str) -> T:
    """Convert. Raises: InvalidRequestError with the path from the top."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        message, _, inner = str(error).partition(" - at `$")
        if not inner and path == "$":
            field = message.split("`")[1] if "`" in message else ""
            raise InvalidRequestError(message, metadata={"field": field}) from None
        raise refused(message, path + inner.rstrip("`")) from None


def refused(message: str, path: str) -> InvalidRequestError:
    """An error with the path of what is wrong."""
    field = path.removeprefix("$").lstrip(".")
    return InvalidRequestError(f"{message} - at `{path}`", metadata={"field": field})
