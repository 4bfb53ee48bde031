"""A reply on its connection: given back when it can serve again, closed otherwise."""

import socket
from collections.abc import Iterator

import pytest
import trio

from proxy.net.connection import Connection
from proxy.net.reply import StreamReply, WholeReply
from proxy.net.watch import Watch
from proxy.wire.body import BodyReader
from tests.fakes.downstream import namespace
from tests.fakes.things import a_transcript, chunk, event, in_chunks

EVENTS = [event(chunk("hi")), event(chunk(finish="stop")), b"data: [DONE]\n\n"]
WHOLE = in_chunks(EVENTS)


class Kept:
    """A reply over a socket pair, and what its pool was told."""

    def __init__(self, *, keep_alive: bool = True) -> None:
        ours, self.far = socket.socketpair()
        ours.setblocking(False)
        self.connection = Connection("x", None, ours)
        self.told: list[str] = []
        self.watch = Watch(trio.current_time)  # type: ignore[arg-type]
        pool = namespace(give=self._give, discard=self._discard, watch=self.watch)
        body = BodyReader(chunked=True, length=None)
        self.reply = StreamReply(a_transcript(body), self.connection, pool, keep_alive=keep_alive)

    def _give(self, connection: Connection, *_: object) -> None:
        assert self.connection is connection
        self.told.append("given")

    def _discard(self, connection: Connection) -> None:
        assert self.connection is connection
        self.told.append("discarded")

    async def read(self) -> bytes:
        got = b""
        with trio.fail_after(1):
            while not self.reply.done():
                got += b"".join(await self.reply.receive())
        return got


@pytest.fixture
def kept() -> Iterator[Kept]:
    made = Kept()
    yield made
    made.connection.close()
    made.far.close()


async def test_a_complete_reply_gives_its_connection_back_once(kept: Kept) -> None:
    kept.far.sendall(WHOLE)
    sent = await kept.read()

    assert b'"content":"hi"' in sent
    assert (None, 1) == (kept.reply.failure, kept.reply.content)
    kept.reply.close()
    kept.reply.close()
    assert ["given"] == kept.told


async def test_a_provider_that_says_goodbye_is_believed() -> None:
    made = Kept(keep_alive=False)
    made.far.sendall(WHOLE)
    await made.read()
    made.reply.close()
    made.connection.close()
    made.far.close()

    assert ["discarded"] == made.told


@pytest.mark.parametrize(
    "data", [WHOLE + b"more", in_chunks([*EVENTS, event(chunk("after the end"))])]
)
async def test_what_comes_behind_the_end_costs_the_connection(kept: Kept, data: bytes) -> None:
    kept.far.sendall(data)
    sent = await kept.read()
    kept.reply.close()

    assert b"after" not in sent
    assert ["discarded"] == kept.told


async def test_a_reply_that_is_left_in_the_middle_is_closed(kept: Kept) -> None:
    kept.far.sendall(WHOLE[:30])
    await kept.reply.receive()
    kept.reply.close()

    assert ["discarded"] == kept.told


async def test_an_early_end_is_a_failure(kept: Kept) -> None:
    kept.far.sendall(in_chunks(EVENTS[:1]).removesuffix(b"0\r\n\r\n"))
    kept.far.close()
    await kept.read()
    kept.reply.close()

    assert kept.reply.failure is not None
    assert "early" in kept.reply.failure.message
    assert ["discarded"] == kept.told


async def test_a_reset_is_a_failure(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reset(self: Connection) -> bytes:
        await trio.lowlevel.checkpoint()
        raise ConnectionResetError

    monkeypatch.setattr(Connection, "receive", reset)
    assert [] == await kept.reply.receive()
    assert kept.reply.done()
    assert kept.reply.failure is not None
    assert "reset" in kept.reply.failure.message


async def test_it_is_woken_by_the_watch_and_goes_on(kept: Kept) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.watch.run)
        kept.reply.wake_at(trio.current_time() + 0.01)
        with trio.fail_after(1):
            assert [] == await kept.reply.receive()
        assert not kept.reply.done()
        nursery.cancel_scope.cancel()
    kept.far.sendall(WHOLE)
    assert b"hi" in await kept.read()


async def test_a_closed_reply_cannot_be_woken(kept: Kept) -> None:
    kept.reply.close()
    kept.reply.wake_at(0)

    assert set() == kept.watch.waits


async def test_a_whole_reply_has_nothing_to_wait_for() -> None:
    reply = WholeReply()
    reply.wake_at(0)
    reply.close()

    assert (True, None, []) == (reply.done(), reply.failure, await reply.receive())
