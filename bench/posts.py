"""What the load sends: seven kinds of chat request, each with ten headers."""

import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "plain", "large", "chunks", "burst", "paced", "translate", "translate_stream"
]
"""plain: 600 bytes, a small JSON reply; large: the same with a long document in it; chunks: a stream, a
write per event, back to back; burst: the same in one write; paced: the same, a write every 20 ms;
translate, translate_stream: the provider speaks Anthropic Messages, whole or a write per event."""
KINDS: tuple[Kind, ...] = get_args(Kind)
STREAMS: frozenset[Kind] = frozenset({"chunks", "burst", "paced", "translate_stream"})
"""Kinds that are answered by server-sent events."""
TRANSLATED: frozenset[Kind] = frozenset({"translate", "translate_stream"})
"""Kinds whose provider speaks another dialect than the client."""
PASSED: frozenset[Kind] = frozenset(KINDS) - TRANSLATED
"""Kinds that a proxy without any idea of dialects can serve."""
BODY_BYTES, LARGE_BYTES = 600, 100_000
MODEL = "gpt-4o"
"""What the mock's provider calls the model."""

HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Authorization": "Bearer sk-bench-0123456789abcdef0123456789abcdef",
    "User-Agent": "OpenAI/Python 1.99.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-OS": "Linux",
}
"""With Host and Content-Length, ten."""

_TEXT = (
    "You are a helpful assistant. Answer briefly. A hedgerow is a line of closely spaced shrubs "
    "and trees, planted and trained to form a barrier or to mark the boundary of an area. "
)


@dataclass(frozen=True, slots=True)
class Post:
    """A request to a path."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))
    """Without Host and Content-Length."""

    def encoded(self, host: str) -> bytes:
        """The request as HTTP/1.1."""
        fields = {"Host": host, **self.headers, "Content-Length": str(len(self.body))}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        return "\r\n".join(lines).encode() + self.body


def post(kind: Kind, *, path: str, model: str, headers: dict[str, str] | None = None) -> Post:
    """A chat request of `kind` for `model`; `headers` are added to the usual ones."""
    size = LARGE_BYTES if kind == "large" else BODY_BYTES
    call: dict[str, object] = {"model": model, "temperature": 0.7, "max_tokens": 256}
    if kind in STREAMS:
        call |= {"stream": True, "stream_options": {"include_usage": True}}
    return Post(path, _filled(call, _SYSTEM, size), {**HEADERS, **(headers or {})})


def messages_post(kind: Kind, *, path: str, model: str) -> Post:
    """The same question in Anthropic's words: what the provider of a translated kind is asked."""
    call: dict[str, object] = {"model": model, "max_tokens": 256, "system": "Be brief."}
    if kind in STREAMS:
        call["stream"] = True
    headers = {**HEADERS, "X-Api-Key": "sk-bench", "Anthropic-Version": "2023-06-01"}
    return Post(path, _filled(call, (), BODY_BYTES), headers)


def prefix(kind: Kind) -> str:
    """What stands before `/v1` in the mock's path."""
    return f"/{kind}" if kind in {"burst", "paced"} else ""


_SYSTEM = ({"role": "system", "content": "Be brief."},)


def _filled(call: dict[str, object], before: tuple[dict[str, str], ...], size: int) -> bytes:
    """`call` with the messages `before` and one of the user's, filled up to `size` bytes."""
    user = {"role": "user", "content": ""}
    whole = {**call, "messages": [*before, user]}
    room = size - len(_dump(whole))
    user["content"] = (_TEXT * (room // len(_TEXT) + 1))[:room]
    return _dump(whole)


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
