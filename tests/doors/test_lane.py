"""One client connection over a socket pair: requests in, replies out, nothing lost or mixed up."""

import os
import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from proxy.config.settings import LimitSettings
from proxy.doors.lane import CHUNKS_FREE, LaneConnection, Terms
from proxy.doors.quota import Idler
from proxy.doors.transfer import BUFFERS_MAX, Transfer
from proxy.errors import ClientClosedError, InvalidRequestError, PayloadTooLargeError
from proxy.units import Seconds
from tests.rig import head, post

GET = head("GET", "/x")
LIMITS = LimitSettings(head_bytes_max=2000, headers_max=10)


class Pair:
    """A connection of the door, and its client's end."""

    def __init__(self, limits: LimitSettings = LIMITS) -> None:
        ours, self.client = socket.socketpair()
        ours.setblocking(False)
        self.client.settimeout(1)
        self.lane = LaneConnection(
            Transfer(ours, limits, trio.current_time), Terms(limits), trio.current_time, local=True
        )  # type: ignore[arg-type]

    def said(self) -> bytes:
        return self.client.recv(1 << 20)

    async def asked(self, data: bytes) -> LaneConnection:
        self.client.sendall(data)
        with trio.fail_after(1):
            assert await self.lane.next_request()
        return self.lane

    def close(self) -> None:
        self.client.close()
        self.lane.sock.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made: list[Pair] = []

    def make() -> Pair:
        made.append(Pair())
        return made[-1]

    yield LazyPair(make)  # type: ignore[misc]
    for one in made:
        one.close()


class LazyPair:
    """Made inside the loop, whose clock it reads."""

    def __init__(self, make: object) -> None:
        self._make = make
        self._pair: Pair | None = None

    def __getattr__(self, name: str) -> object:
        if self._pair is None:
            self._pair = self._make()  # type: ignore[operator]
        return getattr(self._pair, name)


# --- reading ---------------------------------------------------------------------------------------
async def test_requests_are_read_one_by_one_with_their_bodies(pair: Pair) -> None:
    lane = await pair.asked(post(b"one", "/a") + post(b"two", "/b") + GET)
    for path, body in (("/a", b"one"), ("/b", b"two"), ("/x", b"")):
        assert (path, body) == (lane.head.path, await lane.body(10))
        await lane.reply(200, b"", b"ok")
        assert b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" == pair.said()
        if path != "/x":
            assert await lane.next_request()


async def test_a_head_and_a_body_may_come_byte_by_byte(pair: Pair) -> None:
    lane = pair.lane
    got: list[bytes] = []

    async def serve() -> None:
        assert await lane.next_request()
        got.append(await lane.body(100))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        for byte in post(b"hello"):
            pair.client.send(bytes([byte]))
            await trio.sleep(0)
    assert [b"hello"] == got


@pytest.mark.parametrize("cut", range(1, 9))
async def test_blank_lines_before_a_request_may_be_cut_anywhere(pair: Pair, cut: int) -> None:
    data = b"\r\n\r\n\r\n" + GET
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.lane.next_request)
        pair.client.sendall(data[:cut])
        await trio.testing.wait_all_tasks_blocked()
        pair.client.sendall(data[cut:])
    assert "/x" == pair.lane.head.path


async def test_the_end_of_the_connection_is_a_departure(pair: Pair) -> None:
    pair.client.sendall(GET[:9])
    pair.client.close()
    with pytest.raises(ClientClosedError):
        await pair.lane.next_request()


async def test_a_body_that_breaks_off_is_a_departure(pair: Pair) -> None:
    lane = await pair.asked(post(b"hello")[:-2])
    pair.client.close()
    with pytest.raises(ClientClosedError):
        await lane.body(100)


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"X" * 2100, 431), (head("GET", "/", *["X: y"] * 11), 400), (b"nonsense\r\n\r\n", 400)],
)
async def test_a_bad_head_ends_the_connection(pair: Pair, data: bytes, status: int) -> None:
    pair.client.sendall(data)
    with pytest.raises(InvalidRequestError) as caught:
        await pair.lane.next_request()
    assert status == caught.value.status
    await pair.lane.reply(400, b"", b"")
    assert b"connection: close" in pair.said()
    assert not await pair.lane.next_request()


async def test_a_body_over_the_limit_is_refused_declared_or_not(pair: Pair) -> None:
    lane = await pair.asked(head("POST", "/", "Content-Length: 11"))
    with pytest.raises(PayloadTooLargeError):
        await lane.body(10)
    await lane.reply(413, b"", b"")
    assert b"connection: close" in pair.said()


