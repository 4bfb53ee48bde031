"""Every fault over a real socket: how its answer ends, and what it holds."""

from __future__ import annotations

import gzip
import json

import pytest
import trio

from tests.fakes import wire_faults
from tests.fakes.asks import Ask
from tests.fakes.fault import Fault
from tests.fakes.framing import Pacing, Send
from tests.fakes.h11_client import Answer, Ending, ask, connect, exchange, request_bytes
from tests.fakes.replay import serve_replay
from tests.fakes.scripts import TEXTS

TEXT = "".join(TEXTS)
ENDINGS: dict[str, Ending] = {
    "reset-before-headers": "reset",
    "reset-mid-headers": "reset",
    "reset-mid-body": "reset",
    "close-before-headers": "closed",
    "close-mid-headers": "closed",
    "close-mid-body": "closed",
    "close-mid-chunk": "closed",
    "stall-before-headers": "stalled",
    "stall-mid-headers": "stalled",
    "stall-after-headers": "stalled",
    "stall-mid-body": "stalled",
    "stall-before-end": "stalled",
    "short-content-length": "closed",
    "garbage-instead": "protocol",
    "bad-chunk-size": "protocol",
    "negative-chunk-size": "protocol",
    "huge-chunk-size": "closed",
    "chunk-without-crlf": "protocol",
    "only-comments": "stalled",
    "switching-protocols": "protocol",
    "bare-cr": "protocol",
    "space-before-colon": "protocol",
}
"""Others end complete."""
STREAM_ONLY: dict[str, Ending] = {"finish-then-eof": "closed", "no-finish-eof": "closed"}


