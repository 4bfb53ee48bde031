"""A client that leaves takes its request with it: the provider's connection closes, the hold is settled.

Both ends live in this process and read one clock, so the time between the client's close and the
provider's notice is what the gateway took.
"""

import socket
import struct
from collections.abc import Iterator
from itertools import product

import pytest
import trio

from tests.fakes.connection import Served as Heard
from tests.fakes.h2_client import H2Client
from tests.fakes.replay import unanswered_url
from tests.fakes.scripts import Script
from tests.rig import Client, Rig, Served, chat_body, post, rig

LINGER_ZERO = struct.pack("ii", 1, 0)
AT_ONCE_S = 0.1
"""Longest time a departure may take to reach the provider (p99), seconds."""
TOGETHER = 10
"""Departures under way at a time."""
PHASES: Served = {
    "stage/before-head": ("fault/stall-before-headers",),
    "stage/before-token": ("fault/stall-after-headers",),
    "stage/mid-reply": ("fault/stall-mid-body",),
    "stage/flowing": ("fault/slow-bytes?delay_s=0.001",),
    "stage/honest": ("synthetic/text",),
}
"""The model that stops, or never ends, in that phase."""
WRITES = {"stage/before-head": 0, "stage/before-token": 1, "stage/mid-reply": 2, "stage/flowing": 3}
"""Socket writes of the provider after which the phase is reached."""
ENDINGS = ("fin", "half-close", "rst")
Case = tuple[str, str, bool, bool]
"""(phase, ending, stream, pipelined)"""
CASES: list[Case] = list(product(WRITES, ENDINGS, (False, True), (False, True)))


async def leave(client: Client, ending: str) -> None:
    """End the connection from the client's side."""
    sock = client.socket
    if ending == "half-close":
        sock.shutdown(socket.SHUT_WR)
        return
    if ending == "rst":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    await client.stream.aclose()


async def depart(r: Rig, case: Case, taken: list[float]) -> None:
    """One request that is left behind; adds the seconds until the provider's connection closed."""
    model, ending, stream, pipelined = case
    mark = f"{len(r.one.log)}-{trio.current_time()}"
    async with r.client() as client:
        data = post(chat_body(model, stream=stream, text=mark))
        await client.send(data + b"P" if pipelined else data)
        heard = await find(r, mark)
        while heard.pieces_sent < WRITES[model]:
            await trio.sleep(0.001)
        if model == "stage/mid-reply" and stream:
            while b'"content":"rows ' not in client.unread:
                client.unread += await client.stream.receive_some(65_536)
        else:
            await trio.sleep(0.005)
        left_at = trio.current_time()
        await leave(client, ending)
        with trio.move_on_after(2):
            await heard.closed.wait()
        assert "client" == heard.closed_by, case
        assert heard.t_closed is not None
        taken.append(heard.t_closed - left_at)


async def find(r: Rig, mark: str) -> Heard:
    """The provider's note of the request that holds `mark`."""
    with trio.fail_after(5):
        while True:
            for entry in reversed(r.one.log):
                if mark.encode() in entry.body:
                    return entry
            await trio.sleep(0.001)


async def depart_many(r: Rig, cases: Iterator[Case]) -> list[float]:
    """All of them, some at a time."""
    taken: list[float] = []

    async def one_after_the_other() -> None:
        for case in cases:
            await depart(r, case, taken)

    async with trio.open_nursery() as nursery:
        for _ in range(TOGETHER):
            nursery.start_soon(one_after_the_other)
    return sorted(taken)


def percentile(taken: list[float], share: float) -> float:
    return taken[min(int(len(taken) * share), len(taken) - 1)]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("phase", WRITES)
async def test_who_leaves_takes_the_request_along(phase: str, ending: str, stream: bool) -> None:
    """Every second one has sent a byte of a next request, behind which the FIN hides."""
    async with rig(PHASES) as r:
        cases = iter([(phase, ending, stream, turn % 2 == 1) for turn in range(40)])
        taken = await depart_many(r, cases)
        await r.quiet()

        assert 40 == len(taken)
        assert taken[-1] < 1.0
        assert percentile(taken, 0.5) < AT_ONCE_S
        assert 40 == sum(r.settled)
        delivered = stream and phase == "stage/mid-reply"
        if phase != "stage/flowing":
            assert ((40, 0) if delivered else (0, 40)) == r.settled
        assert 200 == (await r.chat("stage/honest", stream=True)).status


