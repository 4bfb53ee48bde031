"""A strict reader of streams of the messages API, and what its SDK makes of them."""

from collections.abc import Sequence
from typing import Any

import orjson
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from proxy.dialects.anthropic_messages.writing import Writing, encode_response
from proxy.model.event import Charged, Event, Usage
from proxy.units import NanoDollars
from tests.fakes.things import a_call, an_endpoint

BILL = Charged(
    Usage(30, 7, 10, 5, reasoning_tokens=2), NanoDollars(1500), NanoDollars(500), NanoDollars(1000)
)
DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set(),
}
READER: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

Frames = Sequence[list[Event]]


def writing(*, stream: bool = True) -> Writing:
    writer = encode_response(a_call(stream=stream), an_endpoint())
    assert isinstance(writer, Writing)
    return writer


def written(frames: Frames, *, stream: bool = True) -> bytes:
    writer = writing(stream=stream)
    return b"".join(writer.feed(frame) for frame in frames)


def read(sent: bytes) -> list[dict[str, Any]]:
    """Events of a stream, names checked."""
    found = []
    for raw in sent.decode().split("\n\n")[:-1]:
        name, data = raw.split("\n")
        document = orjson.loads(data.removeprefix("data: "))
        assert f"event: {document['type']}" == name
        found.append(document)
    assert sent == b"" or sent.endswith(b"\n\n")
    return found


def validated(sent: bytes, *, whole: bool = True) -> list[dict[str, Any]]:
    """Events of a stream in an order that the API may have; `whole`: it must have ended."""
    events, state, open_kind, index = read(sent), "before", "", -1
    for document in events:
        kind = document["type"]
        assert state not in ("stopped", "failed"), f"{kind} behind the end"
        if kind == "error":
            state = "failed"
        elif kind == "ping":
            continue
        elif kind == "message_start":
            assert state == "before"
            assert document["message"]["content"] == []
            state = "content"
        elif kind == "content_block_start":
            assert (state, open_kind, index + 1) == ("content", "", document["index"])
            index, open_kind = document["index"], document["content_block"]["type"]
        elif kind == "content_block_delta":
            assert document["index"] == index
            assert document["delta"]["type"] in DELTAS[open_kind]
        elif kind == "content_block_stop":
            assert (bool(open_kind), index) == (True, document["index"])
            open_kind = ""
        elif kind == "message_delta":
            assert (state, open_kind) == ("content", "")
            assert document["delta"]["stop_reason"]
            state = "ending"
        else:
            assert (kind, state) == ("message_stop", "ending")
            state = "stopped"
    assert not whole or state in ("stopped", "failed")
    return events


def accumulated(sent: bytes) -> dict[str, Any]:
    """The message that the SDK makes of a stream."""
    message: Any = None
    buffers: dict[int, bytes] = {}
    for document in validated(sent):
        if document["type"] != "ping":
            message = accumulate_event(
                event=READER.validate_python(document), current_snapshot=message, json_bufs=buffers
            )
    found: dict[str, Any] = message.to_dict()
    return found
