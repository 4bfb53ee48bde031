"""Replies read: frames of a provider to events.

Frames are told apart by the JSON `type` alone, since some hosts drop the names of events.

Rule 1: text and thinking change no state, for the relay passes such frames on unread.
Rule 2: thinking keeps its block's index in the message, so that the same frame always means the same;
calls are numbered among calls.
"""

from dataclasses import dataclass
from typing import Literal

import orjson

from proxy.dialects.anthropic_messages.failures import is_error, read_error
from proxy.dialects.anthropic_messages.names import (
    CACHE_READ,
    CACHE_WRITE,
    INPUT,
    NAME,
    OUTPUT,
    REASONS,
    SEAL,
)
from proxy.errors import UpstreamUnavailableError
from proxy.model.call import Call
from proxy.model.document import Document, Json, as_count, as_document, as_list
from proxy.model.endpoint import Endpoint
from proxy.model.event import (
    Citation,
    Ended,
    Event,
    Failed,
    Finished,
    Native,
    Reasoning,
    ReasoningSealed,
    Started,
    Text,
    ToolCall,
    Usage,
)


@dataclass(slots=True)
class Block:
    """A call or a piece of thinking that is not complete yet."""

    kind: Literal["thinking", "tool"]
    number: int
    """The block's index, or the call's number among calls."""
    signature: str = ""
    arguments: str = ""
    """What the call's first frame held; "" once fragments have said it."""


class ShapeError(Exception):
    """A frame that is not of the shape that its type promises."""


class Reading:
    """Decoder of one reply."""

    def __init__(self, *, stream: bool, status: int) -> None:
        self._stream = stream
        self._status = status
        self._started = False
        self._open: dict[int, Block] = {}
        """Blocks by their index in the message."""
        self._calls = 0
        self._usage: Document = {}
        """Counts so far; those of later frames replace earlier ones."""

    def feed(self, frame: bytes) -> list[Event]:
        """Decode one frame, or the whole body of a reply."""
        try:
            document: Json = orjson.loads(frame)
        except orjson.JSONDecodeError:
            if frame == b"[DONE]" and self._stream:  # hosts that imitate this API end with it
                return [Ended()]
            document = None
        if self._status >= 300:
            return [Failed(read_error(self._status, document))]
        if not isinstance(document, dict):
            return [Failed(UpstreamUnavailableError("Provider sent something that is not JSON."))]
        try:
            if not self._stream:
                return self._message(document)
            return self._frame(document)
        except ShapeError as error:
            return [Failed(UpstreamUnavailableError(f"Provider sent {error} of an unknown shape."))]

    def _frame(self, document: Document) -> list[Event]:
        said: list[Event] = []
        match document.get("type"):
            case "content_block_delta":
                said = self._delta(document)
            case "content_block_start":
                said = self._block(_index(document), document.get("content_block"))
            case "content_block_stop":
                said = self._close(_index(document))
            case "message_start":
                said = self._start(as_document(document.get("message")))
            case "message_delta":
                said = self._finish(as_document(document.get("delta")), document.get("usage"))
            case "message_stop":
                said = [Ended()]
            case "ping":
                return []
            case _ if is_error(document):
                return [Failed(read_error(self._status, document))]
            case str():  # of a later day
                pass
            case _:
                raise ShapeError("an event")
        return [Native(NAME, document), *said]

    def _message(self, document: Document) -> list[Event]:
        if is_error(document):
            return [Failed(read_error(self._status, document))]
        content = document.get("content")
        if not isinstance(content, list):
            raise ShapeError("a reply")
        events: list[Event] = [Native(NAME, document), *self._start(document)]
        for index, block in enumerate(content):
            events += self._block(index, block)
            events += self._close(index)
        return [*events, *self._finish(document, None, always=True)]

    def _start(self, message: Document) -> list[Event]:
        self._count(message.get("usage"))
        if self._started:  # a provider that started over, or said it twice
            return []
        self._started = True
        return [Started(_string(message.get("id")), _string(message.get("model")))]

    def _block(self, index: int, value: Json) -> list[Event]:
        """A block's beginning, or a whole one; what is said of blocks to come is kept in `_open`."""
        if not isinstance(value, dict):
            raise ShapeError("a block")
        events: list[Event] = []
        match value.get("type"):
            case "text":
                if text := _text(value, "text"):
                    events.append(Text(text))
                events += [_citation(c) for c in as_list(value.get("citations"))]
            case "thinking":
                self._open[index] = Block("thinking", index, _string(value.get("signature")))
                if thought := _text(value, "thinking"):
                    events.append(Reasoning(thought, 0, index))
            case "redacted_thinking":
                data = _string(value.get("data"))
                events.append(ReasoningSealed(index, encrypted=data, format=SEAL))
            case "tool_use":
                number, self._calls = self._calls, self._calls + 1
                given = value.get("input")
                block = Block("tool", number, arguments=as_json(given) if given else "{}")
                self._open[index] = block
                events.append(
                    ToolCall(number, _string(value.get("id")), _string(value.get("name")))
                )
            case _:  # what the provider's own tools do, and blocks of a later day
                pass
        return events

    def _delta(self, document: Document) -> list[Event]:
        delta = document.get("delta")
        if not isinstance(delta, dict):
            raise ShapeError("a delta")
        match delta.get("type"):
            case "text_delta":
                text = _text(delta, "text")
                return [Text(text)] if text else []
            case "thinking_delta":
                thought = _text(delta, "thinking")
                return [Reasoning(thought, 0, _index(document))] if thought else []
            case "input_json_delta":
                piece, block = _text(delta, "partial_json"), self._open.get(_index(document))
                if not piece or block is None or block.kind != "tool":
                    return []
                block.arguments = ""
                return [ToolCall(block.number, arguments=piece)]
            case "signature_delta":
                block = self._open.get(_index(document))
                if block is not None:
                    block.signature += _text(delta, "signature")
            case "citations_delta":
                return [_citation(delta.get("citation"))]
            case _:
                pass
        return []

    def _close(self, index: int) -> list[Event]:
        match self._open.pop(index, None):
            case Block("thinking", number, signature) if signature:
                return [ReasoningSealed(number, signature, format=SEAL)]
            case Block("tool", number, arguments=arguments) if arguments:
                return [ToolCall(number, arguments=arguments)]
            case _:
                return []

    def _finish(self, said: Document, usage: Json, *, always: bool = False) -> list[Event]:
        """The end of a message as `said`; the counts behind it."""
        self._count(usage)
        events: list[Event] = []
        native = _string(said.get("stop_reason"))
        if native or always:
            for index in list(self._open):  # whose provider forgot to close them
                events += self._close(index)
            reason = REASONS.get(native, "stop")
            if reason == "stop" and self._calls:
                reason = "tool_calls"
            sequence = _string(said.get("stop_sequence"))
            events.append(Finished(reason, native, stop_sequence=sequence))
        if self._usage:
            events.append(read_usage(self._usage))
        return events

    def _count(self, usage: Json) -> None:
        known = {key: value for key, value in as_document(usage).items() if value is not None}
        self._usage = {**self._usage, **known}


