"""Replies from outside: read within their bounds, and never trusted about their length."""

import gzip
import socket
import struct
from typing import Any

import pytest
import trio

from proxy.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnavailableError
from proxy.net.egress import Message
from proxy.net.fetching import Fetched, fetch
from tests.fakes.source import egress_to, head_of, source

MEGABYTE = 1_048_576


async def fetched(reply: bytes, *, method: str = "GET", **limits: Any) -> Fetched:
    """What is made of a reply behind which the source hangs up."""

    async def hang_up(stream: Any) -> None:
        pass

    async with source(lambda _: reply, then=hang_up) as one:
        async with egress_to(one.place, limits=limits) as egress:
            return await fetch(egress, one.url(), Message(method))


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (head_of("content-length: 5") + b"hello", b"hello"),
        (head_of("transfer-encoding: chunked") + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (head_of() + b"hello", b"hello"),
        (head_of("content-length: 0"), b""),
        (head_of(status="204 No Content"), b""),
        (head_of(status="103 Early Hints") + head_of("content-length: 1") + b"x", b"x"),
        (head_of("content-length: 5") + b"hello and more", b"hello"),
        (head_of("content-encoding: gzip") + gzip.compress(b"hello"), b"hello"),
        (head_of("content-encoding: identity", "content-length: 2") + b"ok", b"ok"),
    ],
)
async def test_a_body_is_read_however_it_is_delimited(reply: bytes, body: bytes) -> None:
    assert body == (await fetched(reply)).body


async def test_a_decoded_body_is_described_as_it_is_now() -> None:
    data = gzip.compress(b"hello")
    reply = head_of(
        "content-encoding: gzip", f"content-length: {len(data)}", "set-cookie: a", "x: y"
    )

    assert {"x": "y"} == (await fetched(reply + data)).headers


async def test_a_head_alone_has_no_body_whatever_it_says() -> None:
    found = await fetched(head_of("content-length: 99", "content-encoding: br"), method="HEAD")

    assert (b"", "99") == (found.body, found.headers["content-length"])


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (head_of("content-length: 9") + b"short", "cut short"),
        (head_of("transfer-encoding: chunked") + b"5\r\nhe", "cut short"),
        (head_of("transfer-encoding: chunked") + b"zz\r\n", "malformed"),
        (head_of("content-length: 9", "transfer-encoding: chunked"), "contradictory"),
        (head_of("content-length: -1"), "malformed"),
        (head_of("content-length: 1048577"), "exceeds the size limit"),
        (head_of() + bytes(MEGABYTE + 1), "exceeds the size limit"),
        (head_of("content-encoding: gzip") + gzip.compress(bytes(2 * MEGABYTE)), "exceeds the size limit"),
        (head_of("content-encoding: gzip") + gzip.compress(b"hello")[:-1], "cut short"),
        (head_of("content-encoding: gzip") + gzip.compress(b"hello") + b"x", "behind its end"),
        (head_of("content-encoding: gzip") + gzip.compress(b"") + b"x", "behind its end"),
        (head_of("content-encoding: gzip") + b"hello", "damaged"),
        (head_of("content-encoding: br") + b"x", "coding is unknown"),
        (head_of("transfer-encoding: chunked") + b"1\r\nx\r\n" * 5_000, "too many small chunks"),
        (head_of(*["x: y"] * 10_000), "size limit|fields"),
        (head_of(*["x: y"] * 300), "more than 200 fields"),
        (head_of(status="103 Early Hints") * 1_000, "no final reply"),
        (head_of(status="101 Switching Protocols"), "not HTTP|malformed|reply"),
        (b"hello\r\n\r\n", "Source"),
        (b"", "without a reply"),
    ],
)  # fmt: skip
async def test_a_source_that_lies_is_an_upstream_error(reply: bytes, words: str) -> None:
    with pytest.raises(UpstreamError, match=words) as caught:
        await fetched(reply, body_bytes_max=MEGABYTE, received_bytes_max=MEGABYTE)
    assert "Provider" not in caught.value.message


@pytest.mark.parametrize("head", [head_of(), head_of("content-length: 9")])
async def test_a_connection_that_is_reset_is_no_end_of_a_body(head: bytes) -> None:
    async def reset(stream: Any) -> None:
        await trio.sleep(0.02)  # the head is read first
        linger = struct.pack("ii", 1, 0)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream.socket.close()

    async with source(lambda _: head + b"x", then=reset) as one:
        async with egress_to(one.place) as egress:
            with pytest.raises(UpstreamUnavailableError, match="cut short"):
                await fetch(egress, one.url())


async def drip(stream: Any) -> None:
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.02)


async def hang(stream: Any) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nx", head_of("content-length: 99") + b"x"]
)
@pytest.mark.parametrize(("then", "limit"), [(hang, "silence_s"), (drip, "total_s")])
async def test_a_source_that_hangs_or_drips_is_left_in_time(
    said: bytes, then: Any, limit: str
) -> None:
    async with source(lambda _: said, then=then) as one:
        async with egress_to(one.place, limits={limit: 0.1}) as egress:
            with pytest.raises(UpstreamTimeoutError), trio.fail_after(2):
                await fetch(egress, one.url())
            assert 0 == egress._pool.origins


async def test_a_source_without_end_is_read_up_to_the_bound_and_one_buffer() -> None:
    sent = 0

    async def pour(stream: Any) -> None:
        nonlocal sent
        while sent < 1 << 30:
            await stream.send_all(bytes(65_536))
            sent += 65_536

    async with source(lambda _: head_of(), then=pour) as one:
        async with egress_to(one.place, limits={"body_bytes_max": MEGABYTE}) as egress:
            reply = await egress.ask(egress.check(one.url()), Message())
            with pytest.raises(UpstreamUnavailableError, match="size limit"):
                await reply.read()
            assert MEGABYTE < reply.received <= MEGABYTE + 65_536
    assert sent < 1 << 25  # what the kernels held besides


async def test_a_bomb_is_stopped_at_its_bound_and_never_stops_the_loop() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    longest, last = 0.0, trio.current_time()

    async def beat() -> None:
        nonlocal longest, last
        while True:
            longest, last = max(longest, trio.current_time() - last), trio.current_time()
            await trio.sleep(0)

    reply = head_of("content-encoding: gzip", f"content-length: {len(bomb)}") + bomb
    async with source(lambda _: reply) as one, egress_to(one.place) as egress:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat)
            with pytest.raises(UpstreamUnavailableError, match="size limit"):
                await fetch(egress, one.url())
            nursery.cancel_scope.cancel()
    assert longest < 0.1


async def test_a_reply_that_is_closed_early_gives_no_connection_back() -> None:
    async with source(lambda _: head_of("content-length: 9") + b"x") as one:
        async with egress_to(one.place) as egress:
            reply = await egress.ask(egress.check(one.url()), Message())
            assert b"x" == await reply.piece()
            reply.close()
            assert (b"", 0) == (await reply.piece(), egress._pool.idle)


async def test_a_reader_that_is_cancelled_closes_the_connection() -> None:
    async with source(lambda _: head_of("content-length: 9") + b"x") as one:
        async with egress_to(one.place) as egress:
            reply = await egress.ask(egress.check(one.url()), Message())
            with trio.move_on_after(0.05):
                await reply.read()
            assert (0, 0) == (egress._pool.idle, egress._pool.origins)