async def test_a_chunked_body_is_bounded_while_it_is_read(pair: Pair) -> None:
    start = head("POST", "/", "Transfer-Encoding: chunked")
    lane = await pair.asked(start + b"5\r\nhello\r\n6\r\n world\r\n")
    with pytest.raises(PayloadTooLargeError):
        await lane.body(10)


async def test_a_bad_chunk_is_told(pair: Pair) -> None:
    lane = await pair.asked(head("POST", "/", "Transfer-Encoding: chunked") + b"zz\r\n")
    with pytest.raises(InvalidRequestError, match="chunked"):
        await lane.body(10)


async def test_a_continue_is_sent_only_to_who_waits_for_it(pair: Pair) -> None:
    lane = await pair.asked(head("POST", "/", "Content-Length: 2", "Expect: 100-continue"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.body, 10)
        await trio.testing.wait_all_tasks_blocked()
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == pair.said()
        pair.client.sendall(b"ok")


# --- writing ---------------------------------------------------------------------------------------
async def test_a_stream_goes_out_in_chunks(pair: Pair) -> None:
    lane = await pair.asked(GET)
    lane.start(200, b"a: b\r\n")
    assert lane.started
    assert lane.write([b"one", memoryview(b"two")])
    assert (
        b"HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n6\r\nonetwo\r\n"
        == pair.said()
    )
    await lane.end([b"last"])
    assert b"4\r\nlast\r\n0\r\n\r\n" == pair.said()
    assert lane.complete


@pytest.mark.parametrize(("last", "framed"), [([], b"0\r\n\r\n"), ([b"x"], b"1\r\nx\r\n0\r\n\r\n")])
async def test_a_stream_may_end_with_its_first_piece(
    pair: Pair, last: list[bytes], framed: bytes
) -> None:
    lane = await pair.asked(GET)
    lane.start(200, b"")
    await lane.end(last)  # type: ignore[arg-type]

    assert b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + framed == pair.said()


async def test_an_old_client_gets_a_stream_that_the_connection_ends(pair: Pair) -> None:
    lane = await pair.asked(b"GET / HTTP/1.0\r\n\r\n")
    lane.start(200, b"")
    lane.write([b"one"])
    await lane.end([b"two"])

    assert b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo" == pair.said()
    assert not await lane.next_request()


async def test_a_head_request_gets_no_body(pair: Pair) -> None:
    lane = await pair.asked(head("HEAD", "/"))
    await lane.reply(200, b"", b"hello")

    assert b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" == pair.said()


async def test_no_content_has_no_length(pair: Pair) -> None:
    lane = await pair.asked(GET)
    await lane.reply(204, b"", b"")

    assert b"HTTP/1.1 204 No Content\r\n\r\n" == pair.said()


async def test_an_unread_body_is_never_the_next_request(pair: Pair) -> None:
    lane = await pair.asked(head("POST", "/", f"Content-Length: {len(GET)}") + GET)
    await lane.reply(401, b"", b"")

    assert b"connection: close" in pair.said()
    assert not await lane.next_request()


async def test_what_the_socket_does_not_take_is_kept_and_drained_in_order(pair: Pair) -> None:
    lane = await pair.asked(GET)
    lane.start(200, b"")
    sent, taken = b"", b""
    while lane.write([piece := b"%09d" % len(sent) * 1000]):
        sent += piece
    sent += piece
    assert not lane.write([b"more"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.drain)
        while not taken.endswith(b"4\r\nmore\r\n"):
            taken += await trio.to_thread.run_sync(pair.said)
    assert lane.write([b"end"])
    assert (sent.count(b"\n"), b"3\r\nend\r\n") == (0, pair.said())
    assert len(sent) + 4 <= len(taken) < len(sent) * 1.01 + 200


async def test_more_pieces_than_the_kernel_takes_go_out_whole(pair: Pair) -> None:
    lane = await pair.asked(GET)
    lane.start(200, b"")
    assert lane.write([b"x"] * (BUFFERS_MAX + 50))
    assert b"x" * (BUFFERS_MAX + 50) in pair.said()


async def test_a_client_that_is_gone_is_noticed_when_written_to(pair: Pair) -> None:
    lane = await pair.asked(GET)
    lane.start(200, b"")
    pair.client.close()
    with pytest.raises(ClientClosedError):
        lane.write([b"x"])
    with pytest.raises(ClientClosedError):
        await lane.end([b"x"])


# --- the end ---------------------------------------------------------------------------------------
async def test_a_departure_cancels_what_is_in_progress(pair: Pair) -> None:
    lane = await pair.asked(GET)
    with lane.scope:
        lane.leave()
        await trio.sleep_forever()

    assert lane.scope.cancelled_caught


async def test_who_is_told_to_finish_answers_one_more_and_no_other(pair: Pair) -> None:
    lane = await pair.asked(GET + GET)
    lane.finish_up()
    assert not lane.scope.cancel_called
    await lane.reply(200, b"", b"")
    assert b"connection: close" in pair.said()
    assert not await lane.next_request()


async def test_who_is_idle_finishes_at_once(pair: Pair) -> None:
    pair.lane.finish_up()

    assert pair.lane.scope.cancel_called


async def test_lingering_reads_the_rest_so_that_the_answer_arrives(pair: Pair) -> None:
    lane = await pair.asked(head("POST", "/", "Content-Length: 999"))
    await lane.reply(401, b"", b"no")
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.linger)
        await trio.sleep(0.01)
        pair.client.sendall(b"rest of the body")
        await trio.sleep(0.01)
        assert pair.said().endswith(b"no")
        assert b"" == pair.said()
        pair.client.close()
    assert trio.current_time() - started < 0.5


async def test_nothing_lingers_behind_a_body_that_was_read(pair: Pair) -> None:
    lane = await pair.asked(GET)
    await lane.reply(200, b"", b"")
    with trio.fail_after(0.1):
        await lane.linger()


async def test_deadlines_follow_what_is_waited_for(pair: Pair) -> None:
    lane, limits = pair.lane, LIMITS
    now = trio.current_time()
    assert pytest.approx(now + limits.idle_connection_s, abs=1) == lane.transfer.deadline
    pair.client.sendall(GET[:5])
    with trio.move_on_after(0.02):
        await lane.next_request()
    assert pytest.approx(now + limits.head_time_s, abs=1) == lane.transfer.deadline
    pair.client.sendall(GET[5:])


async def test_a_request_in_progress_has_no_deadline_of_the_doors(pair: Pair) -> None:
    lane = await pair.asked(GET)

    assert float("inf") == lane.transfer.deadline


async def test_a_body_in_very_many_chunks_is_refused(pair: Pair) -> None:
    lane = await pair.asked(head("POST", "/", "Transfer-Encoding: chunked"))
    many = b"1\r\nx\r\n" * (CHUNKS_FREE + 100)
    with socket.socket(fileno=os.dup(pair.client.fileno())) as writer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, writer.sendall, many)
            with pytest.raises(InvalidRequestError, match="too many tiny chunks"):
                await lane.body(1 << 20)
    pair.client.close()


