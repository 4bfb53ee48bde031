"""Small valid values for tests: an endpoint, a model, a call, a transcript of a stream."""

import json
from typing import Any

from proxy.dialects.registry import DIALECTS
from proxy.model.call import Call
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.model.meter import Delivered
from proxy.units import NanoDollarsPerMillion
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript

PRICES = Prices(NanoDollarsPerMillion(2_000_000_000), NanoDollarsPerMillion(8_000_000_000))
EVENT_BYTES_MAX = 4_194_304


def a_provider(name: str = "acme", **changes: Any) -> Provider:
    fields = {
        "id": name,
        "name": name.title(),
        "dialect": "openai-chat",
        "base_url": "http://acme.test/v1",
    }
    return Provider(**{**fields, **changes})


def an_endpoint(provider: str | Provider = "acme", **changes: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "provider": a_provider(provider) if isinstance(provider, str) else provider,
        "model": "maker/model",
        "upstream_model": "model-1",
        "prices": PRICES,
        "context_length": 100_000,
    }
    return Endpoint(**{**fields, **changes})


def a_model(*endpoints: Endpoint) -> Model:
    return Model(
        "maker/model", "Maker: Model", 1_700_000_000, 100_000, endpoints or (an_endpoint(),)
    )


def a_call(*, stream: bool = True, **changes: Any) -> Call:
    body = {
        "model": "maker/model",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": stream,
    }
    call = DIALECTS["openai-chat"].decode_request({**body, **changes}, "chat")
    call.generation_id, call.created, call.prompt_bytes = "gen-1-abc", 1_700_000_000, 400
    return call


def a_transcript(body: BodyReader, delivered: Delivered | None = None) -> Transcript:
    dialect, call, endpoint = DIALECTS["openai-chat"], a_call(), an_endpoint()
    return Transcript(
        body,
        dialect.decode_response(call, endpoint, 200),
        dialect.encode_response(call, endpoint),
        delivered if delivered is not None else Delivered(),
        event_bytes_max=EVENT_BYTES_MAX,
    )


def chunk(content: str | None = None, *, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """One chunk of a stream, as OpenAI-style providers send it."""
    said = delta if content is None else {"content": content, **delta}
    choice = {"index": 0, "delta": said, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-1",
            "choices": [choice]}  # fmt: skip


def event(document: Any, *, ascii_only: bool = False) -> bytes:
    """One event of a stream."""
    text = json.dumps(document, ensure_ascii=ascii_only, separators=(",", ":"))
    return b"data: " + text.encode() + b"\n\n"


def in_chunks(events: list[bytes]) -> bytes:
    """Events, one HTTP chunk each."""
    return b"".join(b"%x\r\n%b\r\n" % (len(e), e) for e in events) + b"0\r\n\r\n"


def said(sent: bytes) -> list[Any]:
    """What a client reads from a stream: the JSON of each event."""
    found = [e.removeprefix("data: ") for e in sent.decode().split("\n\n") if e]
    return [json.loads(text) for text in found if text != "[DONE]"]
