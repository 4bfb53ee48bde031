"""Replies read: frames of a provider to events."""

from collections.abc import Iterator

import orjson

from proxy.dialects.openai_chat.failures import is_error, read_error
from proxy.dialects.openai_chat.fields import NAME, as_json
from proxy.dialects.openai_chat.pieces import (
    read_annotations,
    read_details,
    read_images,
    read_list,
    read_sources,
)
from proxy.errors import UpstreamUnavailableError
from proxy.model.call import Call
from proxy.model.document import Document, Json, as_count, as_document, as_list
from proxy.model.endpoint import Endpoint
from proxy.model.event import (
    Ended,
    Event,
    Failed,
    Finished,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)

CONTENT = (str, list, type(None))
"""What `content` may be; written out, since a union made per frame costs 0.3 us."""
PARTICULAR = frozenset(
    ("reasoning", "reasoning_content", "thinking", "reasoning_details", "images", "tool_calls")
)
"""What few messages have: if none is there, none is looked for."""
SHAPELESS_MAX = 3
"""Chunks without `choices` that are skipped before the reply counts as broken."""

REASONS = {
    "stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop", "completed": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length", "max_output_tokens": "length",
    "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter", "safety": "content_filter", "sensitive": "content_filter",
    "refusal": "content_filter", "recitation": "content_filter",
    "error": "error", "network_error": "error", "insufficient_system_resource": "error",
}  # fmt: skip
"""Providers' words for the end of a choice, lower case, and ours; an unknown one is a stop."""


class Reading:
    """Decoder of one reply."""

    def __init__(self, *, stream: bool, status: int) -> None:
        self._part = "delta" if stream else "message"
        self._stream = stream
        self._status = status
        self._shapeless = 0
        self._called_tools: set[int] = set()
        self._sources: set[str] = set()

    def feed(self, frame: bytes) -> list[Event]:
        """Decode one frame, or the whole body of a reply."""
        if frame == b"[DONE]":
            return [Ended()]
        try:
            document: Json = orjson.loads(frame)
        except orjson.JSONDecodeError:
            document = None
        if self._status >= 300:
            return [Failed(read_error(self._status, document))]
        if not isinstance(document, dict):
            return [Failed(UpstreamUnavailableError("Provider sent something that is not JSON."))]
        if is_error(document):
            return [Failed(read_error(self._status, document))]
        return self._read(document)

    def _read(self, document: Document) -> list[Event]:
        events: list[Event] = [Native(NAME, document)]
        choices = as_list(document.get("choices"))
        for choice in choices:
            if not isinstance(choice, dict) or not self._is_sound(choice):
                return [
                    Failed(UpstreamUnavailableError("Provider sent a choice of an unknown shape."))
                ]
            self._choice(choice, events)
        if "citations" in document or "search_results" in document:
            events += read_sources(document, self._sources)
        raw = document.get("usage") or as_document(document.get("x_groq")).get("usage")
        if isinstance(raw, dict):
            events.append(read_usage(raw))
        if not choices and not isinstance(document.get("choices"), list):
            return self._without_choices(events)
        if not self._stream and not choices:
            return [Failed(UpstreamUnavailableError("Provider sent a reply without choices."))]
        return events

    def _is_sound(self, choice: Document) -> bool:
        """Is the part that is read here of the types it must have?"""
        part = choice.get(self._part)
        if not isinstance(part, dict):
            # A finish chunk may lack its delta, and a legacy completion has `text`; a message must be.
            return part is None and (self._stream or isinstance(choice.get("text"), str))
        return isinstance(part.get("content"), CONTENT)

    def _without_choices(self, events: list[Event]) -> list[Event]:
        if self._stream and isinstance(events[-1], Usage):
            return events
        self._shapeless += 1
        if self._stream and self._shapeless <= SHAPELESS_MAX:
            return []
        return [Failed(UpstreamUnavailableError("Provider sent a reply of an unknown shape."))]

    def _choice(self, choice: Document, events: list[Event]) -> None:
        """Add what one choice says."""
        index = as_count(choice.get("index"))
        part = as_document(choice.get(self._part))
        particular = not PARTICULAR.isdisjoint(part)
        if particular or "reasoning" in choice:
            events += _thought(part, choice.get("reasoning"), index)
        for text in (part.get("content"), choice.get("text")):
            if isinstance(text, str):
                if text:
                    events.append(Text(text, index))
            elif text and isinstance(text, list):
                events += read_list(text, index)
        if (refusal := part.get("refusal")) and isinstance(refusal, str):
            events.append(Refusal(refusal, index))
        if annotations := part.get("annotations"):
            events += read_annotations(as_list(annotations), index)
        if particular:
            events += self._actions(part, index)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            events.append(Finished(self._normal(reason, index), reason, index))
        elif not self._stream:
            events.append(Finished(self._normal("", index), "", index))

    def _actions(self, part: Document, index: int) -> Iterator[Event]:
        if images := part.get("images"):
            yield from read_images(as_list(images), index)
        if calls := as_list(part.get("tool_calls")):
            self._called_tools.add(index)
            yield from (read_tool_call(call, n, index) for n, call in enumerate(calls))

    def _normal(self, reason: str, index: int) -> str:
        normal = REASONS.get(reason.lower(), "stop")
        return "tool_calls" if normal == "stop" and index in self._called_tools else normal


