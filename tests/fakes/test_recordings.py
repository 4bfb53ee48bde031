"""The recorded corpus: complete, well named, and parsable; skipped where it is absent."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.fakes.h11_client import connect, exchange, request_bytes
from tests.fakes.recordings import (
    ABSENT,
    DIRECTORIES,
    DROPPED_HEADERS,
    FIXTURES,
    Recording,
    load_recordings,
)
from tests.fakes.replay import serve_replay

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)

FOUND = {
    "openai_chat": (33, 147),
    "groq": (7, 36),
    "mistral": (13, 52),
    "deepseek": (3, 32),
    "together": (2, 8),
    "cerebras": (5, 30),
    "xai": (3, 17),
    "openrouter": (42, 168),
}
"""Streamed and not, by directory, counted when this was written."""

STREAMS = [recording for recording in load_recordings() if recording.stream]
NOT_JSON = {"openai_chat/pydantic-text_response.0"}
"""A 200 with text/plain, recorded on purpose by its authors."""


def payloads(body: bytes) -> list[str]:
    """The data of each event; fails on a line that is not server-sent events."""
    found: list[str] = []
    for line in re.split(r"\r\n|\n|\r", body.decode()):
        name, _, value = line.partition(":")
        assert not line or name in {"", "data", "event", "id", "retry"}, line
        if name == "data":
            found.append(value.removeprefix(" "))
    return found


def test_as_many_are_found_as_when_this_was_written() -> None:
    counts = Counter((recording.provider, recording.stream) for recording in load_recordings())
    for directory, (streamed, whole) in FOUND.items():
        assert counts[directory, True] >= streamed
        assert counts[directory, False] >= whole
    assert set(FOUND) == set(DIRECTORIES)


def test_names_are_unique_and_fit_urls() -> None:
    names = [recording.name for recording in load_recordings()]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[\w./-]+", name)] == []


@pytest.mark.parametrize("recording", STREAMS, ids=lambda recording: recording.name)
def test_every_stream_parses_as_server_sent_events(recording: Recording) -> None:
    data = payloads(recording.body)
    ends = ("[DONE]" in data, recording.provider == "cerebras", '"error"' in data[-1])
    assert any(ends)
    events = [json.loads(payload) for payload in data if payload != "[DONE]"]
    assert all(isinstance(event, dict) and event.keys() & {"choices", "error"} for event in events)


def test_whole_bodies_are_json() -> None:
    def is_json(body: bytes) -> bool:
        try:
            return isinstance(json.loads(body), dict)
        except ValueError:
            return False

    whole = [recording for recording in load_recordings() if not recording.stream]
    assert {recording.name for recording in whole if not is_json(recording.body)} <= NOT_JSON


def test_kept_pieces_join_to_the_body() -> None:
    kept = [recording for recording in load_recordings() if recording.pieces is not None]
    assert len(kept) >= 29
    assert all(b"".join(recording.pieces or ()) == recording.body for recording in kept)


def test_headers_name_a_content_type_and_no_framing() -> None:
    for recording in load_recordings():
        names = {name.lower() for name, _ in recording.headers}
        assert "content-type" in names
        assert not names & DROPPED_HEADERS


@pytest.mark.trio
async def test_every_recording_is_replayed_byte_for_byte() -> None:
    async with serve_replay(load_recordings(), seed=1) as replay:
        async with await connect(replay.url) as socket:
            for recording in load_recordings():
                answer = await exchange(socket, request_bytes(recording.name))
                assert (answer.ending, answer.status) == ("complete", recording.status)
                assert answer.body == recording.body, recording.name
        assert replay.connections == 1
