"""The bytes the mock answers with, built once at start: whole HTTP replies, ready to send.

Rule 1: nothing here is computed per request. Rule 2: several variants exist, so that no proxy can
gain from seeing one reply over and over; they differ in ids and words. Rule 3: what a variant says
is kept beside its bytes, so that a client can tell whether a proxy changed it.
"""

import json
import random
from dataclasses import dataclass

CHUNKS_CONTENT = 64
"""Content chunks in a stream; a finish chunk, a usage chunk and `[DONE]` follow."""
EVENTS_PER_STREAM = CHUNKS_CONTENT + 3
"""Server-sent events in a stream, which is also its number of writes when paced."""
EVENTS_PER_MESSAGE = CHUNKS_CONTENT + 6
"""The same in the dialect of Anthropic: a start, a block's start, a ping, and three at the end."""
TOKENS_PLAIN = 24
"""What the usage of a reply that is not streamed says; a stream's says `CHUNKS_CONTENT`."""
VARIANTS = 16

_CREATED = 1_753_000_000
_MODEL = "gpt-4o-2024-08-06"
_MODEL_ANTHROPIC = "claude-sonnet-4-5-20250929"
_FINGERPRINT = "fp_07871e2ad8"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrs0123456789"
_WORDS = (
    "the hedge holds many small birds and in winter its berries feed them while below "
    "hedgehogs sleep under dry leaves until warm rain calls slugs out of hiding again"
).split()
_WORDS_UTF8 = "naïve Straße 生け垣 живая изгородь 🦔 crème ελιά – “quoted” niño čaj".split()
_OPENAI = (
    "openai-organization: bench",
    "openai-processing-ms: 312",
    "openai-version: 2020-10-01",
    "x-ratelimit-remaining-requests: 9999",
)
_ANTHROPIC = (
    "anthropic-organization-id: 00000000-0000-4000-8000-000000000000",
    "anthropic-ratelimit-requests-limit: 10000",
    "anthropic-ratelimit-requests-remaining: 9999",
    "anthropic-ratelimit-requests-reset: 2026-07-20T08:00:01Z",
)


@dataclass(frozen=True, slots=True)
class Replies:
    """One variant of everything the mock can say."""

    text: str
    """What the replies that are not streamed say, in either dialect."""
    text_streamed: str
    """What the streams say, all deltas together."""
    plain: bytes
    """A whole JSON reply, head included."""
    burst: bytes
    """A whole stream, head and final chunk included."""
    paced: tuple[bytes, ...]
    """The same stream as `EVENTS_PER_STREAM` writes; the head rides with the first."""
    message: bytes
    """`text` as Anthropic's Messages say it."""
    message_paced: tuple[bytes, ...]
    """`text_streamed` as Anthropic's Messages say it, in `EVENTS_PER_MESSAGE` writes."""


def build(*, utf8: bool = False, variants: int = VARIANTS) -> list[Replies]:
    """Make `variants` replies, the same ones on every run."""
    words = _WORDS_UTF8 if utf8 else _WORDS
    return [_one(random.Random(seed), words) for seed in range(variants)]


def _one(rng: random.Random, words: list[str]) -> Replies:
    ident = "".join(rng.choices(_LETTERS, k=29))
    request = f"{rng.getrandbits(128):032x}"
    deltas = [rng.choice(words) + " " for _ in range(CHUNKS_CONTENT)]
    text = " ".join(rng.choices(words, k=18))
    head = _head(f"x-request-id: req_{request}", _OPENAI, None)
    paced = _stream(head, _events(f"chatcmpl-{ident}", deltas))
    body = _dump(_completion(f"chatcmpl-{ident}", text))
    message = _dump(_message(f"msg_{ident}", text))
    return Replies(
        text=text,
        text_streamed="".join(deltas),
        plain=_head(f"x-request-id: req_{request}", _OPENAI, len(body)) + body,
        burst=b"".join(paced),
        paced=paced,
        message=_head(f"request-id: req_{request}", _ANTHROPIC, len(message)) + message,
        message_paced=_stream(
            _head(f"request-id: req_{request}", _ANTHROPIC, None),
            _message_events(f"msg_{ident}", deltas),
        ),
    )


def _stream(head: bytes, events: list[bytes]) -> tuple[bytes, ...]:
    """A write per event; the head rides with the first, the last chunk with the last."""
    frames = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    frames[0] = head + frames[0]
    frames[-1] += b"0\r\n\r\n"
    return tuple(frames)


def _events(ident: str, texts: list[str]) -> list[bytes]:
    """The stream as server-sent events, `data: ` and blank line included."""
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


def _completion(ident: str, text: str) -> dict[str, object]:
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
        "usage": _usage(TOKENS_PLAIN),
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


def _message(ident: str, text: str | None) -> dict[str, object]:
    """A whole message of Anthropic's; without a text, what a stream starts with."""
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "model": _MODEL_ANTHROPIC,
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": None if text is None else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 120,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1 if text is None else TOKENS_PLAIN,
            "service_tier": "standard",
        },
    }


def _message_events(ident: str, texts: list[str]) -> list[bytes]:
    """The stream as server-sent events with their names."""
    delta = {"type": "content_block_delta", "index": 0}
    block = {"type": "text", "text": ""}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": _message(ident, None)},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({**delta, "delta": {"type": "text_delta", "text": text}} for text in texts),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": CHUNKS_CONTENT},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {e['type']}\ndata: ".encode() + _dump(e) + b"\n\n" for e in events]


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _head(request_id: str, more: tuple[str, ...], length: int | None) -> bytes:
    """Ten fields; a stream is framed in chunks and is no JSON."""
    lines = (
        "HTTP/1.1 200 OK",
        "Date: Mon, 20 Jul 2026 08:00:00 GMT",
        f"Content-Type: {'application/json' if length is not None else 'text/event-stream; charset=utf-8'}",
        "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}",
        "Connection: keep-alive",
        request_id,
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode()
