"""What the load sends: four kinds of chat request, each with ten headers."""

import json
from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "chunks", "burst", "paced"]
KINDS: tuple[Kind, ...] = ("plain", "chunks", "burst", "paced")
"""Not streamed; a write per event, as providers do; all in one write; a write every 5 ms."""
BODY_BYTES = 600

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
    """A request to a path; the same bytes for the mock, for nginx and for the gateway."""

    path: str
    body: bytes

    def encoded(self, host: str) -> bytes:
        """The request as HTTP/1.1."""
        fields = {"Host": host, **HEADERS, "Content-Length": str(len(self.body))}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        return "\r\n".join(lines).encode() + self.body


def post(kind: Kind, *, gateway: bool) -> Post:
    """The request that makes the mock answer in the way of `kind`.

    Args:
        gateway: the path is the gateway's; else the mock's own, where the prefix picks the way.
    """
    path = "/api/v1/chat/completions" if gateway else f"{prefix(kind)}/v1/chat/completions"
    return Post(path, _body(kind))


def prefix(kind: Kind) -> str:
    """What stands before `/v1` in the mock's path."""
    return "" if kind in {"plain", "chunks"} else f"/{kind}"


def _body(kind: Kind) -> bytes:
    """A chat request of `BODY_BYTES`, filled up with text."""
    call: dict[str, object] = {"model": f"bench/{kind}", "temperature": 0.7, "max_tokens": 256}
    if kind != "plain":
        call |= {"stream": True, "stream_options": {"include_usage": True}}
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ""}]
    empty = len(_dump({**call, "messages": messages}))
    messages[1]["content"] = (_TEXT * 4)[: BODY_BYTES - empty]
    return _dump({**call, "messages": messages})


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