@pytest.mark.slow
async def test_of_a_thousand_departures_99_percent_reach_the_provider_within_100_ms() -> None:
    async with rig(PHASES) as r:
        cases = iter([CASES[turn % len(CASES)] for turn in range(1000)])
        taken = await depart_many(r, cases)
        await r.quiet()

        shown = {
            share: f"{percentile(taken, share) * 1e3:.1f} ms" for share in (0.5, 0.9, 0.99, 0.999)
        }
        print(f"\n1,000 departures: {shown}, longest {taken[-1] * 1e3:.1f} ms")
        assert 1000 == len(taken)
        assert percentile(taken, 0.99) <= AT_ONCE_S
        assert 1000 == sum(r.settled)
        assert 200 == (await r.chat("stage/honest")).status


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_departure_behind_a_long_pipeline_is_noticed(ending: str) -> None:
    """Nobody reads on behind a request in progress; a FIN or RST that arrived is noticed all the same."""
    async with rig(PHASES) as r, r.client() as client:
        await client.send(post(chat_body("stage/mid-reply", stream=True)) + b"P" * 30_000)
        await r.one.wait_served(1)
        await trio.sleep(0.05)
        left_at = trio.current_time()
        await leave(client, ending)
        with trio.fail_after(2):
            await r.one.log[0].closed.wait()
        assert (r.one.log[0].t_closed or 0) - left_at < AT_ONCE_S
        await r.quiet()


async def test_who_leaves_while_a_connection_is_made_is_forgotten_at_once() -> None:
    with unanswered_url() as url:
        async with rig({"a/m": ("x", "synthetic/text")}, urls={"one": url}) as r:
            async with r.client() as client:
                await client.send(post(chat_body("a/m")))
                while not r.ledger.held:
                    await trio.sleep(0.001)
                await client.stream.aclose()
                await r.quiet(within_s=0.2)
            assert (0, 1) == r.settled
            assert [] == r.two.log


async def test_who_leaves_between_two_attempts_starts_no_third() -> None:
    served: Served = {"a/m": ("fault/status-503", "fault/stall-before-headers")}
    async with rig(served) as r, r.client() as client:
        await client.send(post(chat_body("a/m", stream=True)))
        await r.two.wait_served(1)
        await client.stream.aclose()
        with trio.fail_after(1):
            await r.two.log[0].closed.wait()
        await r.quiet()
        assert (0, 1) == r.settled
        assert (1, 1) == (len(r.one.log), len(r.two.log))


async def test_who_leaves_before_the_body_is_sent_asks_no_provider() -> None:
    async with rig(PHASES) as r:
        data = post(chat_body("stage/honest"))
        for ending, cut in product(ENDINGS, (5, 60, len(data) - 1)):
            async with r.client() as client:
                await client.send(data[:cut])
                await leave(client, ending)
        assert 200 == (await r.chat("stage/honest")).status
        assert 1 == len(r.one.log)
        assert (1, 0) == r.settled


async def test_who_stops_reading_and_leaves_is_noticed_behind_what_is_unsent() -> None:
    async with rig({"a/big": ("big",)}) as r:
        r.one.script("big", Script(texts=("x" * 50_000,) * 1000))
        async with r.client() as client:
            await client.send(post(chat_body("a/big", stream=True)))
            await r.one.wait_served(1)
            await trio.sleep(0.3)
            left_at = trio.current_time()
            await leave(client, "rst")
            with trio.fail_after(2):
                await r.one.log[0].closed.wait()
            assert (r.one.log[0].t_closed or 0) - left_at < AT_ONCE_S
        await r.quiet()
        assert (1, 0) == r.settled


async def test_a_departure_is_counted() -> None:
    async with rig(PHASES) as r:
        await depart(r, ("stage/mid-reply", "fin", True, False), [])
        await r.quiet()
        reply = await r.raw(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET")

    (line,) = [
        line
        for line in reply.body.decode().splitlines()
        if "depart" in line and not line.startswith("#") and "_created" not in line
    ]
    assert 1.0 == float(line.split()[-1]), line


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("ending", ["reset", "connection"])
async def test_at_the_second_door_a_reset_stream_takes_its_request_along(
    ending: str, stream: bool
) -> None:
    async with rig(PHASES, door="h2") as r:
        async with r.client() as client:
            assert isinstance(client, H2Client)
            number = await client.send(post(chat_body("stage/mid-reply", stream=stream)))
            await r.one.wait_served(1)
            await trio.sleep(0.02)
            if ending == "reset":
                await client.reset(number)
                await r.quiet(0.1)
                assert 200 == (await client.ask(post(chat_body("stage/honest")))).status
        await r.quiet(0.1)
