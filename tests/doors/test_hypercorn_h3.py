"""Requests over HTTP/3: served like any other, and ended on both sides."""

from pathlib import Path

import pylsqpack
import pytest
import trio
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import ErrorCode, FrameType, encode_frame

from tests.fakes.h3_client import H3Client
from tests.fakes.h3_door import h3_doorway
from tests.hostile.h2_attacks import Pairs
from tests.rig import chat_body, head, post

SERVED = {
    "maker/text": ("synthetic/text",),
    "maker/stall": ("fault/stall-mid-body",),
}
CHAT = post(chat_body("maker/text", stream=True))
LIVE = head("GET", "/healthz/live")
GOOD = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/healthz/live")]  # fmt: skip


def headers(pairs: Pairs) -> bytes:
    """A HEADERS frame that needs no table."""
    fields = [(n if isinstance(n, bytes) else n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in pairs]  # fmt: skip
    return encode_frame(FrameType.HEADERS, pylsqpack.Encoder().encode(0, fields)[1])


async def test_requests_are_served_side_by_side(tmp_path: Path) -> None:
    async with h3_doorway(SERVED, tmp_path) as d, d.client() as client:
        replies = []

        async def ask(data: bytes) -> None:
            replies.append(await client.ask(data))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask, CHAT)
            nursery.start_soon(ask, post(chat_body("maker/none")))
            nursery.start_soon(ask, post(chat_body("maker/text", text="x" * 300_000)))

        assert [200] * 21 + [400] == sorted(reply.status for reply in replies)
        assert all(reply.whole for reply in replies)
        streamed = [reply for reply in replies if "event-stream" in reply.headers["content-type"]]
        assert all(reply.text.startswith("Hedgerows grow") for reply in streamed)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_leaves_takes_its_request_along(tmp_path: Path, how: str) -> None:
    async with h3_doorway(SERVED, tmp_path) as d, d.client() as client:
        asked = await client.send(post(chat_body("maker/stall", stream=True)))
        with trio.fail_after(2):
            while not client.streams[asked].reply.body:
                await client.streams[asked].news.wait()
        if how == "reset":
            await client.reset(asked)
        else:
            client.quic.close()
            await client.flush()
        with trio.fail_after(1):
            await d.rig.one.log[0].closed.wait()
        await d.rig.quiet()
        if how == "reset":
            assert 200 == (await client.ask(LIVE)).status


async def test_an_early_answer_stops_the_upload(tmp_path: Path) -> None:
    async with h3_doorway(SERVED, tmp_path, keys=["0" * 64]) as d, d.client() as client:
        for _ in range(3):
            assert 401 == (await client.ask(post(b"x" * 600_000))).status
        assert 200 == (await client.ask(LIVE)).status


async def test_whoever_sends_waits_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    limits = {"reader_s": 0.4}
    async with h3_doorway(SERVED, tmp_path, limits=limits) as d, d.client() as client:
        assert 200 == (await client.ask(LIVE)).status
        client.reading = False
        for _ in range(200):
            asked = await client.send(head("GET", "/api/v1/models"))
        await client.send(CHAT)
        await trio.sleep(1)
        client.reading = True
        assert asked
        await d.rig.quiet()


async def test_draining_finishes_what_runs(tmp_path: Path) -> None:
    async with h3_doorway(SERVED, tmp_path, pacing="delay_s=0.02") as d:
        async with d.client() as client, trio.open_nursery() as nursery:
            running = await client.send(CHAT)
            await trio.sleep(0.1)
            nursery.start_soon(d.door.drain)
            await trio.sleep(0.05)
            late = await client.send(LIVE)
            assert (await client.answer(running)).text.startswith("Hedgerows grow")
            await client.answer(late)
            assert ErrorCode.H3_REQUEST_REJECTED == client.streams[late].reset
            with trio.fail_after(2):
                await client.over.wait()
        with trio.fail_after(2):
            await d.door.drain()


HOSTILE: dict[str, bytes] = {
    "path of bytes above 0x7f": headers([*GOOD[:3], (":path", b"/\xff")]),
    "method of bytes above 0x7f": headers([(":method", b"G\xcb"), *GOOD[1:]]),
    "CONNECT without a path": headers([(":method", "CONNECT"), (":authority", "x:1")]),
    "CONNECT": headers([(":method", "CONNECT"), *GOOD[1:]]),
    "no method": headers(GOOD[1:]),
    "upper case": headers([*GOOD, ("X", "1")]),
    "connection": headers([*GOOD, ("connection", "close")]),
    "two hosts": headers([*GOOD, ("host", "evil")]),
    "user information": headers([*GOOD[:2], (":authority", "a@b"), GOOD[3]]),
    "shadowing": headers([*GOOD, ("content_length", "5")]),
    "Content-Length that lies": headers([*GOOD, ("content-length", "5")]),
    "150 fields": headers([*GOOD, *((f"x-{n}", "1") for n in range(150))]),
    "a large head": headers([*GOOD, ("x", "~" * 40_000)]),
    "DATA first": encode_frame(FrameType.DATA, b"x"),
    "SETTINGS of a request": encode_frame(FrameType.SETTINGS, b""),
    "a frame of HTTP/2": encode_frame(0x8, b"1234"),
    "a head cut short": headers(GOOD)[:9],
    "an endless frame": encode_uint_var(0x1) + encode_uint_var(1 << 40) + b"x" * 9,
    "rubbish for a header block": encode_frame(FrameType.HEADERS, b"\xff" * 99),
    "an index into a table that is not": encode_frame(FrameType.HEADERS, b"\x02\0" + b"\x80" * 50),
    "HEADERS twice": headers(GOOD) + headers(GOOD),
    "nothing at all": b"",
}


async def hurt(client: H3Client, data: bytes) -> tuple[int, bool]:
    """(status, whether stream or connection ended otherwise) for bytes of a request stream."""
    asked = await client.send(LIVE[:0] + head("GET", "/healthz/live", "Content-Length: 1"))
    stream = client.quic.get_next_available_stream_id()
    client.streams[stream] = client.streams[asked].__class__()
    client.quic.send_stream_data(stream, data, end_stream=True)
    await client.flush()
    with trio.move_on_after(1):
        await client.streams[stream].over.wait()
    reply = client.streams[stream].reply
    return reply.status, client.over.is_set() or client.streams[stream].reset is not None


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_malformed_is_refused_and_nobody_else_notices(
    tmp_path: Path, name: str
) -> None:
    async with h3_doorway(SERVED, tmp_path, pacing="delay_s=0.002") as d, d.client() as neighbour:
        running = await neighbour.send(CHAT)
        async with d.client() as client:
            status, ended = await hurt(client, HOSTILE[name])
            assert ended or 400 <= status < 500
        assert (await neighbour.answer(running)).text.startswith("Hedgerows grow")
        assert 200 == (await neighbour.ask(LIVE)).status


async def test_no_more_streams_at_a_time_than_allowed(tmp_path: Path) -> None:
    limits = {"streams_per_connection_max": 5}
    async with h3_doorway(SERVED, tmp_path, limits=limits) as d, d.client() as client:
        stalled = post(chat_body("maker/stall", stream=True))
        asked = [await client.send(stalled) for _ in range(8)]
        with trio.fail_after(2):
            for late in asked[5:]:
                await client.streams[late].over.wait()
        refused = {client.streams[late].reset for late in asked[5:]}
        assert {ErrorCode.H3_REQUEST_REJECTED} == refused