async def test_the_last_request_that_a_connection_may_carry_says_so() -> None:
    pair = Pair(LimitSettings(requests_per_connection_max=2))
    try:
        lane = await pair.asked(GET + GET + GET)
        await lane.reply(200, b"", b"")
        assert b"connection" not in pair.said()
        assert await lane.next_request()
        await lane.reply(200, b"", b"")
        assert b"connection: close" in pair.said()
        assert not await lane.next_request()
    finally:
        pair.close()


async def test_a_preface_is_told_from_a_request(pair: Pair) -> None:
    lane = pair.lane
    pair.client.sendall(b"PRI * HT")
    with trio.move_on_after(0.02):
        await lane.begins_with(b"PRI * HTTP/2.0")
    pair.client.sendall(b"TP/2.0 and more")
    assert b"PRI * HTTP/2.0 and more" == await lane.begins_with(b"PRI * HTTP/2.0")
    pair.client.sendall(GET)
    assert b"" == await lane.begins_with(b"PRI * HTTP/2.0")
    assert await lane.next_request()


async def test_who_waits_for_a_request_is_idle_and_may_be_asked_to_make_way() -> None:
    idle: dict[Idler, None] = {}
    ours, client = socket.socketpair()
    ours.setblocking(False)
    clock = lambda: Seconds(trio.current_time())  # noqa: E731
    lane = LaneConnection(
        Transfer(ours, LIMITS, clock), Terms(LIMITS), clock, local=True, idle=idle
    )
    with client, ours:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lane.next_request)
            await trio.testing.wait_all_tasks_blocked()
            assert [lane] == list(idle)
            client.sendall(GET)
        assert [] == list(idle)
        with lane.scope:
            lane.make_way()
            await lane.next_request()
        assert lane.scope.cancelled_caught or not lane._keep_alive


async def test_what_a_listener_announces_is_in_every_head() -> None:
    ours, client = socket.socketpair()
    ours.setblocking(False)
    clock = lambda: Seconds(trio.current_time())  # noqa: E731
    transfer = Transfer(ours, LIMITS, clock)
    lane = LaneConnection(transfer, Terms(LIMITS, announce=b"alt-svc: x\r\n"), clock, local=True)
    with client, ours:
        client.sendall(GET)
        assert await lane.next_request()
        await lane.reply(200, b"", b"")
        assert b"\r\nalt-svc: x\r\n" in client.recv(1000)
