"""Turns of a conversation as `system` and `messages`: what this API wants of their order.

Rule 1: consecutive turns of one role are one message, and the first message is the user's.
Rule 2: results stand first in the message behind their calls, one for every call.
Rule 3: an empty text is no block. What cannot be said here is refused by its path.
"""

import base64
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import orjson

from proxy.dialects.anthropic_messages.names import MEDIA_TYPES, NAME, SEAL
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AudioPart,
    FilePart,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Turn,
)
from proxy.model.document import Document, Json

Speaker = Literal["user", "assistant"]

UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
"""What the id of a call may not hold here; other providers' ids do."""
ALIASES = {"image/jpg": "image/jpeg"}
UNANSWERED = "The tool gave no result."
OPENING = "(start)"
"""Said for a user who said nothing yet."""


@dataclass(slots=True)
class Result:
    """A result, and where the client said it."""

    call: str
    block: Document
    path: str


@dataclass(slots=True)
class Message:
    """Blocks of one speaker."""

    role: Speaker
    blocks: list[Document] = field(default_factory=list)
    """Without results."""
    calls: list[str] = field(default_factory=list)
    """Ids of the calls among the blocks."""
    results: list[Result] = field(default_factory=list)

    def write(self) -> Document:
        """As the API has it: results first."""
        return {"role": self.role, "content": [*(r.block for r in self.results), *self.blocks]}


def refuse(message: str, path: str) -> InvalidRequestError:
    """An error about one place of the client's request."""
    return InvalidRequestError(f"{message} - at `{path}`", metadata={"field": path})


def write_turns(turns: list[Turn]) -> tuple[list[Json], list[Document]]:
    """(system blocks, messages). Raises: InvalidRequestError with the path."""
    system: list[Json] = []
    messages: list[Message] = []
    for turn in turns:
        if turn.role == "system" and not messages:
            system += [block for part in turn.parts if (block := _instruction(part))]
        else:
            _append(messages, _message(turn))
    if messages and messages[-1].role == "assistant":
        if messages[-1].calls:
            messages.append(Message("user"))
        else:
            _trim(messages[-1])
    if not messages or messages[0].role == "assistant":
        messages.insert(0, Message("user", [{"type": "text", "text": OPENING}]))
    _pair(Message("assistant"), messages[0])
    for before, message in pairwise(messages):
        _pair(before, message)
    return system, [message.write() for message in messages]


def _append(messages: list[Message], said: Message) -> None:
    """Add a turn, to the last message if that is of the same speaker."""
    if not said.blocks and not said.results:
        return
    if not messages or messages[-1].role != said.role:
        messages.append(said)
        return
    last = messages[-1]
    last.blocks += said.blocks
    last.calls += said.calls
    last.results += said.results


def _message(turn: Turn) -> Message:
    said = Message("assistant" if turn.role == "assistant" else "user")
    for part in turn.parts:
        match part:
            case ToolResultPart() if turn.role == "user":
                said.results.append(Result(fit_id(part.id), _result(part), part.path))
            case ToolCallPart() if turn.role == "assistant":
                said.calls.append(fit_id(part.id))
                said.blocks.append(_call(part))
            case ReasoningPart() if turn.role == "assistant":
                said.blocks += _thought(part)
            case TextPart() if turn.role == "system" and part.text.strip():
                # A later instruction has no place of its own; the tag tells it from what users say.
                text = f"<system>{part.text}</system>"
                said.blocks.append(_marked({"type": "text", "text": text}, part.cache))
            case _:
                block = _instruction(part) if turn.role == "system" else write_part(part)
                said.blocks += [block] if block else []
    return said


def _instruction(part: Part) -> Document | None:
    if isinstance(part, TextPart | NativePart):
        return write_part(part)
    raise refuse("The system can only say text", part.path)


def _trim(message: Message) -> None:
    """Strip the end of an answer that is to be gone on with, as the API demands."""
    last = message.blocks[-1]
    if last.get("type") == "text":
        last["text"] = str(last["text"]).rstrip()


