"""The replay server over real sockets: what it serves, how it paces, what it logs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio

from tests.fakes.asks import Ask
from tests.fakes.fault import Fault
from tests.fakes.framing import LAST_CHUNK, Pacing, Send
from tests.fakes.h11_client import ask, connect, exchange, request_bytes
from tests.fakes.recordings import Recording
from tests.fakes.replay import recorded, refused_url, serve_replay, unanswered_url
from tests.fakes.scripts import SCRIPTS, TEXTS, Script, stream_of

BODY = stream_of(["one ", "two ", "🌍"])
RECORDED = Recording(
    name="made/up.0",
    provider="made",
    path="/v1/chat/completions",
    request=None,
    status=200,
    headers=[("Content-Type", "text/event-stream"), ("X-Request-Id", "r1")],
    stream=True,
    body=BODY,
    pieces=(BODY[:5], BODY[5:140], BODY[140:]),
)


def sends(pacing: Pacing) -> list[bytes]:
    steps = recorded(Ask("made/up.0", "/", pacing), RECORDED)
    return [step.data for step in steps if isinstance(step, Send)]


@pytest.mark.trio
async def test_a_recording_is_served_with_its_bytes_headers_and_pieces() -> None:
    async with serve_replay([RECORDED]) as replay:
        answer = await ask(replay.url, "made/up.0")
        assert (answer.ending, answer.status, answer.body) == ("complete", 200, BODY)
        assert answer.headers["x-request-id"] == "r1"
        await replay.log[0].closed.wait()
        assert replay.log[0].pieces_sent == 1 + 3 + 1
    assert [write.partition(b"\r\n")[2][:-2] for write in sends(Pacing())[1:-1]] == list(
        RECORDED.pieces or ()
    )


@pytest.mark.trio
async def test_cutting_splits_chunk_framing_and_changes_no_byte() -> None:
    for every in (1, 3, 7):
        writes = sends(Pacing(cut_every=every))
        assert {len(write) for write in writes[:-1]} == {every}
        assert b"".join(writes).endswith(LAST_CHUNK)
        async with serve_replay([RECORDED], cut_every=every) as replay:
            assert (await ask(replay.url, "made/up.0")).body == BODY
            await replay.log[0].closed.wait()
            assert replay.log[0].pieces_sent == len(writes)


@pytest.mark.trio
async def test_random_splits_follow_the_seed_of_server_query_and_path() -> None:
    async with serve_replay(seed=3) as replay:
        replay.script("m", Recording("x", "x", "/", None, 200, [], True, BODY * 9, None))
        paths = ["/v1/chat/completions", "/v1/chat/completions?seed=3", "/~seed=4/v1/completions"]
        answers = [await ask(replay.url, "m", path=path) for path in paths]
        assert {answer.body for answer in answers} == {BODY * 9}
        for served in replay.log:
            await served.closed.wait()
        first, same, other = (served.bytes_sent for served in replay.log)
        assert first == same != other


@pytest.mark.trio
async def test_the_model_may_come_from_the_path_or_a_header() -> None:
    async with serve_replay() as replay:
        by_path = await ask(replay.url, "x", path="/~model=fault%2Fstatus-503/v1/chat/completions")
        assert by_path.status == 503
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"x-replay-model": "synthetic/text"}
            reply = await client.post(f"{replay.url}/v1/chat/completions", headers=headers)
            assert reply.json()["choices"][0]["message"]["content"] == "".join(TEXTS)
            listed = (await client.get(f"{replay.url}/v1/models")).json()
        assert "synthetic/tools" in {model["id"] for model in listed["data"]}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.trio
async def test_synthetic_scripts_say_the_same_in_both_forms(name: str) -> None:
    async with serve_replay() as replay:
        stream = await ask(replay.url, f"synthetic/{name}")
        reply = await ask(replay.url, f"synthetic/{name}", stream=False)
        assert stream.data[-1] == "[DONE]"
        assert json.loads(stream.data[-2])["usage"] == json.loads(reply.body)["usage"]
        message = json.loads(reply.body)["choices"][0]["message"]
        assert stream.text == (message["content"] or "")


@pytest.mark.trio
async def test_usage_is_streamed_only_when_asked_for() -> None:
    async with serve_replay() as replay, httpx.AsyncClient(trust_env=False) as client:
        body = {"model": "synthetic/text", "messages": [], "stream": True}
        reply = await client.post(f"{replay.url}/v1/chat/completions", json=body)
        assert "usage" not in reply.text
        body = {"model": "echo", "prompt": "old times", "stream": False}
        legacy = await client.post(f"{replay.url}/v1/completions", json=body)
        assert legacy.json()["choices"][0]["text"] == "old times"


@pytest.mark.trio
async def test_echo_says_each_callers_own_text() -> None:
    async def one(url: str, nonce: str, stream: bool) -> None:
        answer = await ask(url, f"echo/{nonce}", text=f"nonce {nonce} é🌍", stream=stream)
        assert answer.text == f"nonce {nonce} é🌍"

    async with serve_replay(cut_every=5) as replay:
        async with trio.open_nursery() as nursery:
            for index in range(40):
                nursery.start_soon(one, replay.url, f"n{index}", index % 2 == 0)
        assert replay.connections == len(replay.log) == 40


@pytest.mark.trio
async def test_plays_answer_in_turn_and_the_last_one_stays() -> None:
    async with serve_replay([RECORDED]) as replay:
        replay.script("m", Fault("status", status=500), "made/up.0", Script(texts=("last",)))
        answers = [await ask(replay.url, "m") for _ in range(4)]
        assert [answer.status for answer in answers] == [500, 200, 200, 200]
        assert [answer.text for answer in answers[1:]] == ["one two 🌍", "last", "last"]
        assert [served.model for served in replay.served("m")] == ["m"] * 4


@pytest.mark.trio
async def test_unknown_models_and_faults_get_an_openai_error() -> None:
    async with serve_replay() as replay:
        for model in ("nobody", "fault/none-such", "fault/status?bogus=1", "synthetic/none"):
            answer = await ask(replay.url, model)
            assert answer.status == 404
            assert json.loads(answer.body)["error"]["code"] == "model_not_found"


@pytest.mark.trio
async def test_a_malformed_request_is_logged_and_answered_400() -> None:
    async with serve_replay() as replay, await connect(replay.url) as socket:
        answer = await exchange(socket, b"POST /v1 HTTP/1.1\r\nno colon\r\n\r\n")
        assert answer.status == 400
        assert replay.log[0].error is not None


@pytest.mark.trio
async def test_the_log_shows_reuse_and_tells_idle_closing_from_aborting() -> None:
    async with serve_replay() as replay:
        async with await connect(replay.url) as socket:
            for _ in range(2):
                await exchange(socket, request_bytes("synthetic/text"))
        first, second = replay.log
        await second.closed.wait()
        assert first.connection_id == second.connection_id == 1
        assert (first.closed_by, second.closed_by, second.aborted) == (None, "client", False)
        assert second.t_start <= (second.t_done or 0) <= (second.t_closed or 0)
        assert json.loads(first.body)["model"] == "synthetic/text"
        assert ("Host", "replay") in first.headers


@pytest.mark.parametrize("kind", ["stall-before-headers", "stall-mid-body", "slow-bytes"])
@pytest.mark.trio
async def test_a_client_that_closes_early_is_noticed_at_once(kind: str) -> None:
    async with serve_replay() as replay:
        socket = await connect(replay.url)
        await socket.send_all(request_bytes(f"fault/{kind}"))
        await replay.wait_served(1)
        await trio.sleep(0.03)
        left = trio.current_time()
        await socket.aclose()
        with trio.fail_after(1):
            await replay.log[0].closed.wait()
        assert replay.log[0].aborted
        assert left <= (replay.log[0].t_closed or 0) < left + 0.5


@pytest.mark.trio
async def test_ending_the_block_closes_stalled_connections() -> None:
    async with serve_replay() as replay:
        socket = await connect(replay.url)
        await socket.send_all(request_bytes("fault/stall-mid-body"))
        await replay.wait_served(1)
    assert replay.log[0].closed_by == "server"
    await socket.aclose()


@pytest.mark.trio
async def test_delays_are_kept_between_pieces() -> None:
    async with serve_replay([RECORDED], delay_s=0.02) as replay:
        started = trio.current_time()
        answer = await ask(replay.url, "made/up.0")
        assert trio.current_time() - started >= 0.08
        assert len(answer.reads) >= 4


@pytest.mark.trio
async def test_a_failed_check_inside_the_block_surfaces_as_itself() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve_replay():
            raise ZeroDivisionError


@pytest.mark.trio
async def test_refused_unanswered_and_down_upstreams_fail_at_connecting() -> None:
    with refused_url() as url, pytest.raises(OSError, match="refused|connect"):
        await connect(url)
    with unanswered_url() as url, pytest.raises(trio.TooSlowError), trio.fail_after(0.1):
        await connect(url)
    async with serve_replay() as replay:
        replay.down = True
        assert (await ask(replay.url, "echo")).ending == "reset"
        replay.down = False
        assert (await ask(replay.url, "echo")).ending == "complete"


def test_it_runs_by_hand() -> None:
    command = [sys.executable, "-m", "tests.fakes.replay", "--port", "0"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("serving on"):
            lines.append(process.stdout.readline())
            assert lines[-1]
        url = lines[-1].split()[-1]
        assert httpx.get(f"{url}/models", trust_env=False).status_code == 200
        process.kill()
    assert "synthetic/text\n" in lines
