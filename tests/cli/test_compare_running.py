"""Requests of a comparison and what is noted of their answers."""

import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import httpx
import pytest
import trio

from proxy.cli import compare_running
from proxy.cli.compare_prompts import Prompt
from proxy.cli.compare_running import Job, Sample, Wishes, ask, body_of, jobs, run

HI = Prompt(({"role": "user", "content": "hi"},), "p:1")
SHAPED = Prompt(HI.messages, "p:1", {"type": "object", "required": ["a"]})
HEADERS = {"x-hedgerow-endpoint": "sandbox/fast:m", "x-hedgerow-attempts": "2"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 8, "cost": 0.25}


def stream(*chunks: Any, end: bool = True) -> str:
    frames = [": PROCESSING", *(f"data: {json.dumps(chunk)}" for chunk in chunks)]
    return "\n\n".join([*frames, *(["data: [DONE]"] if end else []), ""])


def says(text: str, field: str = "content", **more: Any) -> dict[str, Any]:
    return {"id": "gen-1", "choices": [{"delta": {field: text}, **more}]}


def client(handle: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://t")


def ticking() -> Callable[[], float]:
    """A clock that moves by a second with every look."""
    ticks = count()
    return lambda: float(next(ticks))


async def asked(text: str, *, status: int = 200, prompt: Prompt = HI) -> Sample:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=text, headers=HEADERS)

    async with client(handle) as http:
        return await ask(http, Job("m", prompt, 1), Wishes(), ticking())


async def test_all_that_a_client_notices_is_noted() -> None:
    sample = await asked(
        stream(says(""), says("Hel"), says("lo", finish_reason="stop"), {"usage": USAGE})
    )

    assert ("", 200) == (sample.error, sample.status)
    assert (1.0, 2.0) == (sample.ttft_s, sample.total_s)
    assert (3, 8, 0.25) == (sample.prompt_tokens, sample.completion_tokens, sample.cost_usd)
    assert ("sandbox/fast:m", 2) == (sample.endpoint, sample.attempts)
    assert ("stop", "gen-1", None) == (sample.finish_reason, sample.generation, sample.valid)
    assert 4.0 == sample.rate


async def test_reasoning_is_a_first_token_too() -> None:
    sample = await asked(stream(says("", "reasoning"), says("hm", "reasoning"), says("a")))

    assert 1.0 == sample.ttft_s


@pytest.mark.parametrize(
    ("text", "expected"), [('{"a":1}', True), ('{"b":1}', False), ("so: {}", False)]
)
async def test_an_answer_is_judged_by_its_schema(text: str, expected: bool) -> None:
    sample = await asked(stream(says(text[:3]), says(text[3:])), prompt=SHAPED)

    assert expected is sample.valid


@pytest.mark.parametrize(
    ("text", "status", "kind", "message"),
    [
        ('{"error":{"code":429,"message":"slow\\ndown","metadata":{"error_type":"rate"}}}', 429,
         "rate", "slow down"),
        ('{"error":{"code":402,"message":"pay"}}', 402, "status_402", "pay"),
        ("<html>", 502, "status_502", ""),
        (stream(says("a"), {"error": {"code": 502, "message": "gone"}}), 200, "status_502", "gone"),
        (stream(says("a"), {"error": {"message": "x", "metadata": {"error_type": "timeout"}}},
                end=False), 200, "timeout", "x"),
        (stream(says("a"), end=False), 200, "broken", "the stream ended without its end mark"),
        (stream(says("")), 200, "empty", "the answer holds no text"),
        ("data: {\n\ndata: [DONE]\n\n", 200, "broken", "a chunk is not JSON"),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_an_error_with_its_kind(
    text: str, status: int, kind: str, message: str
) -> None:
    sample = await asked(text, status=status, prompt=SHAPED)

    assert (kind, message) == (sample.error, sample.message)
    assert (None, None) == (sample.valid, sample.rate)


async def test_odd_chunks_are_passed_over() -> None:
    sample = await asked(
        stream([1], {"choices": [7]}, {"choices": None, "usage": {"cost": "x"}}, says("a"))
    )

    assert ("", 0.0, None) == (sample.error, sample.cost_usd, sample.rate)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.RemoteProtocolError(""), "broken"),
    ],
)
async def test_a_connection_that_fails_is_an_error_of_this_request_only(
    failure: Exception, kind: str
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure

    async with client(fail) as http:
        sample = await ask(http, Job("m", HI, 1), Wishes(), ticking())

    assert (kind, 0) == (sample.error, sample.status)
    assert sample.message


class Endless(httpx.AsyncByteStream):
    """Never says anything."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await trio.sleep_forever()
        yield b""


async def test_no_request_lasts_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    async with client(lambda request: httpx.Response(200, stream=Endless())) as http:
        sample = await ask(http, Job("m", HI, 1), Wishes(), trio.current_time)

    assert ("timeout", compare_running.REQUEST_S) == (sample.error, sample.total_s)


@pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")
async def test_an_error_without_end_is_not_read_to_its_end() -> None:
    class Flood(httpx.AsyncByteStream):
        pieces = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                self.pieces += 1
                yield b"x" * 10_000

    flood = Flood()
    async with client(lambda request: httpx.Response(500, stream=flood)) as http:
        sample = await ask(http, Job("m", HI, 1), Wishes(), ticking())

    assert "status_500" == sample.error
    assert 7 == flood.pieces


def test_wishes_and_schema_are_in_the_request() -> None:
    plain_body = body_of(Job("m:nitro", HI, 1), Wishes())
    full = body_of(Job("m", SHAPED, 1), Wishes({"sort": "price"}, 50))

    assert {"model", "messages", "stream", "stream_options"} == set(plain_body)
    assert ("m:nitro", True) == (plain_body["model"], plain_body["stream"])
    assert ({"sort": "price"}, 50) == (full["provider"], full["max_tokens"])
    assert {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SHAPED.schema},
    } == full["response_format"]


def test_models_take_turns_at_each_prompt() -> None:
    other = Prompt(HI.messages, "p:2")

    assert [
        ("a", "p:1", 1), ("b", "p:1", 1), ("a", "p:2", 1), ("b", "p:2", 1),
        ("a", "p:1", 2), ("b", "p:1", 2), ("a", "p:2", 2), ("b", "p:2", 2),
    ] == [(j.model, j.prompt.place, j.turn) for j in jobs(["a", "b"], [HI, other], 2)]  # fmt: skip


async def test_everything_is_asked_and_never_more_at_a_time_than_said(
    autojump_clock: trio.testing.MockClock,
) -> None:
    at_once, most = 0, 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await trio.sleep(1)
        at_once -= 1
        return httpx.Response(200, text=stream(says("a")))

    found: list[Sample] = []
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(handle), base_url="http://t"
    ) as http:
        work = jobs(["a", "b"], [HI] * 5, 1)
        await run(http, work, found.append, wishes=Wishes(), clock=trio.current_time, concurrency=3)

    assert (10, 3) == (len(found), most)
    assert {""} == {sample.error for sample in found}
