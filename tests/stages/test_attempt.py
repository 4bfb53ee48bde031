"""One try: resumable, and one result whatever the provider says, however it is cut."""

import sys
from collections import deque
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from proxy.config.settings import LimitSettings, Settings
from proxy.errors import ShedError, UpstreamTimeoutError, UpstreamUnavailableError
from proxy.model.endpoint import Timeouts
from proxy.model.outcome import Failure, Opened
from proxy.stages.attempt import Attempt
from proxy.units import Seconds
from tests.fakes.downstream import a_gateway, namespace
from tests.fakes.scripts import TEXTS, Script, encode, reply_of, stream_of
from tests.fakes.things import a_call, an_endpoint, chunk, event

Said = bytes | Exception | float
"""Received bytes (none: the end), an error, or seconds of silence."""
ENDPOINT = an_endpoint(
    timeouts=Timeouts(
        Seconds(5), first_token_s=Seconds(60), idle_s=Seconds(60), total_s=Seconds(600)
    )
)


class FakeConnection:
    """A connection that hears what it is told to."""

    def __init__(self, *said: Said, served: int = 0, connect: Exception | None = None) -> None:
        self.said = deque(said)
        self.served = served
        self.ready = bool(served)
        self.deadline = 0.0
        self.queued: list[bytes] = []
        self.sent = b""
        self._connect = connect
        self._due: float | None = None

    async def establish(self) -> None:
        await trio.sleep(0.1)
        if self._connect is not None:
            raise self._connect
        self.ready = True

    def queue(self, data: bytes) -> None:
        self.queued.append(data)

    async def flush(self) -> None:
        await trio.lowlevel.checkpoint()
        self.sent, self.queued = b"".join(self.queued), []

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while self.said and isinstance(silence_s := self.said[0], float):
            self._due = trio.current_time() + silence_s if self._due is None else self._due
            await trio.sleep_until(self._due)
            self._due = None
            self.said.popleft()
        said = self.said.popleft() if self.said else b""
        if isinstance(said, Exception):
            raise said
        assert isinstance(said, bytes)
        return said


class FakePool:
    """Hands connections out in turn and keeps what became of them."""

    def __init__(self, *idle: FakeConnection, fresh: list[FakeConnection] | None = None) -> None:
        self._idle = list(idle)
        self._fresh = fresh or []
        self.given: list[FakeConnection] = []
        self.discarded: list[FakeConnection] = []
        self.watch = namespace(waits=set())
        self.waits_max = 0
        self.waiting: list[trio.Event] = []

    def take(self) -> FakeConnection | None:
        return self._idle.pop() if self._idle else None

    def fresh(self) -> FakeConnection | None:
        return self._fresh.pop(0) if self._fresh else None

    def renewed(self, connection: FakeConnection) -> FakeConnection:
        if not self._fresh:
            raise ShedError("no socket")
        self.discard(connection)
        return self._fresh.pop(0)

    async def establish(self, connection: FakeConnection) -> None:
        await connection.establish()

    def line_up(self) -> trio.Event:
        if self.waits_max == len(self.waiting):
            raise ShedError("full")
        self.waiting.append(trio.Event())
        return self.waiting[-1]

    async def turn(self, waiter: trio.Event) -> FakeConnection:
        await waiter.wait()
        return self._fresh.pop(0)

    def leave(self, waiter: trio.Event) -> None:
        self.waiting.remove(waiter)

    def give(self, connection: FakeConnection, tail: bytes = b"") -> None:
        self.given.append(connection)

    def discard(self, connection: FakeConnection) -> None:
        self.discarded.append(connection)


def attempt(pool: FakePool, *, stream: bool = True, limits: LimitSettings | None = None) -> Attempt:
    upstream = namespace(
        pool=pool,
        keyring=None,
        request=lambda surface, body, more, lease: b"POST %b%b" % (more, body),
    )
    gateway = a_gateway(
        upstreams=namespace(of=lambda endpoint: upstream),
        settings=Settings(limits=limits or LimitSettings()),
    )
    return Attempt(a_call(stream=stream), ENDPOINT, gateway)


async def run(tried: Attempt) -> Opened | Failure:
    """Drive to the end, as a race does."""
    while True:
        if (result := await tried.drive()) is not None:
            return result


