"""Recorded exchanges of Anthropic's Messages API, token counts included (see `recordings`).

Rule 1: where an author took the framing off a stream, it is put back with the names of the events.
Rule 2: the first excerpts (`_core`) say again what a cassette says; they are named `_core/…`.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.recordings import FIXTURES, Recording, compact, read_cassette, recording_of

FOLDER = FIXTURES / "anthropic"
CORE = FIXTURES / "_core" / "anthropic"
PATH = "/v1/messages"
COUNTING = "/v1/messages/count_tokens"
STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}


@functools.cache
def load_messages_recordings() -> tuple[Recording, ...]:
    """Every exchange; empty where the recordings are absent: skip with `recordings.ABSENT`."""
    if not FOLDER.is_dir():
        return ()
    found = [one for file in sorted(FOLDER.iterdir()) for one in _read_file(file)]
    return (*found, *(one for file in sorted(CORE.iterdir()) for one in _core(file)))


def replies() -> tuple[Recording, ...]:
    """Those of them that are replies, or refusals, and no counts."""
    return tuple(one for one in load_messages_recordings() if one.path == PATH)


def counts() -> tuple[Recording, ...]:
    """Those of them that count tokens."""
    return tuple(one for one in load_messages_recordings() if one.path == COUNTING)


def framed(events: Iterable[Any]) -> bytes:
    """A stream with the names of its events, as the provider frames it."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), compact(e)) for e in events)


def _read_file(file: Path) -> Iterable[Recording]:
    if file.suffix == ".yaml":
        return read_cassette(file, (PATH, COUNTING))
    if file.name.endswith(".chunks.jsonl"):
        return _vercel_streams(file)
    document = json.loads(file.read_bytes())
    if "_source" in document:
        return _pairs(file, document)
    if "body" in document:
        return [_kept(file, document)]
    return [_reply(file, document)]


def _vercel_streams(file: Path) -> Iterator[Recording]:
    """A stream; in a few files the streams of the turns behind it too."""
    lines = file.read_text(encoding="utf-8").splitlines()
    events: list[Any] = []
    labels = (f"stream{number or ''}" for number in itertools.count())
    for line in filter(str.strip, lines):
        events.append(json.loads(line))
        if events[-1]["type"] == "message_stop":
            body = framed(events)
            yield recording_of(file, next(labels), path=PATH, answer=(200, [], body))
            events.clear()
    assert not events, f"{file.name} stops in the midst of a stream"


def _pairs(file: Path, document: dict[str, Any]) -> Iterator[Recording]:
    """A request and its reply, whole and streamed, and the same for the turn behind it."""
    for label, answer in document.items():
        if label.startswith("_") or label.endswith("request"):
            continue
        request = document.get("followup-request" if label.startswith("followup") else "request")
        if isinstance(answer, list):
            body, status = framed(answer), 200
        else:
            body, status = compact(answer), _status(answer)
        yield recording_of(file, label, path=PATH, request=request, answer=(status, [], body))


def _kept(file: Path, document: dict[str, Any]) -> Recording:
    headers = list(document["headers"].items())
    body = document["body"].encode()
    return recording_of(file, "0", path=PATH, answer=(document["status"], headers, body))


def _reply(file: Path, document: dict[str, Any]) -> Recording:
    answer = (_status(document), [], compact(document))
    return recording_of(file, "reply", path=PATH, answer=answer)


def _core(file: Path) -> Iterator[Recording]:
    if file.name.endswith(".request.json"):
        return
    request = json.loads(file.with_suffix(".request.json").read_bytes())
    if file.suffix == ".sse":
        one = recording_of(
            file, "stream", path=PATH, request=request, answer=(200, [], file.read_bytes())
        )
    else:
        one = replace(_reply(file, json.loads(file.read_bytes())), request=request)
    # A reply needs `max_tokens`, a count must not have it.
    path = PATH if "max_tokens" in request else COUNTING
    yield replace(one, name=f"_core/{one.name}", path=path)


def _status(answer: Any) -> int:
    if answer.get("type") != "error":
        return 200
    return STATUSES[answer["error"]["type"]]
