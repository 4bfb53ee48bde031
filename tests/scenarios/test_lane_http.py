"""What clients of HTTP/1.1 really do: kept connections, pipelines, chunks, early answers, slow readers."""

import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.fakes.scripts import SCRIPTS, TEXTS, Script
from tests.rig import LANE, Client, Reply, Rig, Served, chat_body, chunked, connect, head, post

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
SERVED: Served = {"a/m": (GOOD,), "a/echo": ("echo",), "a/long": ("synthetic/long",)}
CHAT = "/api/v1/chat/completions"
KEY = "sk-hr-v1-" + "0123456789abcdef" * 4
KEYS = (hashlib.sha256(KEY.encode()).hexdigest(),)
BEARER = f"Authorization: Bearer {KEY}"


@pytest.fixture
async def r(rig: Any) -> object:
    async with rig(SERVED) as running:
        yield running


@pytest.fixture
async def keyed(rig: Any) -> object:
    async with rig(SERVED, keys=KEYS) as running:
        yield running


def echoed(text: str, *lines: str, stream: bool = False) -> bytes:
    return post(chat_body("a/echo", text=text, stream=stream), CHAT, *lines)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@LANE
async def test_three_requests_in_one_packet_are_answered_in_order(r: Rig, stream: bool) -> None:
    async with r.client() as client:
        await client.send(b"".join(echoed(text, stream=stream) for text in ("one", "two", "three")))
        replies = [await client.read() for _ in range(3)]

    assert ["one", "two", "three"] == [reply.text for reply in replies]
    assert ["one", "two", "three"] == [last_text(entry.body) for entry in r.one.log]


@LANE
async def test_a_pipeline_cut_at_every_byte_is_answered_in_order(r: Rig) -> None:
    async with r.client() as client:
        for byte in echoed("one") + head("GET", "/api/v1/models") + echoed("two"):
            await client.send(bytes([byte]))
        replies = [await client.read(), await client.read("GET"), await client.read()]

    assert ["one", "two"] == [replies[0].text, replies[2].text]
    assert 200 == replies[1].status


def last_text(body: bytes) -> str:
    return str(json.loads(body)["messages"][-1]["content"])


@pytest.mark.parametrize("lines", [b"\r\n", b"\r\n\r\n\r\n"])
@LANE
async def test_blank_lines_before_a_request_are_read_over(r: Rig, lines: bytes) -> None:
    async with r.client() as client:
        assert "one" == (await client.ask(lines + echoed("one"))).text
        assert "two" == (await client.ask(lines + echoed("two"))).text


@LANE
async def test_connection_close_is_obeyed_and_echoed(r: Rig) -> None:
    for stream in (False, True):
        async with r.client() as client:
            reply = await client.ask(echoed("bye", "Connection: close", stream=stream))
            assert ("bye", "close") == (reply.text, reply.headers["connection"])
            assert await client.ended()


# --- bodies -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 7, 1000])
@LANE
async def test_a_chunked_body_may_be_cut_at_every_byte(r: Rig, size: int) -> None:
    start = head("POST", CHAT, "Transfer-Encoding: chunked")
    data = start + chunked(chat_body("a/echo", text="né🦔"), size, b";a=b")
    async with r.client() as client:
        for byte in data:
            await client.send(bytes([byte]))
        assert "né🦔" == (await client.read()).text
        assert "next" == (await client.ask(echoed("next"))).text


@LANE
async def test_a_chunked_body_cut_once_at_any_place_is_the_same_body(r: Rig) -> None:
    body = chat_body("a/echo", text="é")
    data = head("POST", CHAT, "Transfer-Encoding: chunked") + chunked(body, 40)
    async with r.client() as client:
        for place in range(1, len(data)):
            await client.send(data[:place])
            await trio.sleep(0)
            await client.send(data[place:])
            assert "é" == (await client.read()).text


@LANE
async def test_trailers_are_dropped_and_the_next_request_is_read(r: Rig) -> None:
    data = head("POST", CHAT, "Transfer-Encoding: chunked") + chunked(chat_body("a/m"), 50)
    async with r.client() as client:
        reply = await client.ask(data[:-2] + b"X-Trailer: 1\r\nX-Other: 2\r\n\r\n" + echoed("next"))
        assert TEXT == reply.text
        assert "next" == (await client.read()).text


@LANE
async def test_expect_100_continue_is_answered_before_the_body_is_read(r: Rig) -> None:
    body = chat_body("a/m")
    async with r.client() as client:
        await client.send(
            head("POST", CHAT, f"Content-Length: {len(body)}", "Expect: 100-continue")
        )
        with trio.fail_after(2):
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == await client.stream.receive_some(100)
        assert TEXT == (await client.ask(body)).text
        at_once = await client.ask(post(body, CHAT, "Expect: 100-continue"))
        assert (TEXT, 0) == (at_once.text, at_once.informational)


