"""What Hypercorn's HTTP/2 lacked: streams that end on both sides, buffers that hold, frames that fit."""

import h2.settings
import pytest
import trio
from h2.errors import ErrorCodes
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER
from hypercorn.trio.worker_context import EventWrapper

from proxy.config.settings import LimitSettings
from proxy.doors.hypercorn_h2 import SteadyBuffer, connection_within
from tests.fakes.h2_door import doorway
from tests.rig import chat_body, head, post

SERVED = {"maker/text": ("synthetic/text",), "maker/stall": ("fault/stall-mid-body",)}


async def test_a_stream_with_a_shut_window_takes_no_more_than_its_buffer() -> None:
    buffer = SteadyBuffer(EventWrapper)
    pushed = 0
    with trio.move_on_after(0.2):
        while True:
            await buffer.push(b"x" * BUFFER_HIGH_WATER)
            pushed += 1
            assert b"" == await buffer.pop(0)
    assert pushed <= 1

    assert BUFFER_HIGH_WATER == len(await buffer.pop(BUFFER_HIGH_WATER))


def test_a_connection_announces_our_limits() -> None:
    limits = LimitSettings(streams_per_connection_max=7, head_bytes_max=1000)
    codes = h2.settings.SettingCodes
    connection = connection_within(limits)

    assert 7 == connection.local_settings[codes.MAX_CONCURRENT_STREAMS]
    assert 1000 == connection.local_settings[codes.MAX_HEADER_LIST_SIZE]
    assert 0 == connection.local_settings.enable_connect_protocol
    assert 2000 == connection.decoder.max_header_list_size


async def test_a_failure_within_a_reply_resets_its_stream_and_no_other() -> None:
    async def console(_scope: object, _receive: object, send: object) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        piece = {"type": "http.response.body", "body": b"half", "more_body": True}
        await send(start)  # type: ignore[operator]
        await send(piece)  # type: ignore[operator]
        raise RuntimeError("a bug")

    async with doorway(SERVED, complaints=False, console=console) as d, d.client() as client:
        asked = await client.send(head("GET", "/x"))
        reply = await client.answer(asked)

        assert (200, b"half", False) == (reply.status, reply.body, reply.whole)
        assert ErrorCodes.INTERNAL_ERROR == client.streams[asked].reset
        assert 200 == (await client.ask(post(chat_body("maker/text")))).status


async def test_a_body_in_pieces_is_put_together_and_its_length_is_checked() -> None:
    data = post(chat_body("maker/text"))
    async with doorway(SERVED) as d, d.client() as client:
        asked = await client.send(data[:-20])
        await trio.sleep(0.01)
        await client.more(asked, data[-20:-10])
        await client.more(asked, data[-10:])

        assert 200 == (await client.answer(asked)).status


@pytest.mark.parametrize("size", [100_000, 8_000_000])
async def test_a_large_body_passes_a_small_window(size: int) -> None:
    async with doorway(SERVED) as d, d.client() as client:
        reply = await client.ask(post(chat_body("maker/text", text="x" * size)))

        assert 200 == reply.status


async def test_a_slow_body_is_408_and_the_connection_lives() -> None:
    async with doorway(SERVED, limits={"body_grace_s": 0.2}) as d, d.client() as client:
        asked = await client.send(post(chat_body("maker/text"))[:-5])
        assert 408 == (await client.answer(asked)).status
        assert 200 == (await client.ask(head("GET", "/healthz/live"))).status


async def test_a_stream_that_runs_keeps_an_idle_connection() -> None:
    limits = {"idle_connection_s": 0.2}
    async with doorway(SERVED, limits=limits) as d, d.client() as client:
        asked = await client.send(post(chat_body("maker/stall", stream=True)))
        await client.body_of(asked, 1)
        await trio.sleep(0.5)
        assert not client.over.is_set()
        await client.reset(asked)
        assert await client.ended()


async def test_a_stream_is_over_for_the_application_when_its_end_is_sent() -> None:
    """Not when all of its bytes are: their end may come in a frame of its own, later."""
    buffer = SteadyBuffer(EventWrapper)
    await buffer.push(b"all")
    assert b"all" == await buffer.pop(10)
    buffer.set_complete()
    with trio.move_on_after(0.02) as early:
        await buffer.drain()
    assert early.cancelled_caught
    buffer.end()
    await buffer.drain()


@pytest.mark.parametrize("size", [BUFFER_HIGH_WATER - 1, BUFFER_HIGH_WATER, 70_000, 200_000])
async def test_a_large_reply_ends_whole_whoever_runs_first(size: int) -> None:
    async def console(_scope: object, _receive: object, send: object) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"x" * size, "more_body": False})  # type: ignore[operator]

    async with doorway(SERVED, console=console) as d, d.client() as client:
        for _ in range(15):
            reply = await client.ask(head("GET", "/x"))
            assert (True, size) == (reply.whole, len(reply.body))
