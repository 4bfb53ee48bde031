"""Recorded streams of real providers through a Transcript: one meaning, whatever the cuts.

What the client reads is compared with a plain reading of the recording's `data:` lines, written
here and sharing nothing with the proxy.
"""

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

import proxy.wire.transcript
from proxy.model.meter import Delivered
from proxy.wire.body import BodyReader
from tests.fakes.recordings import ABSENT, Recording, load_recordings
from tests.fakes.things import a_transcript, said

STREAMS = [r for r in load_recordings() if r.stream and r.status == 200]
SEED, CUTS = 20_260_101, 5
BY_SIZE = sorted(STREAMS, key=lambda r: len(r.body))
EVERY_BYTE = BY_SIZE[:: max(len(BY_SIZE) // 20, 1)][:20]
"""Twenty of all sizes; together under a second."""

pytestmark = pytest.mark.skipif(not STREAMS, reason=ABSENT)


@dataclass
class Meaning:
    """What a reader of a stream understands, piece by piece put together."""

    content: dict[int, str] = field(default_factory=lambda: defaultdict(str))
    reasoning: dict[int, str] = field(default_factory=lambda: defaultdict(str))
    tools: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    """(choice, index) -> name and arguments."""
    finishes: dict[int, str] = field(default_factory=dict)
    """Native reasons."""
    error: bool = False


def understood(documents: list[Any], finish: str) -> Meaning:
    meaning = Meaning()
    for document in documents:
        meaning.error = meaning.error or bool(document.get("error"))
        for choice in document.get("choices") or []:
            index, delta = choice.get("index") or 0, choice.get("delta") or {}
            for text in (delta.get("content"), choice.get("text"), delta.get("refusal")):
                if isinstance(text, str):
                    meaning.content[index] += text
                elif text is not None:
                    meaning.content[index] += json.dumps(text)
            meaning.reasoning[index] += (
                delta.get("reasoning") or delta.get("reasoning_content") or ""
            )
            for place, call in enumerate(delta.get("tool_calls") or []):
                number = call["index"] if isinstance(call.get("index"), int) else place
                tool = meaning.tools.setdefault((index, number), ["", ""])
                tool[0] += call["function"].get("name") or ""
                tool[1] += call["function"].get("arguments") or ""
            if choice.get(finish):
                meaning.finishes[index] = choice[finish]
    return meaning


def plainly(recording: Recording) -> Meaning:
    """The recording read line by line: enough for these, and nothing like the proxy's way."""
    documents = []
    for line in recording.body.decode().replace("\r\n", "\n").split("\n"):
        if line.startswith("data:") and line[5:].strip() not in {"", "[DONE]"}:
            documents.append(json.loads(line[5:]))
    return understood(documents, "finish_reason")


def in_chunks_of(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def relayed(
    pieces: list[bytes], *, chunked: bool, spliced: bool = True
) -> tuple[list[Any], bool, str, int, str]:
    delivered = Delivered()
    transcript = a_transcript(BodyReader(chunked=chunked, length=None), delivered)
    with pytest.MonkeyPatch.context() as patch:
        if not spliced:
            patch.setattr(proxy.wire.transcript, "LEARN_MAX", 0)
        sent = b"".join(b"".join(transcript.feed(piece)) for piece in pieces)
        sent += b"".join(transcript.close())
    failed = "" if transcript.failure is None else transcript.failure.message
    return said(sent), transcript.ended, failed, delivered.output_bytes, repr(delivered.usage)


def name_of(recording: Recording) -> str:
    return recording.name


@pytest.mark.parametrize("recording", STREAMS, ids=name_of)
def test_a_recorded_stream_says_to_the_client_what_the_provider_said(recording: Recording) -> None:
    expected = plainly(recording)
    documents, ended, failed, _, _ = relayed([recording.body], chunked=False)
    actual = understood(documents, "native_finish_reason")

    assert (expected.error, not expected.error) == (bool(failed), ended)
    assert expected.content == actual.content
    assert expected.reasoning == actual.reasoning
    assert expected.tools == actual.tools
    assert expected.finishes == actual.finishes
    assert all(d["id"] == "gen-1-abc" and d["provider"] == "Acme" for d in documents)


@pytest.mark.parametrize("recording", STREAMS, ids=name_of)
def test_a_recorded_stream_means_the_same_however_cut_framed_and_spliced(
    recording: Recording,
) -> None:
    draw = random.Random(f"{SEED}{recording.name}")
    plain = relayed([recording.body], chunked=False, spliced=False)
    bodies = [(recording.body, False), (in_chunks_of(recording.body, draw.randint(1, 2000)), True)]
    for body, chunked in bodies:
        assert plain == relayed([body], chunked=chunked)
        for _ in range(CUTS):
            places = sorted(draw.randrange(len(body)) for _ in range(draw.randint(1, 30)))
            edges = [0, *places, len(body)]
            pieces = [body[a:b] for a, b in zip(edges, edges[1:], strict=False)]
            assert plain == relayed(pieces, chunked=chunked), places


@pytest.mark.parametrize("recording", [r for r in STREAMS if r.pieces], ids=name_of)
def test_a_recorded_stream_means_the_same_in_the_pieces_it_came_in(recording: Recording) -> None:
    pieces = list(recording.pieces or ())
    framed = [b"%x\r\n%b\r\n" % (len(p), p) for p in pieces if p] + [b"0\r\n\r\n"]
    plain = relayed([recording.body], chunked=False, spliced=False)

    assert plain == relayed(pieces, chunked=False)
    assert plain == relayed(framed, chunked=True)
    assert plain == relayed([b"".join(framed)], chunked=True)


@pytest.mark.parametrize("recording", EVERY_BYTE, ids=name_of)
def test_a_recorded_stream_may_be_cut_at_every_byte(recording: Recording) -> None:
    plain = relayed([recording.body], chunked=False, spliced=False)
    body = in_chunks_of(recording.body, 100)

    assert plain == relayed([body[i : i + 1] for i in range(len(body))], chunked=True)


def test_the_recordings_have_streams_of_every_provider_we_know() -> None:
    assert {
        "openai_chat",
        "groq",
        "mistral",
        "deepseek",
        "together",
        "cerebras",
        "xai",
        "openrouter",
    } == {r.provider for r in STREAMS}
