"""A request that is an object: what it hands over, when, and how it ends."""

import logging
from typing import Any

import pytest
import trio

from proxy.doors import answer as answering
from proxy.doors.inprocess import InProcess, serve_inprocess
from proxy.errors import ClientClosedError, PayloadTooLargeError
from proxy.model.head import RequestHead
from tests.rig import chat_body, rig

CHAT = "/api/v1/chat/completions"
SERVED = {"a/m": ("synthetic/text",), "a/stalled": ("fault/stall-mid-body?after=2",)}


def call(body: bytes = b"", *, path: str = CHAT, method: str = "POST", **headers: str) -> InProcess:
    """A request."""
    fields = {name.encode(): value.encode() for name, value in headers.items()}
    return InProcess(RequestHead(method, path, b"", fields), body, reader_s=0.1)


async def everything(one: InProcess) -> bytes:
    """Take the reply to its end."""
    await one.opened()
    taken = b""
    while piece := await one.piece():
        taken += piece
    return taken


async def test_inference_and_the_rest_are_answered() -> None:
    async with rig(SERVED) as r, trio.open_nursery() as nursery:
        for body, path, method, status in (
            (chat_body("a/m"), CHAT, "POST", 200),
            (chat_body("a/m", stream=True), "/v1/chat/completions/", "POST", 200),
            (b"{", CHAT, "POST", 400),
            (b"", CHAT, "GET", 405),
            (b"", "/api/v1/models", "GET", 200),
            (b"x" * 1_048_577, "/api/v1/models", "POST", 413),
        ):
            one = call(body, path=path, method=method, host="evil.test", origin="https://evil.test")
            nursery.start_soon(serve_inprocess, r.gateway, r.running.app, one)
            assert await everything(one)
            assert status == one.status
        await r.quiet()
        assert (2, 0) == r.settled


async def test_a_whole_reply_is_there_at_once_and_a_stream_is_not() -> None:
    whole, stream, head = call(), call(), call(method="HEAD")

    await whole.reply(200, b"a: b\r\n", b"body")
    stream.start(200, b"")
    stream.write([b"one"])
    await head.reply(200, b"", b"body")

    assert (b"body", b"a: b\r\ncontent-length: 4\r\n") == (whole.rest(), whole.headers)
    assert stream.rest() is None
    assert (b"", b"content-length: 4\r\n") == (head.rest(), head.headers)
    assert b"" == await whole.piece()


async def test_one_piece_waits_and_the_next_one_for_it() -> None:
    one, order = call(), list[str]()

    async def provider() -> None:
        one.start(200, b"")
        for number in range(3):
            if not one.write([b"%d" % number, memoryview(b"!")]):
                await one.drain()
            order.append(f"sent {number}")
        await one.end([b"last"])
        one.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(provider)
        await one.opened()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert [] == order
        assert b"0!" == await one.piece()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert ["sent 0"] == order
        assert [b"1!", b"2!", b"last", b""] == [await one.piece() for _ in range(4)]


async def test_a_piece_for_a_program_that_waits_needs_no_second_wait() -> None:
    one = call()
    one.start(200, b"")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.piece)
        await trio.testing.wait_all_tasks_blocked()
        assert one.write([b"asked for"])
        assert not one.write([b"not asked for"])


async def test_a_program_that_takes_nothing_is_cut() -> None:
    one = call()
    one.start(200, b"")
    one.write([b"piece"])

    with pytest.raises(ClientClosedError):
        await one.drain()
    with pytest.raises(ClientClosedError):
        await one.end([b"more"])


async def test_a_body_beyond_its_limit_is_refused() -> None:
    assert b"abc" == await call(b"abc").body(3)
    with pytest.raises(PayloadTooLargeError):
        await call(b"abcd").body(3)


async def test_leaving_cancels_the_work_and_is_counted() -> None:
    async with rig(SERVED) as r, trio.open_nursery() as nursery:
        one = call(chat_body("a/stalled", stream=True))
        nursery.start_soon(serve_inprocess, r.gateway, r.running.app, one)
        await one.opened()
        one.leave()
        with trio.fail_after(0.3):
            await r.one.served("fault/stall-mid-body?after=2")[0].closed.wait()
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await one.piece()
        assert b"hedgerow_departures_total 1.0" in r.gateway.statistics.render()


async def test_leaving_after_the_end_is_nothing() -> None:
    async with rig(SERVED) as r:
        one = call(chat_body("a/m"))
        await serve_inprocess(r.gateway, r.running.app, one)
        one.leave()

        assert not one.scope.cancel_called
        assert one.rest()
        assert b"hedgerow_departures_total 0.0" in r.gateway.statistics.render()


async def test_a_gateway_that_stops_breaks_the_reply_off() -> None:
    one = call()
    one.finish()

    with pytest.raises(trio.BrokenResourceError):
        await one.opened()


@pytest.mark.parametrize("begun", [False, True])
async def test_a_bug_is_masked_or_breaks_the_reply_off(
    begun: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def buggy(_gateway: Any, downstream: InProcess, *_route: Any) -> int:
        if begun:
            downstream.start(200, b"")
            downstream.write([b"some"])
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(answering, "exchange", buggy)
    async with rig(SERVED, complaints=False) as r:
        one = call(chat_body("a/m"))
        with caplog.at_level(logging.ERROR):
            await serve_inprocess(r.gateway, r.running.app, one)

    assert "a request failed" in caplog.text
    await one.opened()
    if begun:
        assert b"some" == await one.piece()
        with pytest.raises(trio.BrokenResourceError):
            await one.piece()
    else:
        assert 500 == one.status
        assert b"secret" not in (one.rest() or b"")