@LANE
async def test_expect_100_continue_is_not_answered_where_the_body_is_refused(keyed: Rig) -> None:
    reply = await keyed.raw(head("POST", CHAT, "Content-Length: 5", "Expect: 100-continue"))

    assert (401, 0) == (reply.status, reply.informational)


# --- old clients, odd methods -----------------------------------------------------------------------
def old(body: bytes, *lines: str) -> bytes:
    every = (f"POST {CHAT} HTTP/1.0", f"Content-Length: {len(body)}", *lines)
    return ("\r\n".join(every) + "\r\n\r\n").encode() + body


@LANE
async def test_http_1_0_gets_a_stream_that_the_connection_ends(r: Rig) -> None:
    async with r.client() as client:
        reply = await client.ask(old(chat_body("a/m", stream=True), "Connection: keep-alive"))

        assert TEXT == reply.text
        assert "transfer-encoding" not in reply.headers
        assert "close" == reply.headers["connection"]


@LANE
async def test_http_1_0_is_kept_alive_only_where_it_asks(r: Rig) -> None:
    async with r.client() as client:
        reply = await client.ask(old(chat_body("a/m"), "Connection: keep-alive"))
        assert (TEXT, "keep-alive") == (reply.text, reply.headers["connection"])
        reply = await client.ask(old(chat_body("a/m")))
        assert (TEXT, "close") == (reply.text, reply.headers["connection"])
        assert await client.ended()


@LANE
async def test_an_absolute_target_is_read_where_it_names_the_host(r: Rig) -> None:
    assert TEXT == (await r.raw(post(chat_body("a/m"), "http://localhost" + CHAT))).text
    other = await r.raw(post(chat_body("a/m"), "http://elsewhere" + CHAT))
    assert (400, "invalid_request") == (other.status, other.error["metadata"]["error_type"])


@LANE
async def test_a_unix_socket_serves_as_well(rig: Any, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    async with rig(SERVED, bind=("127.0.0.1:0", f"unix:{path}")) as r:
        assert 0o600 == path.stat().st_mode & 0o777
        for stream in (False, True):
            async with r.client(r.running.urls[1]) as client:
                assert "hi" == (await client.ask(echoed("hi", stream=stream))).text
        async with await connect(r.running.urls[1]) as leaver:
            await leaver.send_all(echoed("bye", stream=True))
            await r.one.wait_served(3)
        await r.quiet()


# --- early answers ----------------------------------------------------------------------------------
@LANE
async def test_an_early_answer_is_not_lost_behind_a_large_body(keyed: Rig) -> None:
    """The classic failure is a RST for unread bytes that overtakes the 401."""
    for _ in range(5):
        async with keyed.client() as client:
            replies: list[Reply] = []

            async def read(client: Client = client, replies: list[Reply] = replies) -> None:
                replies.append(await client.read())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                try:
                    await client.send(post(b"x" * (4 << 20)))
                except trio.BrokenResourceError:
                    pass
            (reply,) = replies
            assert (401, "close", True) == (reply.status, reply.headers["connection"], reply.whole)
            assert await client.ended()


@LANE
async def test_an_early_answer_leaves_no_body_to_be_read_as_a_request(keyed: Rig) -> None:
    inner = post(chat_body("a/m"), CHAT, BEARER)
    async with keyed.client() as client:
        reply = await client.ask(post(inner))
        assert 401 == reply.status
        assert await client.ended()
    assert [] == keyed.one.log


# --- slow readers -----------------------------------------------------------------------------------
@LANE
async def test_a_slow_reader_slows_the_provider_down_and_loses_nothing(rig: Any) -> None:
    texts = tuple(f"{number:06}" + "x" * 20_000 for number in range(1500))
    async with rig({"a/big": ("big",), **SERVED}) as r:
        r.one.script("big", Script(texts=texts))
        async with r.client() as client:
            await client.send(post(chat_body("a/big", stream=True)))
            await r.one.wait_served(1)
            await trio.sleep(0.3)
            first = r.one.log[0].bytes_sent
            await trio.sleep(0.2)
            assert first == r.one.log[0].bytes_sent  # sockets hold some of it; the gateway no more
            assert r.one.log[0].t_done is None
            other = await r.chat("a/m", stream=True)
            assert TEXT == other.text
            reply = await client.read()
        assert "".join(texts) == reply.text
        await r.quiet()
        assert (2, 0) == r.settled


@LANE
async def test_a_reader_that_takes_its_time_gets_every_event(rig: Any) -> None:
    async with rig(SERVED) as r, r.client() as client:
        client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await client.send(post(chat_body("a/long", stream=True)))
        while len(client.unread) < 60_000:
            client.unread += await client.stream.receive_some(1500)
            await trio.sleep(0.001)
        assert "".join(SCRIPTS["long"].texts) == (await client.read()).text


@LANE
async def test_with_keys_a_page_may_read_that_its_chunks_were_bad(keyed: Rig) -> None:
    reply = await keyed.raw(head("POST", CHAT, BEARER, "Transfer-Encoding: chunked") + b"zz\r\n")

    assert reply.error
    assert "*" == reply.headers.get("access-control-allow-origin")