async def of(*said: Said, stream: bool = True, **fields: Any) -> tuple[Opened | Failure, FakePool]:
    """The result of an attempt on a fresh connection, and the pool."""
    pool = FakePool(fresh=[FakeConnection(*said)])
    return await run(attempt(pool, stream=stream, **fields)), pool


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


SSE = "Content-Type: text/event-stream"
TEXT = "".join(TEXTS)
BODY = encode(reply_of(Script()))
WHOLE = head("Content-Type: application/json", f"Content-Length: {len(BODY)}") + BODY


def streamed(body: bytes = stream_of()) -> bytes:
    return head(SSE, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


# --- what opens ------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
async def test_a_stream_opens_with_its_first_content_however_it_is_cut(size: int) -> None:
    data = streamed()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    result, pool = await of(*pieces)

    assert isinstance(result, Opened)
    assert b"Hedge" in b"".join(result.held)
    while not result.reply.done():
        result.held += await result.reply.receive()
    text = b"".join(result.held).decode()
    assert all(piece.replace('"', '\\"') in text for piece in TEXTS)
    result.reply.close()
    assert ([], 1) == (pool.discarded, len(pool.given))


async def test_a_stream_that_is_over_without_content_opens_too() -> None:
    result, _ = await of(streamed(stream_of([])))

    assert isinstance(result, Opened)
    assert result.reply.done()
    assert result.reply.failure is None


@pytest.mark.parametrize("size", [1, 50, 10**6])
async def test_a_whole_reply_opens_when_it_is_read_and_its_connection_serves_on(size: int) -> None:
    pieces = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
    result, pool = await of(*pieces, stream=False)

    assert isinstance(result, Opened)
    assert len(TEXT.encode()) == result.delivered.output_bytes
    assert (1, 0) == (len(pool.given), len(pool.discarded))


async def test_a_whole_reply_up_to_the_end_of_the_connection_opens() -> None:
    result, pool = await of(head("Content-Type: application/json"), BODY, b"", stream=False)

    assert isinstance(result, Opened)
    assert (0, 1) == (len(pool.given), len(pool.discarded))


@pytest.mark.parametrize(
    "data", [WHOLE + b"X", WHOLE.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n")]
)
async def test_a_connection_that_said_more_or_says_goodbye_is_closed(data: bytes) -> None:
    result, pool = await of(data, stream=False)

    assert isinstance(result, Opened)
    assert (0, 1) == (len(pool.given), len(pool.discarded))


async def test_blank_padding_around_a_whole_reply_is_read_over() -> None:
    padded = b"\n \n" + BODY + b"\n"
    result, _ = await of(head(f"Content-Length: {len(padded)}"), padded, stream=False)

    assert isinstance(result, Opened)


async def test_interim_replies_are_read_over() -> None:
    result, _ = await of(
        head(status="103 Early Hints") + head(status="100 Continue"), WHOLE, stream=False
    )

    assert isinstance(result, Opened)


async def test_waiting_is_measured_from_sent_to_heard(autojump_clock: MockClock) -> None:
    result, _ = await of(2.0, WHOLE, stream=False)

    assert isinstance(result, Opened)
    assert pytest.approx(2.0) == result.waited_s


# --- what fails ------------------------------------------------------------------------------------
FAILURES: dict[str, tuple[list[Said], str]] = {
    "no reply": ([b""], "reset the connection"),
    "half a head": ([b"HTTP/1.1 200", b""], "reset the connection"),
    "a reset": ([ConnectionResetError()], "reset the connection"),
    "a reset behind the head": ([head(SSE, "Transfer-Encoding: chunked"), OSError()], "reset"),
    "no HTTP": ([b"\x16\x03\x01 nonsense\r\n\r\n"], "malformed"),
    "compression": ([head(SSE, "Content-Encoding: gzip", "Content-Length: 5")], "compressed"),
    "two codings": ([head(SSE, "Content-Encoding: gzip, identity")], "compressed"),
    "two codings, tight": ([head(SSE, "Content-Encoding: identity,BR")], "compressed"),
    "two lines of codings": (
        [head(SSE, "Content-Encoding: identity", "Content-Encoding: gzip")],
        "compressed",
    ),
    "a coded transfer": ([head(SSE, "Transfer-Encoding: gzip, chunked")], "contradictory framing"),
    "a flood of interim replies": ([head(status="102 Processing")] * 20, "no final reply"),
    "a proxy's refusal": (
        [head("Content-Length: 0", status="407 Proxy Authentication Required")],
        "status 407",
    ),
    "much ado before the first content": (
        [head(SSE)] + [event({**chunk(), "padding": "x" * 1_000_000})] * 9,
        "size limit",
    ),
    "a redirect": ([head("Location: /", "Content-Length: 0", status="302 Found")], "redirected"),
    "a web page": ([head("Content-Type: text/html", "Content-Length: 5"), b"<htm"], "web page"),
    "both framings": ([head("Content-Length: 5", "Transfer-Encoding: chunked")], "contradictory"),
    "a bad chunk": ([head(SSE, "Transfer-Encoding: chunked"), b"zz\r\n"], "framing"),
    "an endless head": ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000], "size limit"),
    "a short stream": ([head(SSE, "Transfer-Encoding: chunked"), b""], "early"),
    "only comments": ([head(SSE), b": hello\n\n", b""], "early"),
    "an empty stream": ([head(SSE, "Content-Length: 0")], "early"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_a_broken_stream_is_a_failure_and_its_connection_is_closed(case: str) -> None:
    said, words = FAILURES[case]
    result, pool = await of(*said)

    assert isinstance(result, Failure)
    assert isinstance(result.error, UpstreamUnavailableError)
    assert words in result.error.message
    assert (0, 1) == (len(pool.given), len(pool.discarded))


async def test_a_reply_that_is_not_a_stream_where_one_was_asked_for_fails() -> None:
    result, _ = await of(WHOLE)

    assert isinstance(result, Failure)
    assert "did not stream" in result.error.message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([WHOLE[:-5], b""], "early"),
        ([head("Content-Length: 2") + b"{}"], "shape"),
        ([head("Content-Length: 0")], "not JSON"),
        ([head("Transfer-Encoding: chunked") + b"5\r\nhelloXX"], "framing"),
    ],
)
async def test_a_broken_whole_reply_is_a_failure(said: list[Said], words: str) -> None:
    result, _ = await of(*said, stream=False)

    assert isinstance(result, Failure)
    assert words in result.error.message


