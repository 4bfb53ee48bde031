"""What a request asks of the replay server: which model, in which form, how paced.

The model is the body's `model` field, unless the header `x-replay-model` or the URL names
one. Options are read from the query (`?seed=3&cut_every=7&delay_s=0.01&model=…`) or, for
clients that append their own path to a base URL, from a first path segment after a tilde:
`http://127.0.0.1:9101/~seed=3&cut_every=7/v1/chat/completions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.framing import Pacing

MODEL_HEADER = "x-replay-model"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, decoded as far as an answer depends on it."""

    model: str
    path: str
    """Without the option segment and the query."""
    pacing: Pacing
    stream: bool = False
    include_usage: bool = False
    legacy: bool = False
    """Whether it came to the legacy completions path."""
    text: str = ""
    """The last user message, or the prompt."""


def read_ask(target: str, headers: Iterable[tuple[str, str]], body: bytes, default: Pacing) -> Ask:
    """Decode a request; a body that is not a JSON object asks for the model ''."""
    path, options = _options(target)
    fields = _object(body)
    named = next((value for name, value in headers if name.lower() == MODEL_HEADER), None)
    model = options.get("model") or named or fields.get("model") or ""
    cut_every = options.get("cut_every")
    usage = fields.get("stream_options")
    return Ask(
        model=str(model),
        path=path,
        pacing=Pacing(
            seed=int(options.get("seed", default.seed)),
            cut_every=int(cut_every) if cut_every else default.cut_every,
            delay_s=float(options.get("delay_s", default.delay_s)),
        ),
        stream=fields.get("stream") is True,
        include_usage=isinstance(usage, dict) and usage.get("include_usage") is True,
        legacy=not path.endswith("/chat/completions") and path.endswith("/completions"),
        text=_last_text(fields),
    )


def _options(target: str) -> tuple[str, dict[str, str]]:
    split = urlsplit(target)
    options = dict(parse_qsl(split.query))
    path = split.path
    if path.startswith("/~"):
        segment, _, rest = path[2:].partition("/")
        options |= parse_qsl(segment)
        path = "/" + rest
    return path, options


def _object(body: bytes) -> dict[str, object]:
    try:
        decoded = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, object]", decoded) if isinstance(decoded, dict) else {}


def _last_text(fields: dict[str, object]) -> str:
    if "prompt" in fields:
        return str(fields["prompt"])
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return ""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")