def _pair(before: Message, message: Message) -> None:
    """Every call before has one result here, and every result a call."""
    missing = set(before.calls)
    for result in message.results:
        if result.call not in missing:
            raise refuse("This result answers no call of the turn before", result.path)
        missing.remove(result.call)
    for call in before.calls:
        if call in missing:  # a client that shortens its history cuts between the two
            missing.remove(call)
            block: Document = {"type": "tool_result", "tool_use_id": call, "content": UNANSWERED}
            message.results.append(Result(call, {**block, "is_error": True}, "$"))


def write_part(part: Part) -> Document | None:
    """A block of what both may say; None: there is nothing in it. Raises: InvalidRequestError."""
    match part:
        case TextPart(text=text):
            return _marked({"type": "text", "text": text}, part.cache) if text.strip() else None
        case RefusalPart(text=text):
            return {"type": "text", "text": text} if text.strip() else None
        case ImagePart():
            return _image(part)
        case FilePart():
            return _file(part)
        case NativePart(dialect=dialect, document=document):
            if dialect != NAME:
                raise refuse("This part is known to another API only", part.path)
            return {**document}
        case AudioPart():
            raise refuse("This model takes no audio", part.path)
        case _:
            raise refuse("This cannot be said here", part.path)


def _image(part: ImagePart) -> Document:
    media_type = ALIASES.get(part.media_type.lower(), part.media_type.lower())
    if media_type not in MEDIA_TYPES and (part.data or media_type):
        known = ", ".join(sorted(MEDIA_TYPES))
        raise refuse(f"The image must be one of {known}", part.path)
    return _marked({"type": "image", "source": _source(part, media_type)}, part.cache)


def _file(part: FilePart) -> Document | None:
    media_type = ALIASES.get(part.media_type.lower(), part.media_type.lower())
    if media_type in MEDIA_TYPES:
        return _image(ImagePart(media_type, part.data, part.url, cache=part.cache, path=part.path))
    document: Document = {"type": "document"}
    if part.text or (part.data and media_type.startswith("text/")):
        text = part.text or _decoded(part)
        if not text.strip():
            return None
        document["source"] = {"type": "text", "media_type": "text/plain", "data": text}
    elif media_type == "application/pdf" or (part.url and not media_type):
        document["source"] = _source(part, media_type)
    elif part.file_id:
        raise refuse("A file cannot be named by the id that another API gave it", part.path)
    else:
        raise refuse("The file must be application/pdf or text", part.path)
    if part.name:
        document["title"] = part.name
    return _marked(document, part.cache)


def _source(part: ImagePart | FilePart, media_type: str) -> Document:
    if part.data:
        return {"type": "base64", "media_type": media_type, "data": part.data}
    if part.url.startswith(("https://", "http://")):
        return {"type": "url", "url": part.url}
    raise refuse("There must be base64 data or an http URL", part.path)


def _decoded(part: FilePart) -> str:
    try:
        return base64.b64decode(part.data, validate=True).decode()
    except ValueError:
        raise refuse("The file is no base64 of UTF-8", part.path) from None


def _call(part: ToolCallPart) -> Document:
    try:
        given: Json = orjson.loads(part.arguments) if part.arguments.strip() else {}
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise refuse("The arguments of a call must be a JSON object", part.path)
    block: Document = {"type": "tool_use", "id": fit_id(part.id), "name": part.name}
    return _marked({**block, "input": given}, part.cache)


def _result(part: ToolResultPart) -> Document:
    block: Document = {"type": "tool_result", "tool_use_id": fit_id(part.id)}
    content: list[Json] = [said for inner in part.parts if (said := write_part(inner))]
    if content:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
        block.setdefault("content", UNANSWERED)  # an error must say something
    return _marked(block, part.cache)


def _thought(part: ReasoningPart) -> list[Document]:
    """Thinking as it came; what this API cannot verify it would refuse, so that is left out."""
    if part.format not in {"", SEAL}:
        return []
    if part.encrypted:
        return [{"type": "redacted_thinking", "data": part.encrypted}]
    if part.signature:
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
    return []


def fit_id(name: str) -> str:
    """A call's id in letters that the API takes; the same for the same."""
    return UNFIT.sub("_", name) or "_"


def _marked(block: Document, cache: Document | None) -> Document:
    return block if cache is None else {**block, "cache_control": cache}
