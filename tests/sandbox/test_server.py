"""The sandbox over a socket pair, on a clock that jumps (each test must name the clock itself)."""

import itertools
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import h11
import orjson
import pytest
import trio
from trio.testing import MockClock

from proxy.sandbox import server
from proxy.sandbox.server import serve_sandbox

MESSAGES = [{"role": "user", "content": "Hello"}]


@dataclass
class Reply:
    status: int
    headers: dict[bytes, bytes]
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    """Time of arrival since the request, and bytes."""

    @property
    def body(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)

    @property
    def events(self) -> list[Any]:
        lines = [line.removeprefix(b"data: ") for line in self.body.split(b"\n\n") if line]
        assert lines.pop() == b"[DONE]"
        return [orjson.loads(line) for line in lines]


class Client:
    """h11 on the other end: an independent reader of what the sandbox writes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.wire = h11.Connection(h11.CLIENT)

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        fields = {"host": "sandbox", "content-length": str(len(data)), **headers}
        if fields.get("transfer-encoding"):
            del fields["content-length"]
        request = h11.Request(method="POST", target=path, headers=list(fields.items()))
        await self.stream.send_all(
            (self.wire.send(request) or b"")
            + (self.wire.send(h11.Data(data)) or b"")
            + (self.wire.send(h11.EndOfMessage()) or b"")
        )
        reply = await self.read()
        if self.wire.our_state is h11.DONE and self.wire.their_state is h11.DONE:
            self.wire.start_next_cycle()
        return reply

    async def read(self) -> Reply:
        start = trio.current_time()
        reply: Reply | None = None
        while True:
            event = self.wire.next_event()
            match event:
                case h11.Response():
                    reply = Reply(event.status_code, dict(event.headers))
                case h11.Data():
                    assert reply is not None
                    reply.pieces.append((trio.current_time() - start, bytes(event.data)))
                case h11.EndOfMessage():
                    assert reply is not None
                    return reply
                case _:
                    self.wire.receive_data(bytes(await self.stream.receive_some(65_536)))


@pytest.fixture
async def client(
    autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    monkeypatch.setattr(server, "_served", itertools.count())
    ours, theirs = socket.socketpair()
    nursery.start_soon(serve_sandbox, theirs)
    async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
        yield Client(stream)


async def test_a_whole_reply(client: Client, autojump_clock: MockClock) -> None:
    reply = await client.post("/v1/chat/completions", {"model": "a/b", "messages": MESSAGES})

    assert (200, b"application/json") == (reply.status, reply.headers[b"content-type"])
    assert "Hedgerow's sandbox" in orjson.loads(reply.body)["choices"][0]["message"]["content"]


async def test_a_streamed_reply_keeps_the_pace_of_its_persona(
    client: Client, autojump_clock: MockClock
) -> None:
    body = {"model": "slow/a/b", "messages": MESSAGES, "stream": True}

    reply = await client.post("/v1/chat/completions", body)

    assert reply.headers[b"content-type"] == b"text/event-stream"
    times = [time for time, _ in reply.pieces]
    assert times[0] == pytest.approx(0.3)
    assert times[1] - times[0] == pytest.approx(0.03)
    assert all("usage" not in event for event in reply.events)


async def test_usage_is_streamed_on_request(client: Client, autojump_clock: MockClock) -> None:
    body = {"messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}

    reply = await client.post("/v1/chat/completions", body)

    assert reply.events[-1]["usage"]["total_tokens"] > 0


async def test_one_connection_serves_many_requests(
    client: Client, autojump_clock: MockClock
) -> None:
    for stream in (True, False, True):
        reply = await client.post("/completions", {"prompt": "Once", "stream": stream})

        assert reply.status == 200
        assert b"text_completion" in reply.body


async def test_large_and_chunked_bodies_arrive(client: Client, autojump_clock: MockClock) -> None:
    body = {"messages": [{"role": "user", "content": "word " * 200_000}]}

    for headers in ({}, {"transfer-encoding": "chunked"}):
        reply = await client.post("/chat/completions", body, **headers)

        assert orjson.loads(reply.body)["usage"]["prompt_tokens"] > 200_000


async def test_the_flaky_one_fails_every_third_time(
    client: Client, autojump_clock: MockClock
) -> None:
    body = {"model": "flaky/a/b", "messages": MESSAGES}

    statuses = [(await client.post("/chat/completions", body)).status for _ in range(6)]

    assert sum(status != 200 for status in statuses) == 2


async def test_every_kind_of_failure_is_well_formed(
    client: Client, autojump_clock: MockClock
) -> None:
    seen = set()
    for seed in range(80):
        body = {"model": "flaky/a/b", "seed": seed, "stream": True, "messages": []}
        reply = await client.post("/chat/completions", body)
        if reply.status != 200:
            seen.add(orjson.loads(reply.body)["error"]["code"])
        elif "error" in reply.events[0]:
            seen.add(reply.events[0]["error"]["code"])

    assert seen == {"overloaded", "rate_limit_exceeded", "server_error"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/models", {}, 404), ("/completions", b"{", 400), ("/completions", b"[]", 400)],
)
async def test_nonsense_is_told_and_the_connection_lives(
    client: Client, autojump_clock: MockClock, path: str, body: Any, status: int
) -> None:
    told = await client.post(path, body)
    after = await client.post("/completions", {"prompt": "Once"})

    assert (status, 200) == (told.status, after.status)
    assert orjson.loads(told.body)["error"]["message"]


async def test_only_post_is_served(client: Client, autojump_clock: MockClock) -> None:
    await client.stream.send_all(b"GET /completions HTTP/1.1\r\nhost: x\r\n\r\n")
    client.wire.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))

    assert (await client.read()).status == 404


async def test_what_cannot_be_delimited_ends_the_connection(
    client: Client, autojump_clock: MockClock
) -> None:
    await client.stream.send_all(b"\x00\x01\x02 nonsense\r\n\r\n")

    reply = bytes(await client.stream.receive_some(65_536))

    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert await client.stream.receive_some() == b""


async def test_connection_close_is_honoured(client: Client, autojump_clock: MockClock) -> None:
    reply = await client.post("/completions", {"prompt": "x"}, connection="close")

    assert reply.headers[b"connection"] == b"close"
    assert await client.stream.receive_some() == b""


async def test_a_request_sent_early_waits_for_its_turn(
    client: Client, autojump_clock: MockClock
) -> None:
    body = b'{"prompt":"one"}'
    request = b"POST /completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )
    await client.stream.send_all(request)
    await trio.sleep(0.001)
    await client.stream.send_all(request)
    received = b""
    while received.count(b"HTTP/1.1 200") < 2 or not received.endswith(b"}"):
        received += await client.stream.receive_some(65_536)

    assert received.count(b"You said: one") == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_departure_is_noticed_during_silence(
    autojump_clock: MockClock, stream: bool
) -> None:
    ours, theirs = socket.socketpair()
    body = orjson.dumps({"model": "slow/a/b", "messages": MESSAGES, "stream": stream})
    ended_at = []

    async def serve() -> None:
        await serve_sandbox(theirs)
        ended_at.append(trio.current_time() - begun)

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as client:
            await client.send_all(
                b"POST /chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            await trio.sleep(0.1)

    assert ended_at == [pytest.approx(0.1)]
    assert theirs.fileno() == -1


async def test_a_peer_that_says_nothing_and_goes(autojump_clock: MockClock) -> None:
    ours, theirs = socket.socketpair()
    ours.close()

    await serve_sandbox(theirs)


async def test_a_fault_costs_one_connection(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "respond", lambda *_, **__: 1 / 0)
    ours, theirs = socket.socketpair()
    ours.sendall(b"POST /completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")

    await serve_sandbox(theirs)

    assert ours.recv(1) == b""
    assert "ZeroDivisionError" in caplog.text
    ours.close()
