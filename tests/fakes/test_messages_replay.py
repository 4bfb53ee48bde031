"""The Messages dialect of the replay server: recordings complete and parsable, scripts, faults."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.fakes.h11_client import ask, connect, exchange, request_bytes
from tests.fakes.messages_recordings import (
    COUNTING,
    PATH,
    counts,
    load_messages_recordings,
    replies,
)
from tests.fakes.messages_scripts import COUNTED, MESSAGES_SCRIPTS, SIGNATURE, STOPS
from tests.fakes.recordings import ABSENT
from tests.fakes.replay import serve_replay
from tests.fakes.scripts import TEXTS

RECORDINGS = load_messages_recordings()
PRESENT = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)
FOUND = {"streams": 112, "replies": 247, "counts": 14}
"""Counted when this was written; replies without refusals."""
SAID = "".join(TEXTS)


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each must be named as its type."""
    found = []
    for frame in re.split(r"\r?\n\r?\n", body.decode().strip()):
        fields = dict(line.partition(": ")[::2] for line in re.split(r"\r?\n", frame))
        assert fields.keys() == {"event", "data"}, frame
        found.append(json.loads(fields["data"]))
        assert found[-1]["type"] == fields["event"]
    return found


@PRESENT
def test_as_many_are_found_as_when_this_was_written() -> None:
    names = {one.name for one in RECORDINGS}
    assert len(names) == len(RECORDINGS)
    assert all(re.fullmatch(r"[\w./-]+", name) for name in names)
    whole = [one for one in replies() if not one.stream and one.status == 200]
    assert sum(one.stream for one in replies()) >= FOUND["streams"]
    assert len(whole) >= FOUND["replies"]
    assert len(counts()) >= FOUND["counts"]
    assert {one.status for one in RECORDINGS} == {200, 400, 401, 404}


@PRESENT
def test_every_recording_is_of_the_dialect() -> None:
    for one in RECORDINGS:
        if one.stream:
            kinds = [event["type"] for event in events_of(one.body)]
            assert (kinds[0], kinds[-1]) == ("message_start", "message_stop"), one.name
            assert kinds.count("message_stop") == 1
            continue
        document = json.loads(one.body)
        if one.status != 200:
            assert document["type"] == "error"
        elif one.path == COUNTING:
            assert document["input_tokens"] > 0
        else:
            assert document["type"] == "message", one.name


@PRESENT
async def test_every_recording_is_replayed_byte_for_byte() -> None:
    async with serve_replay(RECORDINGS, seed=1) as replay, await connect(replay.url) as socket:
        for one in RECORDINGS:
            answer = await exchange(socket, request_bytes(one.name, path=one.path))
            assert (answer.ending, answer.status) == ("complete", one.status)
            assert answer.body == one.body, one.name


@pytest.mark.parametrize("name", MESSAGES_SCRIPTS)
async def test_a_script_says_the_same_whole_and_streamed(name: str) -> None:
    script = MESSAGES_SCRIPTS[name]
    async with serve_replay() as replay:
        whole = await ask(replay.url, f"synthetic/{name}", path=PATH, stream=False)
        streamed = await ask(replay.url, f"synthetic/{name}", path=PATH)

    reply = json.loads(whole.body)
    blocks: list[dict[str, Any]] = []
    for event in events_of(streamed.body):
        match event["type"], event.get("delta", {}):
            case "content_block_start", _:
                blocks.append({**event["content_block"], "input": ""})
            case "content_block_delta", {"type": "input_json_delta"} as delta:
                blocks[event["index"]]["input"] += delta["partial_json"]
            case "content_block_delta", {"type": kind, **said}:
                (key,) = said
                assert kind == f"{key}_delta"
                blocks[event["index"]][key] += said[key]
            case "message_delta", delta:
                assert delta["stop_reason"] == reply["stop_reason"] == STOPS[script.finish_reason]
                assert event["usage"] == reply["usage"]
    for block in blocks:
        said_input = block.pop("input")
        if block["type"] == "tool_use":
            block["input"] = json.loads(said_input or "{}")
    assert blocks == reply["content"]


async def test_the_path_chooses_the_dialect() -> None:
    async with serve_replay() as replay:
        counted = await ask(replay.url, "synthetic/text", path=COUNTING, stream=False)
        echoed = await ask(replay.url, "echo", path=PATH, text="Zürich", stream=False)
        unknown = await ask(replay.url, "nobody", path=PATH)
        chat = await ask(replay.url, "synthetic/text", stream=False)
        thought = await ask(replay.url, "synthetic/reasoning", path=PATH)

    assert json.loads(counted.body) == {"input_tokens": COUNTED}
    assert json.loads(echoed.body)["content"] == [{"type": "text", "text": "Zürich"}]
    assert unknown.status == 404
    assert json.loads(unknown.body)["error"]["type"] == "not_found_error"
    assert json.loads(chat.body)["choices"][0]["message"]["content"] == SAID
    assert SIGNATURE in thought.body.decode()


@pytest.mark.parametrize(
    ("fault", "status", "kinds"),
    [
        ("error-first", 200, ["error"]),
        ("error-midstream", 200, ["message_start", "ping", "content_block_start", *["content_block_delta"] * 2, "error"]),
        ("status-529", 529, None),
        ("status-429", 429, None),
        ("no-done", 200, "message_delta"),
        ("no-finish-clean", 200, "content_block_stop"),
        ("no-finish-done", 200, "message_stop"),
    ],
)  # fmt: skip
async def test_a_fault_is_told_in_the_dialect(fault: str, status: int, kinds: Any) -> None:
    async with serve_replay() as replay:
        answer = await ask(replay.url, f"fault/{fault}", path=PATH)

    assert (answer.ending, answer.status) == ("complete", status)
    if kinds is None:
        kind = {529: "overloaded_error", 429: "rate_limit_error"}[status]
        assert json.loads(answer.body)["error"]["type"] == kind
        return
    said = [event["type"] for event in events_of(answer.body)]
    assert (said if isinstance(kinds, list) else said[-1]) == kinds


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fault", "spoiled"),
    [
        ("invalid-utf8", None), ("huge-event", None), ("garbage-mid-body", None),
        ("event-not-json", None), ("double-done", None), ("usage-strings", b'"output_tokens":"x"'),
        ("usage-null", b'"usage":null'), ("json-choices-null", b'"content":null'), ("crlf", None),
    ],
)  # fmt: skip
async def test_content_is_spoiled_in_one_place(
    fault: str, spoiled: bytes | None, stream: bool
) -> None:
    async with serve_replay() as replay:
        answer = await ask(replay.url, f"fault/{fault}", path=PATH, stream=stream)
        healthy = await ask(replay.url, "synthetic/text", path=PATH, stream=stream)

    healthy.body = healthy.body.replace(b"synthetic/text", f"fault/{fault}".encode())
    only_streams = {"huge-event", "garbage-mid-body", "event-not-json", "double-done", "crlf"}
    assert (answer.body == healthy.body) == (fault in only_streams and not stream)
    assert spoiled is None or spoiled in answer.body