def _thought(part: Document, beside: Json, index: int) -> Iterator[Event]:
    """Reasoning, by any of its names; `beside`: what stands beside the message."""
    thought = (
        part.get("reasoning") or part.get("reasoning_content") or part.get("thinking") or beside
    )
    if details := part.get("reasoning_details"):
        yield from read_details(as_list(details), index, thought)
    elif thought and isinstance(thought, str):
        yield Reasoning(thought, index)


def read_tool_call(call: Json, position: int, choice: int) -> ToolCall:
    """One entry of `tool_calls`, whole or a piece."""
    entry = as_document(call)
    function = as_document(entry.get("function"))
    index, arguments = entry.get("index"), function.get("arguments") or ""
    return ToolCall(
        index=index if isinstance(index, int) else position,
        id=str(entry.get("id") or ""),
        name=str(function.get("name") or ""),
        arguments=arguments if isinstance(arguments, str) else as_json(arguments),
        choice=choice,
    )


def read_usage(raw: Document) -> Usage:
    """Normalise a usage object: prompt includes cached tokens, completion includes reasoning."""
    prompt, completion = as_count(raw.get("prompt_tokens")), as_count(raw.get("completion_tokens"))
    usage = Usage(prompt, completion, raw=raw)
    if output_details := as_document(raw.get("completion_tokens_details")):
        usage.image_tokens = counted(output_details, "image_tokens")
        usage.reasoning_tokens = reasoning = counted(output_details, "reasoning_tokens")
        if reasoning and as_count(raw.get("total_tokens")) == prompt + completion + reasoning:
            usage.completion_tokens += reasoning  # some hosts count it beside the completion
    cached = counted(raw, "prompt_cache_hit_tokens")
    if prompt_details := as_document(raw.get("prompt_tokens_details")):
        cached = counted(prompt_details, "cached_tokens") or cached
        written = counted(prompt_details, "cache_write_tokens")
        usage.cache_write_tokens = min(written, prompt - min(cached, prompt))
        usage.audio_tokens = counted(prompt_details, "audio_tokens")
    usage.cached_tokens = min(cached, prompt)
    return usage


def counted(document: Document, name: str) -> int:
    """A count that may be missing, and is so nearly always."""
    return as_count(value) if (value := document.get(name)) else 0


def decode_response(call: Call, endpoint: Endpoint, status: int) -> Reading:
    """A decoder for one reply with this HTTP status."""
    return Reading(stream=call.stream, status=status)
