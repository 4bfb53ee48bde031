"""Chunks and messages made from events of another dialect."""

from collections.abc import Iterable

from proxy.dialects.openai_chat.saying import say_image
from proxy.model.conversation import ImagePart
from proxy.model.document import Document, Json
from proxy.model.event import (
    Citation,
    Event,
    Finished,
    Image,
    Reasoning,
    ReasoningSealed,
    Refusal,
    Text,
    ToolCall,
)


class Deltas:
    """Deltas of a stream, one frame's events at a time. Plain text changes no state but the first."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        """Choices whose role was told."""
        self._bare: dict[tuple[int, int], None] = {}
        """(choice, index) of calls without arguments so far."""

    def of(self, events: list[Event]) -> dict[int, Document]:
        """Choice -> delta; empty: these events say nothing here."""
        deltas: dict[int, Document] = {}
        for event in events:
            if isinstance(event, SPOKEN):
                tell(event, deltas.setdefault(event.choice, {}))
            if isinstance(event, ToolCall):
                place = (event.choice, event.index)
                if event.arguments:
                    self._bare.pop(place, None)
                elif event.name:
                    self._bare[place] = None
            elif isinstance(event, Finished):
                delta = deltas.setdefault(event.choice, {})
                for call in self._without_arguments(event.choice):
                    tell(call, delta)
        found = {
            choice: delta for choice, delta in deltas.items() if delta or _finishes(events, choice)
        }
        for choice, delta in found.items():
            if choice not in self._begun:
                self._begun.add(choice)
                content = None if "tool_calls" in delta else ""
                found[choice] = {"role": "assistant", "content": content, **delta}
        return found

    def _without_arguments(self, choice: int) -> list[ToolCall]:
        """What is missing of calls that never got arguments: they must be JSON, and so an object."""
        bare = [place for place in self._bare if place[0] == choice]
        for place in bare:
            del self._bare[place]
        return [ToolCall(index, arguments="{}", choice=choice) for _, index in bare]


def _finishes(events: list[Event], choice: int) -> bool:
    return any(isinstance(event, Finished) and event.choice == choice for event in events)


def messages(events: Iterable[Event]) -> dict[int, Document]:
    """Choice -> message, of all events of a reply."""
    found: dict[int, Document] = {}
    for event in events:
        if isinstance(event, SPOKEN):
            empty: Document = {"role": "assistant", "content": None}
            tell(event, found.setdefault(event.choice, empty))
    for message in found.values():
        if "tool_calls" in message:
            message["tool_calls"] = _merged_calls(message["tool_calls"])
        if "reasoning_details" in message:
            message["reasoning_details"] = _merged_details(message["reasoning_details"])
    return found


def tell(event: Event, part: Document) -> None:
    """Add what an event says to a delta or a message."""
    match event:
        case Text(text=text) if text:
            part["content"] = f"{part.get('content') or ''}{text}"
        case Reasoning(text=text) if text:
            part["reasoning"] = f"{part.get('reasoning') or ''}{text}"
            kind, key = SUMMARY if event.summary else THOUGHT
            _append(part, "reasoning_details", {"type": kind, key: text, "index": event.block})
        case ReasoningSealed():
            for detail in _sealed(event):
                _append(part, "reasoning_details", detail)
        case Refusal(text=text) if text:
            part["refusal"] = f"{part.get('refusal') or ''}{text}"
        case Citation(url=url) if url:
            _append(part, "annotations", _annotation(event))
        case Image():
            image = ImagePart(event.media_type, event.data, event.url)
            _append(part, "images", say_image(image))
        case ToolCall():
            _append(part, "tool_calls", _tool_call(event))
        case _:
            pass


SPOKEN = (Text, Reasoning, ReasoningSealed, Refusal, Citation, Image, ToolCall)
THOUGHT = ("reasoning.text", "text")
SUMMARY = ("reasoning.summary", "summary")


def _append(part: Document, key: str, value: Json) -> None:
    entries = part.setdefault(key, [])
    assert isinstance(entries, list)
    entries.append(value)


def _sealed(event: ReasoningSealed) -> list[Document]:
    """A detail without text for the signature, and one for what only the provider can read."""
    common: Document = {"format": event.format} if event.format else {}
    common["index"] = event.block
    details: list[Document] = []
    if event.signature:
        details.append({"type": "reasoning.text", "signature": event.signature, **common})
    if event.encrypted:
        details.append({"type": "reasoning.encrypted", "data": event.encrypted, **common})
    return details


def _annotation(event: Citation) -> Document:
    """The one kind of annotation that clients know; places that are not known are 0, as SDKs ask."""
    cited: Document = {"url": event.url, "title": event.title}
    if event.cited:
        cited["content"] = event.cited
    cited["start_index"], cited["end_index"] = event.start or 0, event.end or 0
    return {"type": "url_citation", "url_citation": cited}


def _tool_call(event: ToolCall) -> Document:
    function: Document = {"arguments": event.arguments}
    entry: Document = {"index": event.index, "type": "function", "function": function}
    if event.id:
        entry["id"] = event.id
    if event.name:
        function["name"] = event.name
    return entry


def _merged_calls(pieces: Json) -> list[Json]:
    """Whole calls, in order of their first pieces."""
    calls: dict[Json, Document] = {}
    functions: dict[Json, Document] = {}
    for piece in pieces if isinstance(pieces, list) else ():
        assert isinstance(piece, dict)
        index, said = str(piece["index"]), piece["function"]
        assert isinstance(said, dict)
        if index not in calls:
            functions[index] = {"name": "", "arguments": ""}
            calls[index] = {"id": "", "type": "function", "function": functions[index]}
        calls[index]["id"] = calls[index]["id"] or piece.get("id", "")
        function = functions[index]
        function["name"] = function["name"] or said.get("name", "")
        function["arguments"] = f"{function['arguments']}{said['arguments']}"
    for function in functions.values():
        function["arguments"] = function["arguments"] or "{}"
    return list(calls.values())


def _merged_details(pieces: Json) -> list[Json]:
    """Whole blocks, in order of their first pieces; a signature joins the text that it signs."""
    blocks: dict[tuple[Json, Json], Document] = {}
    for n, piece in enumerate(pieces if isinstance(pieces, list) else ()):
        assert isinstance(piece, dict)
        kind, index = piece["type"], piece["index"]
        if kind == "reasoning.encrypted":  # never in pieces; two of one block are two
            blocks[kind, f"{n}"] = piece
            continue
        key = "summary" if kind == "reasoning.summary" else "text"
        block = blocks.setdefault((kind, index), {"type": kind, key: ""})
        text = f"{block[key]}{piece.get(key, '')}"
        blocks[kind, index] = {**block, **piece, key: text}
    return list(blocks.values())
