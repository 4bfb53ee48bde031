"""What a stream or a body of the Messages dialect may get wrong; kinds are those of `body_faults`.

Rule 1: pure. Rule 2: a kind that makes no sense in this dialect leaves the answer healthy.
"""

from __future__ import annotations

import json
from dataclasses import replace

from tests.fakes.asks import Ask
from tests.fakes.body_faults import DEEP_LEVELS, HUGE_EVENT_BYTES, STREAM_FAULTS, USAGES
from tests.fakes.fault import Fault
from tests.fakes.messages_scripts import (
    COUNTED,
    delta_event,
    error_of,
    event_of,
    reply_of,
    told,
)
from tests.fakes.scripts import JsonObject, Script, Told, encode

PATHS = ("/messages", "/messages/count_tokens")
ERROR = error_of("Overloaded", "overloaded_error")
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
"""The error's type by status; others are `api_error`."""
SPOILED = b"\xff\xfe\xc3(\xed\xa0\x80"


def speaks_messages(ask: Ask) -> bool:
    """Is the answer to be in this dialect?"""
    return ask.path.endswith(PATHS)


def is_count(ask: Ask) -> bool:
    """Are only the tokens of a request wanted?"""
    return ask.path.endswith(PATHS[1])


def count_body() -> bytes:
    """The answer to a count."""
    return encode({"input_tokens": COUNTED})


def error_body(status: int, message: str) -> bytes:
    """The body of an error status."""
    return encode(error_of(message, KINDS.get(status, "api_error")))


def pieces_of(ask: Ask, fault: Fault) -> list[bytes]:
    """One piece per delta, or the JSON body in halves (see `wire_faults`)."""
    script = _billed(replace(fault.script, model=ask.model), fault.kind)
    if is_count(ask):
        body = count_body()
    elif not ask.stream:
        body = _spoiled_reply(reply_of(script), fault.kind)
    else:
        pieces = [piece for piece in _spoiled_stream(script, fault) if piece]
        every = ask.pacing.cut_every
        if every is None:
            return pieces
        whole = b"".join(pieces)
        return [whole[start : start + every] for start in range(0, len(whole), every)]
    return [body[: len(body) // 2], body[len(body) // 2 :]]


def _billed(script: Script, kind: str) -> Script:
    """The script with the usage that a fault puts in the place of the right one."""
    if kind not in USAGES and kind != "usage-absent":
        return script
    return replace(script, usage=USAGES.get(kind))  # type: ignore[arg-type]  # wrong on purpose


def _spoiled_stream(script: Script, fault: Fault) -> tuple[bytes, ...]:
    said = told(script)
    before = (said.opening, *said.content[: fault.after])
    error = event_of(ERROR)
    match fault.kind:
        case "error-first":
            return (error,)
        case "error-midstream" | "error-event-name":
            return (*before, error)
        case "invalid-utf8":
            odd = delta_event("SPOILED").replace(b"SPOILED", SPOILED)
        case "event-not-json":
            odd = b'event: content_block_delta\ndata: {"type":"content_\n\n'
        case "huge-event":
            odd = delta_event("x" * (fault.size or HUGE_EVENT_BYTES))
        case "double-done":
            return (*said.events, delta_event("after the end"), said.done)
        case "usage-twice":
            return (*said.events[:-1], said.finish, said.done)
        case kind if kind in STREAM_FAULTS:
            return STREAM_FAULTS[kind](said, fault)
        case kind if kind.startswith("json-"):
            odd = b"data: " + _wrong_shape(reply_of(script), kind) + b"\n\n"
        case _:
            return said.events
    return _around(said, fault, odd)


def _around(said: Told, fault: Fault, odd: bytes) -> tuple[bytes, ...]:
    before, behind = said.content[: fault.after], said.content[fault.after :]
    return (said.opening, *before, odd, *behind, said.finish, said.done)


def _spoiled_reply(reply: JsonObject, kind: str) -> bytes:
    if kind == "usage-absent":
        return encode({key: value for key, value in reply.items() if key != "usage"})
    if kind.startswith("json-"):
        return _wrong_shape(reply, kind)
    if kind == "invalid-utf8":
        return encode(reply).replace("ï".encode(), b"\xef")
    return encode(ERROR) if kind.startswith("error-") else encode(reply)


def _wrong_shape(reply: JsonObject, kind: str) -> bytes:
    """JSON that is not what the dialect says."""
    contents: dict[str, object] = {
        "json-choices-null": None,
        "json-choices-string": "none",
        "json-choices-of-numbers": [1, 2],
        "json-message-null": [None],
        "json-content-number": [{"type": "text", "text": 5}],
    }
    match kind:
        case "json-list":
            return encode([reply])
        case "json-null":
            return b"null"
        case "json-string":
            return json.dumps("a string").encode()
        case "json-empty-object":
            return b"{}"
        case "json-truncated":
            return encode(reply)[:-20]
        case "json-deep":
            return b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS
        case "json-nan":
            return encode(reply | {"usage": float("nan")})
    return encode(reply | {"content": contents[kind]})
