"""Synthetic answers in the Messages dialect; the scripts themselves are those of `scripts`.

A piece of a stream may hold several events: the first piece of a block begins it, the last one ends
it. So a fault `after` n pieces strikes behind n deltas, as in the other dialect.
"""

from __future__ import annotations

import json

from tests.fakes.scripts import SCRIPTS, JsonObject, Script, Told, ToolCall, encode

REPLY_ID = "msg_replay"
SIGNATURE = "c2lnbmF0dXJl" * 8
"""What thinking must come back with; nobody but the provider can read it."""
STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
COUNTED = 11
"""What every count of tokens says."""

MESSAGES_SCRIPTS: dict[str, Script] = SCRIPTS | {
    "thinking-tools": Script(
        texts=("Let me ", "look."),
        reasoning=("I need ", "the weather."),
        tool_calls=(ToolCall(), ToolCall("get_time", "{}", "call_2")),
    ),
}
"""Served as `synthetic/<name>`."""


def event_of(event: JsonObject) -> bytes:
    """Frame one event, with its name."""
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), encode(event))


def told(script: Script) -> Told:
    """The stream of `script`: `finish` is message_delta with the usage, `done` is message_stop."""
    message = _envelope(script) | {"content": [], "usage": _usage(script, output=1)}
    content: list[bytes] = []
    for index, (block, deltas) in enumerate(_streamed_blocks(script)):
        opening = {"type": "content_block_start", "index": index, "content_block": block}
        pieces = [
            event_of({"type": "content_block_delta", "index": index, "delta": delta})
            for delta in deltas
        ]
        pieces[0] = event_of(opening) + pieces[0]
        pieces[-1] += event_of({"type": "content_block_stop", "index": index})
        content += pieces
    delta = {"stop_reason": STOPS[script.finish_reason], "stop_sequence": None}
    finish: JsonObject = {"type": "message_delta", "delta": delta, "usage": _usage(script)}
    return Told(
        opening=event_of({"type": "message_start", "message": message}) + PING,
        content=tuple(content),
        finish=event_of(finish),
        usage=b"",
        done=event_of({"type": "message_stop"}),
    )


def reply_of(script: Script) -> JsonObject:
    """The JSON body of a call without `stream`."""
    stop = {"stop_reason": STOPS[script.finish_reason], "stop_sequence": None}
    return _envelope(script) | {"content": _blocks(script), **stop, "usage": _usage(script)}


def error_of(message: str, kind: str = "api_error") -> JsonObject:
    """An error body, and the error event of a stream."""
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": "req_replay"}


def delta_event(text: str) -> bytes:
    """One more piece of the first block."""
    delta = {"type": "text_delta", "text": text}
    return event_of({"type": "content_block_delta", "index": 0, "delta": delta})


def _envelope(script: Script) -> JsonObject:
    return {
        "id": REPLY_ID,
        "type": "message",
        "role": "assistant",
        "model": script.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(script: Script, *, output: int | None = None) -> object:
    """Its counts by their names here; whatever a fault put in their place stays as it is."""
    if not isinstance(script.usage, dict):
        return script.usage
    said = {
        "input_tokens": script.usage.get("prompt_tokens"),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": script.usage.get("completion_tokens"),
    }
    return said if output is None else said | {"output_tokens": output}


def _blocks(script: Script) -> list[JsonObject]:
    found: list[JsonObject] = []
    if script.reasoning:
        thought = "".join(script.reasoning)
        found.append({"type": "thinking", "thinking": thought, "signature": SIGNATURE})
    if script.texts:
        found.append({"type": "text", "text": "".join(script.texts)})
    for call in script.tool_calls:
        arguments = json.loads(call.arguments)
        found.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return found


def _streamed_blocks(script: Script) -> list[tuple[JsonObject, list[JsonObject]]]:
    """Each block as it begins, and its deltas, at least one."""
    found: list[tuple[JsonObject, list[JsonObject]]] = []
    if script.reasoning:
        deltas: list[JsonObject] = [
            {"type": "thinking_delta", "thinking": text} for text in script.reasoning
        ]
        deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        found.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if script.texts:
        deltas = [{"type": "text_delta", "text": text} for text in script.texts]
        found.append(({"type": "text", "text": ""}, deltas))
    for call in script.tool_calls:
        # The first fragment is empty; a call without arguments has no other.
        fragments = ["", *_fragments("" if call.arguments == "{}" else call.arguments)]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in fragments]
        block: JsonObject = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        found.append((block, deltas))
    return found


def _fragments(text: str, *, characters: int = 5) -> list[str]:
    return [text[start : start + characters] for start in range(0, len(text), characters)]
