"""Recorded replies of the messages API: all are read, and streams mean the same whatever the cuts.

Rule 1: the recordings are read where they lie, and nothing of them enters this repository.
Rule 2: what is expected is put together here from plain JSON, and shares nothing with the proxy.
"""

import functools
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
import pytest
import yaml  # type: ignore[import-untyped]  # types-PyYAML is not installed

import proxy.model.event
import proxy.wire.transcript
from proxy.dialects.anthropic_messages.reading import Reading
from proxy.errors import HedgerowError
from proxy.model.event import (
    Event,
    Failed,
    Finished,
    Native,
    Reasoning,
    ReasoningSealed,
    Started,
    Text,
    ToolCall,
    Usage,
)
from proxy.model.meter import Delivered
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript
from tests.fakes.recordings import FIXTURES, _body, _CassetteLoader

FOLDERS = ("anthropic", "_core/anthropic")
SEED, CUTS = 20_260_101, 5
ABSENT = f"no recordings: {FIXTURES}/anthropic is absent"


@dataclass(frozen=True)
class Recorded:
    name: str
    status: int
    body: bytes

    @property
    def stream(self) -> bool:
        return self.body.lstrip().startswith((b"event:", b"data:"))


@functools.cache
def recorded() -> tuple[Recorded, ...]:
    files = [
        f
        for folder in FOLDERS
        if (FIXTURES / folder).is_dir()
        for f in sorted((FIXTURES / folder).iterdir())
    ]
    found = []
    for file in files:
        if ".request." not in file.name:
            name = file.relative_to(FIXTURES).as_posix()
            for number, (status, body) in enumerate(_answers(file.name, file.read_bytes())):
                body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
                if not json.loads(body).keys() <= {"input_tokens"} if body[:1] == b"{" else True:
                    found.append(Recorded(f"{name}.{number}", status, body))
    return tuple(found)


def _answers(name: str, content: bytes) -> Iterator[tuple[int, bytes]]:
    if name.endswith(".yaml"):
        document = yaml.load(content, Loader=_CassetteLoader)
        for call in document.get("interactions") or document["http_interactions"]:
            path = (call["request"].get("uri") or call["request"]["url"]).partition("?")[0]
            if path.endswith("/messages") and "anthropic.com" in path:
                answer = call["response"]
                yield answer.get("code") or answer["status"]["code"], _body(answer)
    elif name.endswith(".jsonl"):
        yield 200, _framed(content.decode().splitlines())
    elif name.endswith(".sse"):
        yield 200, content
    else:
        document = json.loads(content)
        if name.startswith("lingua"):
            for label, answer in document.items():
                if "response-streaming" in label:
                    yield 200, _framed([json.dumps(event, ensure_ascii=False) for event in answer])
                elif label.endswith("response"):
                    yield _status_of(answer), json.dumps(answer).encode()
        elif isinstance(document.get("body"), str):
            yield document["status"], document["body"].encode()
        elif "body" in document:
            yield document["status"], json.dumps(document["body"]).encode()
        else:
            yield _status_of(document), content


def _status_of(answer: Any) -> int:
    return 400 if answer.get("type") == "error" else 200


def _framed(payloads: list[str]) -> bytes:
    named = [(json.loads(p)["type"], p) for p in payloads if p.strip()]
    return "".join(f"event: {kind}\ndata: {p}\n\n" for kind, p in named).encode()


