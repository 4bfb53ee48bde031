"""The bytes the mock answers with, built once at start: whole HTTP replies, ready to send.

Rule 1: nothing here is computed per request. Rule 2: several variants exist, so that no proxy can
gain from seeing one reply over and over; they differ in ids and words.
"""

import json
import random
from dataclasses import dataclass

CHUNKS_CONTENT = 64
"""Content chunks in a stream; a finish chunk, a usage chunk and `[DONE]` follow."""
EVENTS_PER_STREAM = CHUNKS_CONTENT + 3
"""Server-sent events in a stream, which is also its number of writes when paced."""
VARIANTS = 16

_CREATED = 1_753_000_000
_MODEL = "gpt-4o-2024-08-06"
_FINGERPRINT = "fp_07871e2ad8"
_WORDS = (
    "the hedge holds many small birds and in winter its berries feed them while below "
    "hedgehogs sleep under dry leaves until warm rain calls slugs out of hiding again"
).split()
_WORDS_UTF8 = "naïve Straße 生け垣 живая изгородь 🦔 crème ελιά – “quoted” niño čaj".split()


@dataclass(frozen=True, slots=True)
class Replies:
    """One variant of everything the mock can say."""

    plain: bytes
    """A whole JSON reply, head included."""
    burst: bytes
    """A whole stream, head and final chunk included."""
    paced: tuple[bytes, ...]
    """The same stream as `EVENTS_PER_STREAM` writes; the head rides with the first."""


def build(*, utf8: bool = False, variants: int = VARIANTS) -> list[Replies]:
    """Make `variants` replies, the same ones on every run."""
    words = _WORDS_UTF8 if utf8 else _WORDS
    return [_one(random.Random(seed), words) for seed in range(variants)]


def _one(rng: random.Random, words: list[str]) -> Replies:
    ident = "chatcmpl-" + "".join(
        rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrs0123456789", k=29)
    )
    request_id = f"req_{rng.getrandbits(128):032x}"
    frames = [_chunked(event) for event in _events(ident, rng, words)]
    frames[-1] += b"0\r\n\r\n"
    frames[0] = _head(request_id, "text/event-stream; charset=utf-8", None) + frames[0]
    body = _dump(_completion(ident, rng, words))
    return Replies(
        plain=_head(request_id, "application/json", len(body)) + body,
        burst=b"".join(frames),
        paced=tuple(frames),
    )


def _events(ident: str, rng: random.Random, words: list[str]) -> list[bytes]:
    """The stream as server-sent events, `data: ` and blank line included."""
    texts = [rng.choice(words) + " " for _ in range(CHUNKS_CONTENT)]
    deltas: list[dict[str, object]] = [{"content": text} for text in texts]
    deltas[0] = {"role": "assistant", **deltas[0], "refusal": None}
    chunks = [_chunk(ident, [_choice(delta, None)]) for delta in deltas]
    chunks.append(_chunk(ident, [_choice({}, "stop")]))
    chunks.append({**_chunk(ident, []), "usage": _usage(CHUNKS_CONTENT)})
    return [b"data: " + _dump(chunk) + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chunk(ident: str, choices: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": ident,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": _MODEL,
        "system_fingerprint": _FINGERPRINT,
        "choices": choices,
        "usage": None,
    }


def _choice(delta: dict[str, object], finish: str | None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _completion(ident: str, rng: random.Random, words: list[str]) -> dict[str, object]:
    text = " ".join(rng.choices(words, k=18))
    message: dict[str, object] = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": [],
    }
    return {
        "id": ident,
        "object": "chat.completion",
        "created": _CREATED,
        "model": _MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(24),
        "service_tier": "default",
        "system_fingerprint": _FINGERPRINT,
    }


def _usage(completion_tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": 120,
        "completion_tokens": completion_tokens,
        "total_tokens": 120 + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(request_id: str, content_type: str, length: int | None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (
        "HTTP/1.1 200 OK",
        "Date: Mon, 20 Jul 2026 08:00:00 GMT",
        f"Content-Type: {content_type}",
        framing,
        "Connection: keep-alive",
        "openai-organization: bench",
        "openai-processing-ms: 312",
        "openai-version: 2020-10-01",
        f"x-request-id: {request_id}",
        "x-ratelimit-remaining-requests: 9999",
    )
    return "\r\n".join((*lines, "", "")).encode()
