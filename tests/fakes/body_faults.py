"""Well-framed HTTP, ill-formed content: what a stream or a JSON body may get wrong.

Rule 1: pure; a fault of a stream maps `Told` to events, one of a reply maps JSON to bytes.
Rule 2: a kind that makes no sense in one of the two forms leaves that form healthy.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.fakes.fault import Fault
from tests.fakes.scripts import (
    REPLY_ID,
    USAGE,
    JsonObject,
    Told,
    delta_event,
    encode,
    error_of,
    event_of,
)

Events = tuple[bytes, ...]
StreamFault = Callable[[Told, Fault], Events]
ReplyFault = Callable[[JsonObject], bytes]

HUGE_EVENT_BYTES = (4 << 20) + 1
DEEP_LEVELS = 100_000
ERROR = error_of("The server had an error while processing your request.")


def _before(told: Told, fault: Fault) -> Events:
    return (told.opening, *told.content[: fault.after])


def _around(told: Told, fault: Fault, *odd: bytes) -> Events:
    """The whole stream with `odd` set in after `fault.after` content events."""
    rest = told.content[fault.after :]
    return (*_before(told, fault), *odd, *rest, told.finish, told.usage, told.done)


def _huge(told: Told, fault: Fault) -> Events:
    return _around(told, fault, delta_event("x" * (fault.size or HUGE_EVENT_BYTES)))


def _invalid_utf8(told: Told, fault: Fault) -> Events:
    spoiled = delta_event("SPOILED").replace(b"SPOILED", b"\xff\xfe\xc3(\xed\xa0\x80")
    return _around(told, fault, spoiled)


def _double_done(told: Told, _: Fault) -> Events:
    return (*told.events, delta_event("after the end"), told.done)


def _crlf(told: Told, _: Fault) -> Events:
    return tuple(event.replace(b"\n", b"\r\n") for event in told.events)


STREAM_FAULTS: dict[str, StreamFault] = {
    "error-first": lambda _told, _fault: (event_of(ERROR),),
    "error-midstream": lambda told, fault: (*_before(told, fault), event_of(ERROR)),
    "error-event-name": lambda told, fault: (
        *_before(told, fault),
        b"event: error\n" + event_of(ERROR),
    ),
    "no-done": lambda told, _fault: told.events[:-1],
    "no-finish-clean": lambda told, _fault: (told.opening, *told.content),
    "no-finish-done": lambda told, _fault: (told.opening, *told.content, told.done),
    "finish-then-eof": lambda told, _fault: (told.opening, *told.content, told.finish),
    "no-finish-eof": lambda told, _fault: (told.opening, *told.content),
    "invalid-utf8": _invalid_utf8,
    "garbage-mid-body": lambda told, fault: _around(
        told, fault, b"\x00\x01\x02 no event\nneither: this\r{]\n\n"
    ),
    "event-not-json": lambda told, fault: _around(told, fault, b'data: {"choices":[{\n\n'),
    "event-empty": lambda told, fault: _around(told, fault, b"data:\n\n", b"data: \n\n"),
    "double-done": _double_done,
    "huge-event": _huge,
    "comments": lambda told, fault: _around(told, fault, b": OPENROUTER PROCESSING\n\n", b":\n\n"),
    "crlf": _crlf,
    "only-done": lambda told, _fault: (told.done,),
}
"""By kind. `finish-then-eof` and `no-finish-eof` also end without the last HTTP chunk."""

USAGES: dict[str, object] = {
    "usage-null": None,
    "usage-negative": {"prompt_tokens": -5, "completion_tokens": -7, "total_tokens": -12},
    "usage-huge": {"prompt_tokens": 10**30, "completion_tokens": 2**63, "total_tokens": 10**30},
    "usage-strings": {"prompt_tokens": "11", "completion_tokens": "x", "total_tokens": "18"},
    "usage-float": {"prompt_tokens": 1.5, "completion_tokens": 7.25, "total_tokens": 0.1},
    "usage-list": [11, 7, 18],
}


def usage_events(told: Told, kind: str) -> Events:
    """The stream with another usage event, with none, or with two that disagree."""
    kept = tuple(event for event in told.events if event not in {told.usage, told.done})
    envelope: JsonObject = {"id": REPLY_ID, "object": "chat.completion.chunk", "choices": []}
    if kind == "usage-absent":
        return (*kept, told.done)
    if kind == "usage-twice":
        first = event_of(envelope | {"usage": USAGE})
        second = event_of(envelope | {"usage": USAGE | {"completion_tokens": 8}})
        return (*kept, first, second, told.done)
    return (*kept, event_of(envelope | {"usage": USAGES[kind]}), told.done)


def usage_reply(reply: JsonObject, kind: str) -> bytes:
    """The body with another usage, with none, or with the key given twice."""
    without = {key: value for key, value in reply.items() if key != "usage"}
    if kind == "usage-absent":
        return encode(without)
    if kind == "usage-twice":
        second = encode(USAGE | {"completion_tokens": 8})
        return encode(without | {"usage": USAGE})[:-1] + b',"usage":' + second + b"}"
    return encode(without | {"usage": USAGES[kind]})


def _with_choices(choices: object) -> ReplyFault:
    return lambda reply: encode(reply | {"choices": choices})


WRONG_SHAPES: dict[str, ReplyFault] = {
    "json-list": lambda reply: encode([reply]),
    "json-null": lambda _: b"null",
    "json-string": lambda _: json.dumps("a string").encode(),
    "json-empty-object": lambda _: b"{}",
    "json-choices-null": _with_choices(None),
    "json-choices-string": _with_choices("none"),
    "json-choices-of-numbers": _with_choices([1, 2]),
    "json-message-null": _with_choices([{"index": 0, "message": None, "delta": None}]),
    "json-content-number": _with_choices(
        [{"index": 0, "message": {"content": 5}, "delta": {"content": 5}}]
    ),
    "json-truncated": lambda reply: encode(reply)[:-20],
    "json-deep": lambda _: b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS,
    "json-nan": lambda reply: encode(reply | {"created": float("nan")}),
}
"""JSON that is not what the dialect says. In a stream it is the payload of one event."""


def kinds() -> tuple[str, ...]:
    """Every kind of this file."""
    return (*STREAM_FAULTS, "usage-absent", "usage-twice", *USAGES, *WRONG_SHAPES)


def spoiled_events(told: Told, reply: JsonObject, fault: Fault) -> Events:
    """The events of a stream with this fault; `reply` is the same content as JSON."""
    if fault.kind in STREAM_FAULTS:
        events = STREAM_FAULTS[fault.kind](told, fault)
    elif fault.kind.startswith("usage-"):
        events = usage_events(told, fault.kind)
    elif fault.kind in WRONG_SHAPES:
        events = _around(told, fault, b"data: " + WRONG_SHAPES[fault.kind](reply) + b"\n\n")
    else:
        events = told.events
    return tuple(event for event in events if event)


def spoiled_reply(reply: JsonObject, fault: Fault) -> bytes:
    """The JSON body with this fault."""
    if fault.kind in WRONG_SHAPES:
        return WRONG_SHAPES[fault.kind](reply)
    if fault.kind.startswith("usage-"):
        return usage_reply(reply, fault.kind)
    if fault.kind == "invalid-utf8":
        return encode(reply).replace("ï".encode(), b"\xef")
    if fault.kind.startswith("error-"):
        return encode(ERROR)
    return encode(reply)
