"""Replies as clients read them: whole or streamed, timed, and checked in full.

Rule 1: times are of content: heads, comments and roles are no answer yet. Rule 2: whatever is wrong is a
`BadReplyError` whose text is short and the same for the same fault, so that a report can count it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from loadtests import sse, stamps
from loadtests.stamps import BadReplyError, Stamp

Document: TypeAlias = "dict[str, object]"
Clock: TypeAlias = "Callable[[], float]"
FINISHES = frozenset({"stop", "length", "tool_calls"})


@dataclass(slots=True)
class ToolCall:
    """A tool that the model asks for."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON text."""


@dataclass(slots=True)
class Answer:
    """One reply, as far as it has been read."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish: str = ""
    completion_tokens: int = -1
    """-1: the reply did not say."""
    first_at: float = 0.0
    """When the first content came; 0: none did."""
    ended_at: float = 0.0
    gaps_s: list[float] = field(default_factory=list)
    """Times between arrivals of content; events that arrived together are one arrival."""
    attempts: int = 1
    """That the gateway made, as its head says."""
    own_s: float | None = None
    """The gateway's share of the wait in its own words (`server-timing`); None: it said nothing."""


def read_whole(pieces: Iterable[bytes], clock: Clock) -> Answer:
    """A reply that is not streamed. Raises: BadReplyError."""
    body = b"".join(pieces)
    answer = Answer()
    document = _document(body)
    _usage(answer, document)
    for choice in _listed(document, "choices"):
        _add(answer, _object(choice, "message"), choice)
    answer.first_at = answer.ended_at = clock()
    _complete(answer)
    return answer


def read_stream(pieces: Iterable[bytes], clock: Clock) -> Answer:
    """A streamed reply, timed piece by piece. Raises: BadReplyError."""
    answer = Answer()
    done = False
    names: set[object] = set()
    latest_at = 0.0
    for at, data in sse.events(pieces, clock):
        if done:
            raise BadReplyError("events after [DONE]")
        if data == b"[DONE]":
            done = True
            continue
        chunk = _document(data)
        names.add(chunk.get("id"))
        _usage(answer, chunk)
        grew = [_add(answer, _object(c, "delta"), c) for c in _listed(chunk, "choices")]
        if any(grew):
            answer.first_at = answer.first_at or at
            if 0.0 < latest_at < at:
                answer.gaps_s.append(at - latest_at)
            latest_at = at
    answer.ended_at = clock()
    if not done:
        raise BadReplyError("no [DONE]")
    if len(names) != 1:
        raise BadReplyError("chunks of different ids")
    _complete(answer)
    return answer


def check(answer: Answer, nonce: str, *, stamped: bool) -> Stamp | None:
    """Compare an answer with its request.

    Args:
        nonce: of the request.
        stamped: the provider is one of ours, which stamps whatever it says.
    Raises: BadReplyError for content of another request or another provider, or less of it than is charged.
    """
    stamp = stamps.read(answer.text)
    if stamp is None:
        if stamped:
            raise BadReplyError("no stamp")
        return None
    if stamp.nonce != nonce:
        raise BadReplyError("content of another request")
    if stamp.pieces != answer.completion_tokens:
        raise BadReplyError("pieces and usage differ")
    for call in answer.calls:
        said = cast("Document", json.loads(call.arguments))
        if (said.get("nonce"), said.get("provider")) != (nonce, stamp.provider):
            raise BadReplyError("tool call of another request")
    return stamp


def _document(data: bytes) -> Document:
    """One JSON object that is no error."""
    try:
        found: object = json.loads(data)
    except ValueError:
        raise BadReplyError("not JSON") from None
    if not isinstance(found, dict):
        raise BadReplyError("not a JSON object")
    document = cast("Document", found)
    if "error" in document:
        code = _object(document, "error").get("code")
        raise BadReplyError(f"error {code} in the reply")
    return document


def _listed(document: Document, key: str) -> list[Document]:
    found = document.get(key)
    if not isinstance(found, list):
        raise BadReplyError(f"no {key}")
    return [cast("Document", one) for one in found if isinstance(one, dict)]


def _object(document: Document, key: str) -> Document:
    found = document.get(key)
    if not isinstance(found, dict):
        raise BadReplyError(f"no {key}")
    return cast("Document", found)


def _usage(answer: Answer, document: Document) -> None:
    usage = document.get("usage")
    if isinstance(usage, dict):
        tokens = cast("Document", usage).get("completion_tokens")
        answer.completion_tokens = tokens if isinstance(tokens, int) else -1


def _add(answer: Answer, message: Document, choice: Document) -> bool:
    """Take what a message or a delta brings; whether it brought content."""
    text = message.get("content")
    calls = message.get("tool_calls")
    grew = bool(text) or bool(calls)
    if grew and answer.finish:
        raise BadReplyError("content after the end")
    if isinstance(text, str):
        answer.text += text
    if isinstance(calls, list):
        for position, call in enumerate(calls):
            _call(answer, cast("Document", call), position)
    finish = choice.get("finish_reason")
    if finish is not None:
        if finish not in FINISHES or answer.finish not in {"", finish}:
            raise BadReplyError(f"finish reason {finish}")
        answer.finish = str(finish)
    return grew


def _call(answer: Answer, call: Document, position: int) -> None:
    """A tool call, or a part of one: then `index` says of which."""
    index = call.get("index", position)
    if not isinstance(index, int) or not 0 <= index <= len(answer.calls):
        raise BadReplyError("tool call out of order")
    if index == len(answer.calls):
        answer.calls.append(ToolCall())
    known, function = answer.calls[index], _object(call, "function")
    known.id += str(call.get("id") or "")
    known.name += str(function.get("name") or "")
    known.arguments += str(function.get("arguments") or "")


def _complete(answer: Answer) -> None:
    if not answer.first_at or not (answer.text or answer.calls):
        raise BadReplyError("no content")
    if not answer.finish:
        raise BadReplyError("no finish reason")
    if answer.completion_tokens < 0:
        raise BadReplyError("no usage")
    if (answer.finish == "tool_calls") != bool(answer.calls):
        raise BadReplyError("finish reason and tool calls differ")
    for call in answer.calls:
        try:
            json.loads(call.arguments)
        except ValueError:
            raise BadReplyError("tool arguments are not JSON") from None
        if not call.id or not call.name:
            raise BadReplyError("tool call without id or name")
