"""What a request means, for encoders of other dialects.

Rule 1: every part knows its path. Rule 2: what the hub has no word for stays whole, as `NativePart`.
"""

import re

import orjson

from proxy.dialects.anthropic_messages.names import NAME, SEAL
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AnswerFormat,
    Conversation,
    FilePart,
    ImagePart,
    NativePart,
    NativeTool,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    Thinking,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Turn,
)
from proxy.model.document import Document, Json, as_document, as_list

ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
MARK = re.compile(r"([a-z][a-z0-9-]*-v[0-9]+):")
"""Who can verify a seal, as `blocks.marked` puts it in front; base64 has no colon."""


def converse(document: Document) -> Conversation:
    """Read a checked request. Raises: InvalidRequestError with the path of what cannot be said."""
    choice = as_document(document.get("tool_choice"))
    turns = []
    system = document.get("system")
    if system is not None:
        turns.append(Turn("system", read_parts(system, "$.system"), path="$.system"))
    for i, message in enumerate(as_list(document.get("messages"))):
        turn, path = as_document(message), f"$.messages[{i}]"
        parts = read_parts(turn.get("content"), f"{path}.content")
        turns.append(Turn(ROLES[str(turn.get("role"))], parts, path=path))
    disabled = choice.get("disable_parallel_tool_use")
    return Conversation(
        turns,
        tools=[read_tool(t, f"$.tools[{i}]") for i, t in enumerate(as_list(document.get("tools")))],
        tool_choice=read_choice(choice),
        parallel_tools=not disabled if isinstance(disabled, bool) else None,
        output_tokens_max=_whole(document.get("max_tokens")),
        temperature=_number(document.get("temperature")),
        top_p=_number(document.get("top_p")),
        top_k=_whole(document.get("top_k")),
        stop=[s for s in as_list(document.get("stop_sequences")) if isinstance(s, str)],
        thinking=read_thinking(document),
        answer_format=read_format(document),
        user=_text(as_document(document.get("metadata")).get("user_id"))
        or _text(document.get("user")),
        service_tier=_text(document.get("service_tier"))
        or ("priority" if document.get("speed") == "fast" else ""),
    )


def read_parts(content: Json, path: str) -> list[Part]:
    """A string, or blocks."""
    if isinstance(content, str):
        return [TextPart(content, path=path)]
    return [
        read_block(as_document(block), f"{path}[{i}]") for i, block in enumerate(as_list(content))
    ]


def read_block(block: Document, path: str) -> Part:
    """One block, with what marks the end of a prefix to cache."""
    cache = block.get("cache_control")
    cache = cache if isinstance(cache, dict) else None
    match block:
        case {"type": "text", "text": str() as text}:
            return TextPart(text, cache, path)
        case {"type": "image", "source": dict() as source}:
            image = read_image(source, path)
            return NativePart(NAME, block, path) if image is None else _cached(image, cache)
        case {"type": "document", "source": dict() as source}:
            file = read_file(source, _text(block.get("title")), path)
            return NativePart(NAME, block, path) if file is None else _cached(file, cache)
        case {"type": "tool_use", "id": str() as name, "name": str() as tool}:
            return ToolCallPart(name, tool, _arguments(block.get("input"), path), cache, path)
        case {"type": "tool_result", "tool_use_id": str() as name}:
            parts = read_parts(block.get("content"), f"{path}.content")
            return ToolResultPart(name, parts, block.get("is_error") is True, cache, path)
        case {"type": "thinking", "thinking": str() as text}:
            form, signature = unmarked(_text(block.get("signature")))
            return ReasoningPart(text, signature, format=form, path=path)
        case {"type": "redacted_thinking", "data": str() as data}:
            form, encrypted = unmarked(data)
            return ReasoningPart(encrypted=encrypted, format=form, path=path)
        case _:
            return NativePart(NAME, block, path)


def _cached(part: ImagePart | FilePart, cache: Document | None) -> Part:
    part.cache = cache
    return part


def unmarked(seal: str) -> tuple[str, str]:
    """Who can verify a seal, and the seal."""
    found = MARK.match(seal)
    return (SEAL, seal) if found is None else (found[1], seal[found.end() :])


def read_image(source: Document, path: str) -> ImagePart | None:
    """An image; None: the hub cannot say where it is."""
    match source:
        case {"type": "base64", "media_type": str() as media_type, "data": str() as data}:
            return ImagePart(media_type, data, path=path)
        case {"type": "url", "url": str() as url}:
            return ImagePart(url=url, path=path)
        case _:
            return None


def read_file(source: Document, name: str, path: str) -> FilePart | None:
    """A document; None: the hub cannot say what it is."""
    media_type = _text(source.get("media_type"))
    match source:
        case {"type": "base64", "data": str() as data}:
            return FilePart(media_type, data, name=name, path=path)
        case {"type": "url", "url": str() as url}:
            # By URL this API takes PDF only, and does not say so.
            return FilePart("application/pdf", url=url, name=name, path=path)
        case {"type": "text", "data": str() as text}:
            return FilePart(media_type or "text/plain", text=text, name=name, path=path)
        case {"type": "file", "file_id": str() as file_id}:
            return FilePart(file_id=file_id, name=name, path=path)
        case {"type": "content", "content": str() as text}:
            return FilePart("text/plain", text=text, name=name, path=path)
        case _:
            return None


def _arguments(value: Json, path: str) -> str:
    if value is None:
        return "{}"
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise InvalidRequestError(
            f"Cannot be encoded as JSON: {error} - at `{path}.input`"
        ) from None


def read_tool(value: Json, path: str) -> Tool | NativeTool:
    """One of `tools`."""
    document = as_document(value)
    if document.get("type") not in {None, "custom"}:
        return NativeTool(NAME, document, path)
    cache, strict = document.get("cache_control"), document.get("strict")
    return Tool(
        _text(document.get("name")),
        _text(document.get("description")),
        as_document(document.get("input_schema")),
        strict if isinstance(strict, bool) else None,
        cache if isinstance(cache, dict) else None,
        path,
    )


def read_choice(choice: Document) -> ToolChoice | None:
    """`tool_choice`; None: not said."""
    match choice.get("type"):
        case "auto":
            return ToolChoice("auto")
        case "any":
            return ToolChoice("required")
        case "none":
            return ToolChoice("none")
        case "tool":
            return ToolChoice("tool", _text(choice.get("name")))
        case _:
            return None


def read_thinking(document: Document) -> Thinking | None:
    """`thinking` and `output_config.effort`; None: neither is said."""
    said = as_document(document.get("thinking"))
    effort = _text(as_document(document.get("output_config")).get("effort")) or None
    if not said and effort is None:
        return None
    return Thinking(
        enabled=said.get("type") != "disabled" if said else None,
        effort=effort,
        budget=_whole(said.get("budget_tokens")),
        exclude=said.get("display") == "omitted",
    )


def read_format(document: Document) -> AnswerFormat | None:
    """`output_config.format`, or its older name."""
    said = as_document(as_document(document.get("output_config")).get("format"))
    said = said or as_document(document.get("output_format"))
    if said.get("type") != "json_schema":
        return None
    return AnswerFormat("json_schema", schema=as_document(said.get("schema")))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Json) -> int | None:
    return value if type(value) is int else None


def _number(value: Json) -> float | None:
    return value if type(value) is int or type(value) is float else None