async def answer_of(model: str, *, stream: bool = True) -> Answer:
    async with serve_replay() as replay:
        return await ask(replay.url, model, stream=stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", wire_faults.kinds())
@pytest.mark.trio
async def test_each_kind_ends_as_its_name_says(kind: str, stream: bool) -> None:
    expected = ENDINGS.get(kind, STREAM_ONLY.get(kind, "complete") if stream else "complete")
    model = f"fault/{kind}?delay_s={0 if kind == 'slow-bytes' else 0.002}"
    silence_s = 0.05 if expected == "stalled" else 2.0
    async with serve_replay() as replay:
        answer = await ask(replay.url, model, stream=stream, silence_s=silence_s)
    assert answer.ending == expected


@pytest.mark.parametrize(
    ("kind", "status"),
    [("status-400", 400), ("status-401", 401), ("status-500", 500), ("status-529", 529)],
)
@pytest.mark.trio
async def test_statuses_have_openai_bodies(kind: str, status: int) -> None:
    answer = await answer_of(f"fault/{kind}")
    assert answer.status == status
    assert json.loads(answer.body)["error"].keys() == {"message", "type", "param", "code"}
    assert "retry-after" not in answer.headers


@pytest.mark.trio
async def test_429_tells_when_to_retry() -> None:
    assert (await answer_of("fault/status-429")).headers["retry-after"] == "1"
    asked = await answer_of("fault/status-429?retry_after=Wed, 21 Oct 2026 07:28:00 GMT")
    assert asked.headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.trio
async def test_heads_may_be_large_many_odd_or_preceded_by_others() -> None:
    assert len((await answer_of("fault/large-header")).headers["x-large"]) == 100 << 10
    assert len((await answer_of("fault/many-headers")).headers) >= 300
    assert (await answer_of("fault/html")).headers["content-type"] == "text/html"
    redirect = await answer_of("fault/redirect")
    assert (redirect.status, "location" in redirect.headers) == (307, True)
    flood = await answer_of("fault/continue-flood")
    assert (flood.informational, flood.text) == (1000, TEXT)
    assert (await answer_of("fault/empty-body")).body == b""


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.trio
async def test_gzip_holds_the_healthy_answer(stream: bool) -> None:
    async with serve_replay() as replay:
        replay.script("m", Fault("gzip"), "synthetic/text")
        squeezed = await ask(replay.url, "m", stream=stream)
        healthy = await ask(replay.url, "m", stream=stream)
    assert squeezed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(squeezed.body) == healthy.body


@pytest.mark.parametrize("kind", ["reset-mid-body", "close-mid-body", "stall-mid-body"])
@pytest.mark.trio
async def test_mid_body_faults_strike_after_the_stated_events(kind: str) -> None:
    async with serve_replay() as replay:
        answer = await ask(replay.url, f"fault/{kind}?after=3", silence_s=0.05)
    assert answer.text == "".join(TEXTS[:3])


@pytest.mark.trio
async def test_errors_come_first_or_after_content() -> None:
    first = await answer_of("fault/error-first")
    assert [list(json.loads(line)) for line in first.data] == [["error"]]
    later = await answer_of("fault/error-midstream?after=1")
    assert [next(iter(json.loads(line))) for line in later.data] == ["id", "id", "error"]
    assert b"event: error\ndata: " in (await answer_of("fault/error-event-name")).body


@pytest.mark.trio
async def test_ends_of_streams_are_left_out_or_doubled() -> None:
    def finished(answer: Answer) -> bool:
        return b'"finish_reason":"stop"' in answer.body

    table = {kind: await answer_of(f"fault/{kind}") for kind in (
        "no-done", "no-finish-clean", "no-finish-done", "finish-then-eof", "no-finish-eof"
    )}  # fmt: skip
    seen = {kind: (finished(a), a.body.count(b"[DONE]")) for kind, a in table.items()}
    assert seen == {
        "no-done": (True, 0),
        "no-finish-clean": (False, 0),
        "no-finish-done": (False, 1),
        "finish-then-eof": (True, 0),
        "no-finish-eof": (False, 0),
    }
    doubled = await answer_of("fault/double-done")
    assert doubled.data.count("[DONE]") == 2
    assert "after the end" in doubled.data[-2]


@pytest.mark.trio
async def test_events_may_be_huge_garbage_or_invalid_utf8() -> None:
    huge = await answer_of("fault/huge-event")
    assert max(map(len, huge.data)) > 4 << 20
    assert len((await answer_of("fault/huge-event?size=9000")).body) < 20_000
    for kind in ("invalid-utf8", "garbage-mid-body"):
        assert (await answer_of(f"fault/{kind}")).ending == "complete"
    with pytest.raises(UnicodeDecodeError):
        (await answer_of("fault/invalid-utf8")).body.decode()
    with pytest.raises(UnicodeDecodeError):
        (await answer_of("fault/invalid-utf8", stream=False)).body.decode()


def test_split_multibyte_writes_never_hold_a_whole_character() -> None:
    ask_ = Ask("m", "/v1/chat/completions", Pacing(), stream=True)
    steps = wire_faults.steps_of(ask_, Fault("split-multibyte"))
    assert {len(step.data) for step in steps if isinstance(step, Send)} == {1}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.trio
async def test_usage_is_absent_negative_or_given_twice(stream: bool) -> None:
    async def body(kind: str) -> bytes:
        return (await answer_of(f"fault/{kind}", stream=stream)).body

    assert b'"usage"' not in await body("usage-absent")
    assert b'"prompt_tokens":-5' in await body("usage-negative")
    assert (await body("usage-twice")).count(b'"usage"') == 2
    assert b'"usage":null' in await body("usage-null")


@pytest.mark.trio
async def test_json_has_the_wrong_shape() -> None:
    assert isinstance(json.loads((await answer_of("fault/json-list", stream=False)).body), list)
    assert "null" in (await answer_of("fault/json-null")).data
    with pytest.raises(ValueError, match="Unterminated|Expecting"):
        json.loads((await answer_of("fault/json-truncated", stream=False)).body)


@pytest.mark.parametrize("kind", ["close-after-reply", "reset-after-reply"])
@pytest.mark.trio
async def test_a_kept_connection_dies_after_a_whole_reply(kind: str) -> None:
    async with serve_replay() as replay, await connect(replay.url) as socket:
        first = await exchange(socket, request_bytes(f"fault/{kind}"))
        assert (first.ending, first.text) == ("complete", TEXT)
        await replay.log[0].closed.wait()
        assert replay.log[0].closed_by == "server"
        await trio.sleep(0.01)
        assert (await exchange(socket, request_bytes("echo"))).ending in {"closed", "reset"}


@pytest.mark.trio
async def test_extra_bytes_follow_the_reply() -> None:
    answer = await answer_of("fault/extra-bytes", stream=False)
    assert json.loads(answer.body)["choices"]


def test_unknown_kinds_and_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="bogus"):
        Fault.parse("status?bogus=1")
    with pytest.raises(KeyError):
        wire_faults.steps_of(Ask("m", "/", Pacing()), Fault("none-such"))
    parsed = Fault.parse("status-503?retry_after=9&delay_s=0.5&after=4")
    assert parsed == Fault("status", status=503, retry_after="9", delay_s=0.5, after=4)
