"""Clients of httpx over the transport, on every kind of loop: pieces, errors, departures, time-outs."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import httpx
import httpx2
import openai
import pytest
import trio

from proxy.embed.transport import InProcessTransport, flavour_of
from tests.embed.rig import CHAT, URL, WAYS, Provider, Way, ask, client, pause, run, until

pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx|openai):ResourceWarning")
"""Clients do not close their own generators."""
every_way = pytest.mark.parametrize("way", WAYS)
GONE_S = 0.3
"""Promised are 100 ms; the machine may be busy with other tests."""


@every_way
def test_the_sdk_works_without_a_socket(way: Way, provider: Provider) -> None:
    said: list[Any] = []

    async def program(transport: InProcessTransport) -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{URL}/api/v1",
            api_key="-",
            http_client=httpx2.AsyncClient(transport=transport),
        ) as sdk:
            whole = await sdk.chat.completions.create(**ask("a/text"))
            said.append(whole.choices[0].message.content)
            stream = await sdk.chat.completions.create(**ask("a/text", stream=True))
            deltas = [
                choice.delta.content or "" async for chunk in stream for choice in chunk.choices
            ]
            said.append("".join(deltas))
            said.append([model.id async for model in sdk.models.list()])
            with pytest.raises(openai.BadRequestError) as caught:
                await sdk.chat.completions.create(**ask("a/none"))
            said.append(caught.value.body)

    run(way, program, provider.document())

    assert said[0] == said[1] != ""
    assert "a/text" in said[2]
    assert {"code": 400, "message": "a/none is not a valid model ID",
            "metadata": {"error_type": "invalid_request"}} == said[3]  # fmt: skip


@every_way
def test_a_reply_has_the_status_headers_and_envelope_of_any_door(
    way: Way, provider: Provider
) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with client(transport) as http:
            reply = await http.post(CHAT, json=ask("a/text"))
            assert (200, "application/json") == (reply.status_code, reply.headers["content-type"])
            assert reply.headers["x-generation-id"] == reply.json()["id"]
            assert int(reply.headers["content-length"]) == len(reply.content)
            for path, status in (("/healthz/ready", 200), ("/api/v1/models", 200), ("/none", 404)):
                assert status == (await http.get(path)).status_code
            assert (200, b"") == (
                (got := await http.head("/api/v1/models")).status_code,
                got.content,
            )
            for body, status in ((b"{", 400), (json.dumps(ask("a/down")).encode(), 503)):
                refused = await http.post(CHAT, content=body)
                assert status == refused.status_code == refused.json()["error"]["code"]

    run(way, program, provider.document())


@every_way
def test_a_piece_arrives_while_the_rest_is_not_yet_there(way: Way, provider: Provider) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with (
            client(transport) as http,
            http.stream("POST", CHAT, json=ask("a/stalled", stream=True)) as reply,
        ):
            assert "event-stream" in reply.headers["content-type"]
            first = await anext(reply.aiter_raw())
            assert first.startswith(b"data: ")
            assert -1 == await until(way, lambda: provider.left("a/stalled", 0.05))

    run(way, program, provider.document())


async def _leave(
    how: str, way: Way, http: httpx.AsyncClient, model: str, provider: Provider
) -> None:
    """Begin a stream and leave it in one of many ways."""
    if how == "cancelled while it waits for the head":
        await _cancelled(way, http.post(CHAT, json=ask(model)))
        return
    request = http.build_request("POST", CHAT, json=ask(model, stream=True))
    reply = await http.send(request, stream=True)
    pieces = reply.aiter_raw()
    await anext(pieces)
    if how == "closed":
        await reply.aclose()
    elif how == "dropped":
        del pieces, reply
        for _ in range(3):  # generators first, then what they held
            gc.collect()
            await pause(way, 0.01)
    elif how == "cancelled while it waits for a piece":
        await _cancelled(way, _drained(pieces))


async def _drained(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


async def _cancelled(way: Way, work: Any) -> None:
    """Wait for `work` for a moment, then cancel it."""

    async def wait() -> None:
        await work

    if way == "asyncio":
        task = asyncio.create_task(wait())
        await asyncio.sleep(0.08)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with trio.move_on_after(0.08) as scope:
            await wait()
        assert scope.cancelled_caught


@every_way
@pytest.mark.parametrize(
    "how",
    [
        "closed", "dropped", "cancelled while it waits for a piece",
        "cancelled while it waits for the head",
    ],
)  # fmt: skip
def test_whoever_leaves_ends_the_work_at_once(way: Way, how: str, provider: Provider) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with client(transport) as http:
            model = "a/slow" if how.endswith("head") else "a/stalled"
            await _leave(how, way, http, model, provider)
            assert 0 <= await until(way, lambda: provider.left(model)) < GONE_S
            text = (await http.get("/metrics")).text
            assert "hedgerow_departures_total 1.0" in text
            assert 200 == (await http.post(CHAT, json=ask("a/text"))).status_code

    run(way, program, provider.document())


@every_way
@pytest.mark.parametrize("stream", [False, True])
def test_the_read_timeout_of_the_client_is_kept(way: Way, stream: bool, provider: Provider) -> None:
    model = "a/stalled" if stream else "a/slow"

    async def program(transport: InProcessTransport) -> None:
        async with client(transport, timeout=httpx.Timeout(5, read=0.15)) as http:
            began = perf_counter()
            with pytest.raises(httpx.ReadTimeout):
                await http.post(CHAT, json=ask(model, stream=stream))
            assert 0.1 < perf_counter() - began < 0.8
            assert 0 <= await until(way, lambda: provider.left(model)) < GONE_S

    run(way, program, provider.document())


@every_way
def test_a_client_that_reads_slowly_slows_the_provider_down(way: Way, provider: Provider) -> None:
    waiting: list[int] = []

    async def program(transport: InProcessTransport) -> None:
        async with (
            client(transport) as http,
            http.stream("POST", CHAT, json=ask("a/text", stream=True)) as reply,
        ):
            stream: Any = reply.stream
            call = stream._stream._line._call
            async for _ in reply.aiter_raw():
                await pause(way, 0.005)
                waiting.append(len(call._pieces))

    run(way, program, provider.document())

    assert max(waiting) <= 2  # one, and the last
    assert 1 in waiting


@every_way
def test_who_takes_nothing_for_too_long_is_cut(way: Way, provider: Provider) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with client(transport) as http:
            request = http.build_request("POST", CHAT, json=ask("a/text", stream=True))
            reply = await http.send(request, stream=True)
            await pause(way, 0.25)
            with pytest.raises(httpx.RemoteProtocolError):
                await reply.aread()

    run(way, program, provider.document(limits={"reader_s": 0.1}))


@every_way
def test_a_failure_in_the_stream_is_told_in_the_stream(way: Way, provider: Provider) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with client(transport) as http:
            reply = await http.post(CHAT, json=ask("a/broken", stream=True))
            assert 200 == reply.status_code
            assert '"error"' in reply.text
            assert reply.text.endswith("data: [DONE]\n\n")

    run(way, program, provider.document())


@every_way
def test_a_body_in_parts_is_read_and_one_that_is_too_large_is_not(
    way: Way, provider: Provider
) -> None:
    async def parts(times: int) -> AsyncIterator[bytes]:
        body = json.dumps(ask("a/text", text="x" * 500)).encode()
        for _ in range(times):
            yield body[:100]
            yield body[100:]

    async def program(transport: InProcessTransport) -> None:
        async with client(transport) as http:
            assert 200 == (await http.post(CHAT, content=parts(1))).status_code
            assert 413 == (await http.post(CHAT, content=parts(1_000_000_000))).status_code

    run(way, program, provider.document(limits={"body_bytes_max": 2000}))


@every_way
def test_keys_are_asked_for_where_settings_say_keys(way: Way, provider: Provider) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with client(transport, headers={"origin": "https://any.test"}) as http:
            assert 401 == (await http.post(CHAT, json=ask("a/text"))).status_code
            bearer = {"authorization": "Bearer one"}
            assert 200 == (await http.post(CHAT, json=ask("a/text"), headers=bearer)).status_code

    keyed = provider.document(auth={"keys": ["env:KEY"]})
    run(way, program, keyed, environ={"KEY": "one"})


def test_foreign_hosts_and_origins_are_no_matter_in_a_process(provider: Provider) -> None:
    async def program(transport: InProcessTransport) -> None:
        async with client(transport, headers={"origin": "https://any.test"}) as http:
            assert 200 == (await http.post(CHAT, json=ask("a/text"))).status_code
            assert 200 == (await http.get("/api/v1/models")).status_code

    run("trio", program, provider.document())


@every_way
def test_without_a_gateway_there_is_no_connection(way: Way, provider: Provider) -> None:
    kept: list[InProcessTransport] = []

    async def program(transport: InProcessTransport) -> None:
        kept.append(transport)

    async def late() -> None:
        async with client(kept[0]) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("/healthz/ready")

    run(way, program, provider.document())
    (asyncio.run if way == "asyncio" else trio.run)(*([late()] if way == "asyncio" else [late]))


def test_the_reply_is_made_of_the_package_of_the_request() -> None:
    class Derived(httpx2.Request):
        """A program's own."""

    assert httpx.Response is flavour_of(httpx.Request).response
    assert httpx2.Response is flavour_of(httpx2.Request).response is flavour_of(Derived).response
