"""Whether a reply is the one that the mock sent: the rules, as every client of the bench applies them.

Rule 1: every reply is judged. It must have status 200, parse, say word for word what one of the mock's
variants says, in as many pieces, and end as it should. Rule 2: what a gateway may change is not looked
at: ids, names of models, times, fields added, pieces without text. Rule 3: usage must be there where
the first replies of this target had it; a target that drops it has that in its notes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.posts import STREAMS, Kind
from bench.replies import CHUNKS_CONTENT, TOKENS_PLAIN, build

SHOWN_BYTES = 600
"""So much of a wrong reply is quoted."""
TAIL_MAX = 8


@dataclass(frozen=True, slots=True)
class Expected:
    """What a reply must have; the same rules for all targets."""

    kind: Kind
    anthropic: bool = False
    """Anthropic's dialect: only where the mock is asked in it, without a gateway between."""
    usage: bool = True
    tail: str = "}"
    """The closing signs of a JSON reply: how deep its last value stands is up to the gateway."""

    @property
    def streamed(self) -> bool:
        """Whether the reply is server-sent events."""
        return self.kind in STREAMS

    @property
    def pieces(self) -> int:
        """How many pieces of text it has."""
        return CHUNKS_CONTENT if self.streamed else 1

    @property
    def tokens(self) -> int:
        """How many tokens the mock says it wrote."""
        return CHUNKS_CONTENT if self.streamed else TOKENS_PLAIN


class WrongReplyError(Exception):
    """A reply is not what it should be; the text says in what way, without the reply."""


@cache
def texts(*, streamed: bool) -> frozenset[str]:
    """Everything the mock may have said."""
    return frozenset(r.text_streamed if streamed else r.text for r in build())


def judge(expected: Expected, status: int, body: bytes) -> bool:
    """Whether the reply has usage.

    Raises: WrongReplyError.
    """
    if status != 200:
        raise WrongReplyError(f"status {status}")
    try:
        found = _Found(expected)
        if expected.streamed:
            for event in _events(body):
                found.event(event)
        else:
            found.whole(body)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise WrongReplyError(f"not readable: {error!r}") from error
    return found.judged()


def judge_raw(expected: Expected, raw: bytes) -> bool:
    """The same for bytes as they came, head and framing included."""
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found or not head.startswith(b"HTTP/1.1 "):
        raise WrongReplyError("no HTTP/1.1 reply")
    fields = head.lower()
    if b"\r\ntransfer-encoding: chunked" in fields:
        body = unchunked(body)
    elif f"\r\ncontent-length: {len(body)}\r\n".encode() not in fields + b"\r\n":
        raise WrongReplyError(f"{len(body)} bytes of body are not what its head says")
    return judge(expected, int(head[9:12]), body)


def unchunked(data: bytes) -> bytes:
    """A chunked body without its framing.

    Raises: WrongReplyError unless the data is one whole body and nothing else.
    """
    parts, at = list[bytes](), 0
    while True:
        line = data.find(b"\r\n", at)
        size = data[at:line].partition(b";")[0].strip() if line > at else b""
        if not size.isalnum():
            raise WrongReplyError(f"no chunk begins at byte {at} of the body")
        try:
            length = int(size, 16)
        except ValueError:
            raise WrongReplyError(f"no chunk begins at byte {at} of the body") from None
        end = line + 2 + length
        if data[end : end + 2] != b"\r\n":
            raise WrongReplyError("a chunk is not whole")
        if not length:
            if len(data) != end + 2:
                raise WrongReplyError("something follows the last chunk")
            return b"".join(parts)
        parts.append(data[line + 2 : end])
        at = end + 2


def tail(body: bytes) -> str:
    """The closing signs at the end of a JSON reply."""
    text = body[-TAIL_MAX:].decode(errors="replace")
    return text[len(text.rstrip('"]}\n ')) :]


def quoted(body: bytes) -> str:
    """The beginning of a reply, for people."""
    more = f" and {len(body) - SHOWN_BYTES} bytes more" if len(body) > SHOWN_BYTES else ""
    return f"{body[:SHOWN_BYTES]!r}{more}"


def _events(body: bytes) -> list[bytes]:
    """The data of each event; comments, names and empty events left out."""
    if not body.endswith(b"\n\n"):
        raise WrongReplyError("the last event is not whole")
    lines = [line for line in body.split(b"\n") if line.startswith(b"data:")]
    return [line[5:].strip() for line in lines]


class _Found:
    """What was seen of a reply so far."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._pieces = list[str]()
        self._usage = self._finished = self._done = False

    def event(self, data: bytes) -> None:
        if self._done:
            raise WrongReplyError("an event follows the last one")
        if data == b"[DONE]":
            self._done = True
            return
        chunk = json.loads(data)
        if self._expected.anthropic:
            self._event_anthropic(chunk)
            return
        self._count(chunk.get("usage"), "completion_tokens")
        for choice in chunk["choices"]:
            self._say(choice["delta"].get("content"))
            self._finish(choice.get("finish_reason"))

    def _event_anthropic(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        if kind == "content_block_delta":
            self._say(event["delta"]["text"])
        elif kind == "message_delta":
            self._count(event["usage"], "output_tokens")
            self._finish(event["delta"]["stop_reason"])
        elif kind == "message_stop":
            self._done = True

    def whole(self, body: bytes) -> None:
        document = json.loads(body)
        self._done = True
        unit = "output_tokens" if self._expected.anthropic else "completion_tokens"
        self._count(document.get("usage"), unit)
        if self._expected.anthropic:
            self._say(document["content"][0]["text"])
            self._finish(document["stop_reason"])
        else:
            self._say(document["choices"][0]["message"]["content"])
            self._finish(document["choices"][0]["finish_reason"])

    def _say(self, text: str | None) -> None:
        if text:
            if self._finished:
                raise WrongReplyError("text after the finish")
            self._pieces.append(text)

    def _count(self, usage: Mapping[str, object] | None, unit: str) -> None:
        if not usage:
            return
        if usage[unit] != self._expected.tokens:
            raise WrongReplyError(f"{usage[unit]} tokens instead of {self._expected.tokens}")
        self._usage = True

    def _finish(self, reason: str | None) -> None:
        self._finished = self._finished or reason in {"stop", "end_turn"}

    def judged(self) -> bool:
        want = self._expected
        if len(self._pieces) != want.pieces:
            raise WrongReplyError(f"{len(self._pieces)} pieces of text instead of {want.pieces}")
        if "".join(self._pieces) not in texts(streamed=want.streamed):
            raise WrongReplyError("another text than the mock's")
        if not self._finished:
            raise WrongReplyError("no reason to finish")
        if not self._done:
            raise WrongReplyError("no last event")
        if want.usage and not self._usage:
            raise WrongReplyError("no usage, and others had it")
        return self._usage