def read_usage(raw: Document) -> Usage:
    """Normalise a usage object: prompt includes cached tokens, as no dialect but this has it.

    Summaries that the provider made of a long conversation are billed and stand in `iterations`
    only; what else is listed there is in the sums already, or of another price.
    """
    parts = [raw, *(as_document(i) for i in as_list(raw.get("iterations")))]
    parts = [part for part in parts if part is raw or part.get("type") == "compaction"]
    plain, read, written, output = (
        sum(as_count(part.get(key)) for part in parts)
        for key in (INPUT, CACHE_READ, CACHE_WRITE, OUTPUT)
    )
    thought = as_count(as_document(raw.get("output_tokens_details")).get("thinking_tokens"))
    return Usage(
        prompt_tokens=plain + read + written,
        completion_tokens=output,
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=min(thought, output),
        raw=raw,
    )


class Counting:
    """Decoder of the answer to a count."""

    def __init__(self, status: int) -> None:
        self._status = status

    def feed(self, frame: bytes) -> list[Event]:
        """Decode the whole body: `Usage` with the prompt's tokens."""
        try:
            document: Json = orjson.loads(frame)
        except orjson.JSONDecodeError:
            document = None
        if self._status >= 300:
            return [Failed(read_error(self._status, document))]
        tokens = as_document(document).get(INPUT)
        if not isinstance(tokens, int) or tokens < 0:
            return [Failed(UpstreamUnavailableError("Provider did not count."))]
        return [Usage(prompt_tokens=tokens)]


def decode_response(call: Call, endpoint: Endpoint, status: int) -> Reading | Counting:
    """A decoder for one reply with this HTTP status."""
    if call.surface == "count_tokens":
        return Counting(status)
    return Reading(stream=call.stream, status=status)


def _citation(value: Json) -> Citation:
    raw = as_document(value)
    return Citation(
        url=_string(raw.get("url")) or _string(raw.get("source")),
        title=_string(raw.get("title")) or _string(raw.get("document_title")),
        cited=_string(raw.get("cited_text")),
        raw=raw,
    )


def _index(document: Document) -> int:
    index = document.get("index")
    return index if isinstance(index, int) else 0


def _string(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _text(part: Document, key: str) -> str:
    """What must be a string if it is there; to lose it silently would be a reply cut short."""
    value = part.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ShapeError(f"`{key}`")
    return value


def as_json(value: Json) -> str:
    """A call's arguments as JSON text. Raises: ShapeError where they nest too deep."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise ShapeError("arguments") from None