ALL = recorded()
STREAMS = [r for r in ALL if r.stream]
WHOLE = [r for r in ALL if not r.stream]
BY_SIZE = sorted((r for r in STREAMS if len(r.body) < 60_000), key=lambda r: len(r.body))
EVERY_BYTE = BY_SIZE[:: max(len(BY_SIZE) // 20, 1)][:20]

pytestmark = pytest.mark.skipif(not ALL, reason=ABSENT)


def name_of(recording: Recorded) -> str:
    return recording.name


@dataclass
class Meaning:
    text: str = ""
    thoughts: dict[int, list[str]] = field(
        default_factory=lambda: defaultdict(lambda: ["", "", ""])
    )
    """Text, signature and sealed data by the block's index."""
    calls: list[list[str]] = field(default_factory=list)
    """Id, name, arguments."""
    native: str = ""
    prompt: int = 0
    output: int = 0
    model: str = ""


def of_events(events: list[Event]) -> Meaning:
    meaning = Meaning()

    for event in events:
        match event:
            case Started():
                meaning.model = event.upstream_model
            case Text(text=text):
                meaning.text += text
            case Reasoning():
                meaning.thoughts[event.block][0] += event.text
            case ReasoningSealed():
                meaning.thoughts[event.block][1:] = [event.signature, event.encrypted]
            case ToolCall(id=name) if name:
                assert event.index == len(meaning.calls)
                meaning.calls.append([name, event.name, ""])
            case ToolCall():
                meaning.calls[event.index][2] += event.arguments
            case Finished():
                meaning.native = event.native
            case Usage():
                meaning.prompt, meaning.output = event.prompt_tokens, event.completion_tokens
            case Failed():
                raise AssertionError(event.error.message)
            case _:
                pass
    meaning.calls = [
        [i, n, json.dumps(json.loads(a))] if a.endswith("}") else [i, n, a]
        for i, n, a in meaning.calls
    ]
    return meaning


def of_message(message: dict[str, Any]) -> Meaning:
    meaning = Meaning(native=message["stop_reason"] or "", model=message["model"])
    for number, block in enumerate(message["content"]):
        kind = block["type"]
        thought = block.get("at", number)
        if kind == "text":
            meaning.text += block["text"]
        elif kind == "thinking":
            said = meaning.thoughts[thought][0] + block["thinking"]
            meaning.thoughts[thought] = [said, block["signature"], ""]
        elif kind == "redacted_thinking":
            meaning.thoughts[thought] = ["", "", block["data"]]
        elif kind == "tool_use":
            given = block["input"]
            said = given if isinstance(given, str) else json.dumps(given)
            meaning.calls.append([block["id"], block["name"], said])
    usage = message["usage"]
    meaning.prompt = sum(
        usage.get(key) or 0
        for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    meaning.output = usage["output_tokens"]
    for part in usage.get("iterations") or []:
        if part["type"] == "compaction":
            meaning.prompt += part["input_tokens"]
            meaning.output += part["output_tokens"]
    return meaning


def put_together(body: bytes) -> dict[str, Any]:
    """A stream as the message that its pieces make."""
    message: dict[str, Any] = {}
    blocks: list[dict[str, Any]] = []
    for line in body.decode().replace("\r\n", "\n").split("\n"):
        if not line.startswith("data:") or line[5:].strip() == "[DONE]":
            continue
        event = json.loads(line[5:])
        at = event.get("index")
        match event["type"]:
            case "message_start":
                message = {
                    **event["message"],
                    "model": message.get("model") or event["message"]["model"],
                }
            case "content_block_start":
                blocks.append({**event["content_block"], "at": at, "json": ""})
                blocks[-1].setdefault("signature", "")
            case "content_block_delta":
                block = next(b for b in reversed(blocks) if b["at"] == at)
                for key, value in event["delta"].items():
                    if key == "partial_json":
                        block["json"] += value
                    elif key in {"text", "thinking", "signature"}:
                        block[key] += value
            case "message_delta":
                message["stop_reason"] = event["delta"].get("stop_reason") or message["stop_reason"]
                message["usage"] |= {k: v for k, v in event["usage"].items() if v is not None}
            case "message_stop":
                break
            case _:
                pass
    for block in blocks:
        if block["json"] and block["type"] == "tool_use":
            said = block["json"]
            block["input"] = json.loads(said) if said.endswith("}") else said
    return {**message, "content": blocks}


class Noting:
    """An encoder that writes down what it hears; statelessly, so that text is spliced into it."""

    def feed(self, events: list[Event]) -> bytes:
        heard = [e for e in events if not isinstance(e, Native | Failed)]
        return b"".join(
            orjson.dumps([type(e).__name__, msgspec.structs.asdict(e)]) + b"\n" for e in heard
        )


def heard(notes: bytes) -> list[Event]:
    """What was written down; empty texts, which a template lets pass, left out."""
    found = [orjson.loads(line) for line in notes.split(b"\n") if line]
    return [
        getattr(proxy.model.event, name)(**fields)
        for name, fields in found
        if fields.get("text") != ""
    ]


def relayed(
    pieces: list[bytes], *, chunked: bool, spliced: bool = True
) -> tuple[list[Event], str, bool, int, str]:
    delivered = Delivered()
    body = BodyReader(chunked=chunked, length=None)
    decoder = Reading(stream=True, status=200)
    transcript = Transcript(body, decoder, Noting(), delivered, event_bytes_max=4_194_304)
    with pytest.MonkeyPatch.context() as patch:
        if not spliced:
            patch.setattr(proxy.wire.transcript, "LEARN_MAX", 0)
        notes = b"".join(b"".join(transcript.feed(piece)) for piece in pieces)
        notes += b"".join(transcript.close())
    failed = "" if transcript.failure is None else transcript.failure.message
    return heard(notes), failed, transcript.ended, delivered.output_bytes, repr(delivered.usage)


def in_chunks_of(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("recording", STREAMS, ids=name_of)
def test_a_recorded_stream_means_what_its_pieces_make(recording: Recorded) -> None:
    events, failed, ended, _, _ = relayed([recording.body], chunked=False)

    assert ("", True) == (failed, ended)
    assert of_message(put_together(recording.body)) == of_events(events)


@pytest.mark.parametrize("recording", STREAMS, ids=name_of)
def test_a_recorded_stream_means_the_same_however_cut(recording: Recorded) -> None:
    draw = random.Random(f"{SEED}{recording.name}")
    plain = relayed([recording.body], chunked=False, spliced=False)
    for body, chunked in (
        (recording.body, False),
        (in_chunks_of(recording.body, draw.randint(1, 2000)), True),
    ):
        for _ in range(CUTS):
            places = sorted(draw.randrange(len(body)) for _ in range(draw.randint(1, 30)))
            edges = [0, *places, len(body)]
            pieces = [body[a:b] for a, b in zip(edges, edges[1:], strict=False)]
            assert plain == relayed(pieces, chunked=chunked), places


@pytest.mark.parametrize("recording", EVERY_BYTE, ids=name_of)
def test_a_recorded_stream_may_be_cut_at_every_byte(recording: Recorded) -> None:
    plain = relayed([recording.body], chunked=False, spliced=False)
    body = in_chunks_of(recording.body, 100)

    assert plain == relayed([body[i : i + 1] for i in range(len(body))], chunked=True)


@pytest.mark.parametrize("recording", WHOLE, ids=name_of)
def test_a_recorded_body_means_what_it_says(recording: Recorded) -> None:
    events = Reading(stream=False, status=recording.status).feed(recording.body)
    if recording.status == 200:
        assert isinstance(events[0], Native)
        assert of_message(json.loads(recording.body)) == of_events(events)
    else:
        (failed,) = events
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, HedgerowError)
        assert 400 <= failed.error.status < 600


def test_there_are_enough_recordings_to_trust_this() -> None:
    texts = b"".join(r.body for r in STREAMS)
    kinds = (
        b"redacted_thinking",
        b"signature_delta",
        b"input_json_delta",
        b"citations_delta",
        b"mcp_tool_use",
    )

    assert len(STREAMS) >= 60
    assert len(WHOLE) >= 150
    assert len(EVERY_BYTE) == 20
    assert all(kind in texts for kind in kinds)
