"""Content blocks from events of other dialects: one is open at a time, and each is closed once.

Rule 1: a new block where the kind, the block of thinking, or the tool call changes.
Rule 2: a tool call whose arguments are not yet whole keeps the floor: what else comes waits, so that
fragments that a provider interleaves are neither mixed nor lost.
Rule 3: a piece of text into an open block of text changes no state.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from proxy.dialects.anthropic_messages.names import SEAL
from proxy.errors import UpstreamUnavailableError
from proxy.model.document import Document, Json
from proxy.model.event import (
    Citation,
    Event,
    Image,
    Reasoning,
    ReasoningSealed,
    Refusal,
    Text,
    ToolCall,
)

SAID = (Text, Reasoning, ReasoningSealed, Refusal, Citation, Image, ToolCall)
"""Events that make content."""
Said: TypeAlias = Text | Reasoning | ReasoningSealed | Refusal | Citation | Image | ToolCall

Key: TypeAlias = tuple[str, int]


WAITING_MAX = 1000
"""Events that wait for one tool call; then it is closed as it is."""
MARKS = re.compile(r'\\.|["{}\[\]]|\\\Z', re.DOTALL)
"""What decides where a JSON value ends."""


@dataclass(slots=True)
class Called:
    """A tool call so far."""

    id: str = ""
    name: str = ""
    unsaid: str = ""
    """Arguments that came before the name."""
    is_open: bool = False
    """Its block was begun, which needs a name."""
    is_closed: bool = False
    is_blank: bool = True
    """No arguments but white space came."""
    depth: int = 0
    """Brackets that are open."""
    was_nested: bool = False
    in_string: bool = False
    is_escaped: bool = False
    """The last fragment ended behind a backslash."""

    @property
    def is_whole(self) -> bool:
        """Its arguments are a complete object or array."""
        return self.is_open and self.was_nested and self.depth == 0

    def take(self, fragment: str) -> None:
        """Follow the arguments; each character is looked at once."""
        self.is_blank = self.is_blank and not fragment.strip()
        if self.is_escaped and fragment:
            fragment, self.is_escaped = fragment[1:], False
        for found in MARKS.finditer(fragment):
            mark = found.group()
            if mark == '"':
                self.in_string = not self.in_string
            elif mark == "\\":
                self.is_escaped = True
            elif not self.in_string and len(mark) == 1:
                self.depth += 1 if mark in "{[" else -1
                self.was_nested = True


class Blocks:
    """The content of one reply, as events of its stream without their framing."""

    def __init__(self, generation_id: str) -> None:
        self._seed = generation_id.removeprefix("gen-").replace("-", "_")
        self._index = -1
        self._key: Key | None = None
        """What the open block is: its kind, and which one of that kind."""
        self._called: dict[int, Called] = {}
        """The latest call of each index of the provider."""
        self._floor: Called | None = None
        self._waiting: list[Said] = []
        self.called_tools = False

    def feed(self, events: Iterable[Event]) -> Iterator[Document]:
        """Say these events; those that are no content are passed over.

        Raises: UpstreamUnavailableError where arguments come for a call that had to be closed.
        """
        todo: deque[Event] = deque(events)
        while todo:
            event = todo.popleft()
            if not isinstance(event, SAID) or event.choice:
                continue  # a message is one choice
            if self._must_wait(event):
                self._waiting.append(event)
            else:
                yield from self._say(event)
            if self._waiting and self._is_enough():
                yield from self._close()
                todo.extendleft(reversed(self._waiting))
                self._waiting = []

    def _is_enough(self) -> bool:
        """Must those that wait wait no longer?"""
        whole = self._floor is not None and self._floor.is_whole
        return whole or len(self._waiting) > WAITING_MAX

    def close(self) -> Iterator[Document]:
        """The reply is over: nothing waits any longer."""
        yield from self._close()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            yield from self.feed(waiting)
            yield from self._close()

    def _must_wait(self, event: Said) -> bool:
        """Does an unfinished tool call keep this from being said?"""
        floor = self._floor
        if floor is None:
            return False
        if isinstance(event, ToolCall) and self._of(event) is floor:
            return False
        return bool(self._waiting) or not floor.is_whole

    def _of(self, event: ToolCall) -> Called | None:
        """The call that a piece belongs to; None: a new one."""
        called = self._called.get(event.index)
        if called is None or (event.id and called.id and event.id != called.id):
            return None  # some hosts give every call the index 0
        return called

    def _say(self, event: Said) -> Iterator[Document]:
        match event:
            case Text(text=text) | Refusal(text=text):
                if text:
                    yield from self._write_text(text)
            case Reasoning(text=text, block=block):
                yield from self._think(block)
                if text:
                    yield self._delta("thinking_delta", "thinking", text)
            case ReasoningSealed():
                yield from self._seal(event)
            case Citation():
                yield from self._enter(("text", 0), {"type": "text", "text": ""})
                yield self._delta("citations_delta", "citation", citation(event))
            case Image(url=url, media_type=media_type, data=data):
                # A reply has no block for images: Markdown keeps what was paid for.
                source = url or f"data:{media_type or 'image/png'};base64,{data}"
                yield from self._write_text(f"![image]({source})")
            case ToolCall():
                yield from self._call(event)

    def _write_text(self, text: str) -> Iterator[Document]:
        yield from self._enter(("text", 0), {"type": "text", "text": ""})
        yield self._delta("text_delta", "text", text)

    def _think(self, block: int) -> Iterator[Document]:
        begun: Document = {"type": "thinking", "thinking": "", "signature": ""}
        yield from self._enter(("thinking", block), begun)

    def _seal(self, event: ReasoningSealed) -> Iterator[Document]:
        if event.encrypted:
            yield from self._close()
            data = marked(event.encrypted, event.format)
            yield from self._open(("redacted", -1), {"type": "redacted_thinking", "data": data})
            yield from self._close()
        if event.signature:
            yield from self._think(event.block)
            signature = marked(event.signature, event.format)
            yield self._delta("signature_delta", "signature", signature)
            yield from self._close()

    def _call(self, event: ToolCall) -> Iterator[Document]:
        called = self._of(event)
        if called is None:
            yield from self._close()
            called = self._called[event.index] = self._floor = Called()
            self.called_tools = True
        if called.is_closed:
            if event.arguments.strip() and not called.is_whole:
                raise UpstreamUnavailableError("Provider mixed up the pieces of its tool calls.")
            return  # it was whole: what comes behind it belongs to nothing
        called.id = called.id or event.id
        called.name = called.name or event.name
        called.take(event.arguments)
        called.unsaid += event.arguments
        if called.name and not called.is_open:
            yield from self._begin(called)
        if called.is_open and called.unsaid:
            yield self._delta("input_json_delta", "partial_json", called.unsaid)
            called.unsaid = ""

    def _begin(self, called: Called) -> Iterator[Document]:
        called.is_open = True
        called.id = called.id or f"toolu_{self._seed}_{self._index + 1}"
        yield from self._open(
            ("tool", self._index + 1),
            {"type": "tool_use", "id": called.id, "name": called.name, "input": {}},
        )

    def _enter(self, key: Key, block: Document) -> Iterator[Document]:
        """Begin a block, unless it is the open one."""
        if key != self._key:
            yield from self._close()
            yield from self._open(key, block)

    def _open(self, key: Key, block: Document) -> Iterator[Document]:
        self._key = key
        self._index += 1
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _close(self) -> Iterator[Document]:
        """End the open block, if there is one; a tool call that has said nothing says "{}"."""
        called, self._floor = self._floor, None
        if called is not None:
            if not called.is_open:
                yield from self._begin(called)
            if called.unsaid or called.is_blank:
                rest = "{}" if called.is_blank else called.unsaid
                yield self._delta("input_json_delta", "partial_json", rest)
            called.is_closed = True
        if self._key is not None:
            self._key = None
            yield {"type": "content_block_stop", "index": self._index}

    def _delta(self, kind: str, field: str, value: Json) -> Document:
        delta: Document = {"type": kind, field: value}
        return {"type": "content_block_delta", "index": self._index, "delta": delta}


def citation(event: Citation) -> Document:
    """As it came, if it came from this API; else as what a web search found."""
    kind = event.raw.get("type")
    if isinstance(kind, str) and kind.endswith("_location"):
        return event.raw
    return {
        "type": "web_search_result_location",
        "cited_text": event.cited,
        "encrypted_index": "",
        "title": event.title or None,
        "url": event.url,
    }


def marked(seal: str, form: str) -> str:
    """A seal with who can verify it in front, where that is not this API; see `conversing.unmarked`."""
    return seal if form in {"", SEAL} else f"{form}:{seal}"


class Folding:
    """The blocks of a whole reply, put together from the same events."""

    def __init__(self) -> None:
        self.content: list[Json] = []
        self._open: Document = {}
        self._arguments = ""

    def feed(self, event: Document) -> None:
        """Take one event of a stream."""
        match event:
            case {"type": "content_block_start", "content_block": dict() as block}:
                self._open, self._arguments = block, ""
                self.content.append(block)
            case {"delta": {"type": "input_json_delta", "partial_json": str() as fragment}}:
                self._arguments += fragment
            case {"delta": {"type": "citations_delta", "citation": dict() as found}}:
                citations = self._open.setdefault("citations", [])
                if isinstance(citations, list):
                    citations.append(found)
            case {"delta": {"type": str(), **pieces}}:
                for name, piece in pieces.items():
                    self._open[str(name)] = f"{self._open.get(str(name)) or ''}{piece}"
            case _:
                if self._open.get("type") == "tool_use":
                    self._open["input"] = as_input(self._arguments)


def as_input(arguments: str) -> Document:
    """Arguments as the object that they must be; what is none is kept as text in one."""
    try:
        value: Json = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        value = arguments
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"INVALID_JSON": arguments}