async def test_a_whole_reply_is_bounded() -> None:
    limits = LimitSettings(upstream_reply_bytes_max=100)
    result, pool = await of(head(), b"x" * 99, b"x" * 99, stream=False, limits=limits)

    assert isinstance(result, Failure)
    assert "size limit" in result.error.message
    assert 1 == len(pool.discarded)


async def test_an_error_status_is_read_with_its_hint_and_leaves_the_connection() -> None:
    body = b'{"error":{"message":"slow down"}}'
    lines = ("Retry-After: 7", f"Content-Length: {len(body)}")
    for stream in (True, False):
        result, pool = await of(head(*lines, status="429 Too Many") + body, stream=stream)
        assert isinstance(result, Failure)
        assert (429, 7.0) == (result.error.status, result.retry_after_s)
        assert (1, 0) == (len(pool.given), len(pool.discarded))


async def test_an_address_that_refuses_is_a_failure() -> None:
    connection = FakeConnection(connect=UpstreamUnavailableError("refused"))
    pool = FakePool(fresh=[connection])
    result = await run(attempt(pool))

    assert isinstance(result, Failure)
    assert [connection] == pool.discarded


@pytest.mark.parametrize("coding", ["", "identity", "Identity , identity", " "])
async def test_a_reply_that_says_it_is_not_compressed_is_believed(coding: str) -> None:
    lines = (f"Content-Encoding: {coding}", f"Content-Length: {len(BODY)}")
    result, _ = await of(head(*lines) + BODY, stream=False)

    assert isinstance(result, Opened)


async def test_a_stream_is_bounded_in_all() -> None:
    data = streamed()
    size = len(data) - data.index(b"\r\n\r\n") - 4
    for limit, outcome in ((size, None), (size - 1, "exceeds the size limit")):
        limits = LimitSettings(upstream_stream_bytes_max=limit)
        result, _ = await of(
            *(data[at : at + 100] for at in range(0, len(data), 100)), limits=limits
        )
        assert isinstance(result, Opened)
        while not result.reply.done():
            await result.reply.receive()
        failure = result.reply.failure
        assert outcome is failure or outcome in str(failure)
        result.reply.close()


async def test_a_whole_reply_in_tiny_chunks_costs_no_more_than_its_bytes() -> None:
    text = b"1\r\n \r\n" * 300_000
    tried = attempt(
        FakePool(fresh=[FakeConnection(head("Transfer-Encoding: chunked"), text)]), stream=False
    )
    await tried.drive()
    await tried.drive()

    assert 300_000 <= sys.getsizeof(tried._whole) < 600_000
    tried.close()


# --- where it is tried again -----------------------------------------------------------------------
@pytest.mark.parametrize("end", [b"", ConnectionResetError()])
async def test_a_reused_connection_that_died_unheard_is_replaced_once(end: Said) -> None:
    dead, fresh = FakeConnection(end, served=1), FakeConnection(WHOLE)
    pool = FakePool(dead, fresh=[fresh])
    result = await run(attempt(pool, stream=False))

    assert isinstance(result, Opened)
    assert ([dead], [fresh]) == (pool.discarded, pool.given)
    assert fresh.sent.startswith(b"POST ")


async def test_the_replacement_is_not_replaced() -> None:
    pool = FakePool(
        FakeConnection(b"", served=1), fresh=[FakeConnection(b""), FakeConnection(WHOLE)]
    )
    result = await run(attempt(pool, stream=False))

    assert isinstance(result, Failure)
    assert 2 == len(pool.discarded)


@pytest.mark.parametrize("heard", [b"H", WHOLE[:-5]])
async def test_a_reused_connection_that_said_a_byte_is_not_replaced(heard: bytes) -> None:
    pool = FakePool(
        FakeConnection(heard, ConnectionResetError(), served=1), fresh=[FakeConnection(WHOLE)]
    )
    result = await run(attempt(pool, stream=False))

    assert isinstance(result, Failure)
    assert [] == pool.given


async def test_where_no_replacement_can_be_had_the_failure_is_told() -> None:
    pool = FakePool(FakeConnection(b"", served=1))
    result = await run(attempt(pool))

    assert isinstance(result, Failure)
    assert 1 == len(pool.discarded)


# --- interruption ----------------------------------------------------------------------------------
async def test_it_goes_on_where_it_was_cancelled(autojump_clock: MockClock) -> None:
    half = len(WHOLE) // 2
    tried = attempt(
        FakePool(fresh=[FakeConnection(1.0, WHOLE[:half], 1.0, WHOLE[half:])]), stream=False
    )
    result = None
    rounds = 0
    while result is None:
        rounds += 1
        with trio.move_on_after(0.7):
            result = await tried.drive()

    assert isinstance(result, Opened)
    assert rounds >= 3


async def test_an_interrupt_ends_a_drive_without_a_result() -> None:
    tried = attempt(FakePool(fresh=[FakeConnection(InterruptedError(), WHOLE)]), stream=False)

    assert [None, None] == [await tried.drive(), await tried.drive()]
    assert isinstance(await tried.drive(), Opened)


@pytest.mark.parametrize(("stream", "limit_s"), [(True, 60), (False, 600)])
async def test_its_deadline_is_that_of_its_phase(
    autojump_clock: MockClock, stream: bool, limit_s: float
) -> None:
    tried = attempt(FakePool(fresh=[FakeConnection(WHOLE)]), stream=stream)

    assert pytest.approx(5) == tried.deadline - trio.current_time()
    assert "accept a connection" in tried_overdue(FakePool(fresh=[FakeConnection()]))
    await tried.drive()
    assert pytest.approx(limit_s) == tried.deadline - trio.current_time()
    late = tried.overdue()
    assert isinstance(late.error, UpstreamTimeoutError)
    assert "answer" in late.error.message


def tried_overdue(pool: FakePool) -> str:
    failure = attempt(pool).overdue()
    assert 1 == len(pool.discarded)
    return failure.error.message


async def test_only_a_connected_attempt_is_woken_by_the_watch() -> None:
    connection = FakeConnection(WHOLE)
    pool = FakePool(fresh=[connection])
    tried = attempt(pool, stream=False)

    assert not tried.wake_at(5)
    await tried.drive()
    assert tried.wake_at(7)
    assert ({connection}, 7) == (pool.watch.waits, connection.deadline)


async def test_closing_drops_the_connection_once() -> None:
    pool = FakePool(fresh=[FakeConnection()])
    tried = attempt(pool)
    tried.close()
    tried.close()

    assert 1 == len(pool.discarded)


async def test_what_is_asked_for_is_the_endpoints_own_name_of_the_model() -> None:
    connection = FakeConnection(WHOLE)
    await run(attempt(FakePool(fresh=[connection]), stream=False))

    assert b'"model":"model-1"' in connection.sent
