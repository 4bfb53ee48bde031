"""More requests than connections: they wait in order, each up to its deadline, and no longer."""

import contextlib
import socket
from typing import Any

import pytest
import trio

from proxy.config.settings import LimitSettings, Settings
from proxy.model.outcome import Opened
from proxy.net.addresses import Resolver
from proxy.net.pool import Upstreams
from proxy.stages.attempt import Attempt
from tests.fakes.downstream import a_gateway
from tests.fakes.fault import Fault
from tests.fakes.replay import serve_replay
from tests.fakes.scripts import TEXTS
from tests.fakes.things import a_call, a_provider, an_endpoint
from tests.rig import SHORT, Reply, rig

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
STALLED = "fault/stall-before-headers"


async def ask_all(r: Any, models: list[str], stream: bool) -> list[Reply]:
    """Ask at once, in this order; the replies in the same order."""
    replies: dict[int, Reply] = {}

    async def one(place: int, model: str) -> None:
        replies[place] = await r.chat(model, stream=stream)

    async with trio.open_nursery() as nursery:
        for place, model in enumerate(models):
            nursery.start_soon(one, place, model)
    await r.quiet()
    assert 0 == sum(pool.waiting for pool in r.gateway.upstreams.pools())
    return [replies[place] for place in range(len(models))]


@pytest.mark.parametrize("stream", [True, False])
async def test_at_the_cap_requests_wait_and_all_are_served(stream: bool) -> None:
    limits = {"upstream_connections_max": 2}
    async with rig({"a/m": (GOOD,)}, limits=limits, pacing="delay_s=0.001") as r:
        replies = await ask_all(r, ["a/m"] * 20, stream)

        assert [TEXT] * 20 == [reply.text for reply in replies]
        assert 2 == r.one.connections, "waiting cost connections"


async def test_a_connection_that_dies_leaves_its_place_to_the_next() -> None:
    limits = {"upstream_connections_max": 1}
    async with rig({"a/m": ("m",)}, limits=limits, timeouts=SHORT) as r:
        r.one.script("m", GOOD, Fault("reset-mid-body"), GOOD, Fault("close-mid-body"), GOOD)
        replies = await ask_all(r, ["a/m"] * 8, stream=False)

    assert [200] * 6 + [502] * 2 == sorted(reply.status for reply in replies)


async def test_over_the_bound_and_after_the_deadline_they_are_shed() -> None:
    limits = {"upstream_connections_max": 1, "upstream_waiters_max": 2}
    served = {"a/m": (GOOD,), "a/slow": (STALLED,)}
    async with rig(served, limits=limits, timeouts={**SHORT, "first_token": 1, "total": 1}) as r:
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.chat, "a/slow")
            await r.one.wait_served(1)
            replies = await ask_all(r, ["a/m"] * 5, stream=False)
            took = trio.current_time() - started
            nursery.cancel_scope.cancel()
        shed = [reply.error["message"] for reply in replies]

        assert [503] * 5 == [reply.status for reply in replies]
        assert 3 == sum("More than 2 requests wait" in message for message in shed)
        assert 2 == sum("became free in time" in message for message in shed)
        assert SHORT["connect"] <= took < 2
        assert TEXT == (await r.chat("a/m")).text


async def test_who_cannot_wait_is_served_by_another_provider() -> None:
    limits = {"upstream_connections_max": 1, "upstream_waiters_max": 1}
    served = {"a/m": (GOOD, GOOD), "a/slow": (STALLED,)}
    async with rig(served, limits=limits, timeouts={**SHORT, "connect": 0.1}) as r:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.chat, "a/slow")
            await r.one.wait_served(1)
            replies = [await r.chat("a/m"), await r.chat("a/m", stream=True)]
            nursery.cancel_scope.cancel()

        assert ["two:a/m"] * 2 == [reply.headers["x-hedgerow-endpoint"] for reply in replies]


async def test_clients_that_leave_while_they_wait_make_room() -> None:
    limits = {"upstream_connections_max": 1, "upstream_waiters_max": 3}
    served = {"a/m": (GOOD,), "a/slow": (STALLED,)}
    async with rig(served, limits=limits, timeouts={**SHORT, "connect": 5, "total": 0.5}) as r:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.chat, "a/slow")
            await r.one.wait_served(1)
            pool = r.gateway.upstreams.pools()[0]
            async with trio.open_nursery() as leaving:
                for _ in range(3):
                    leaving.start_soon(r.chat, "a/m")
                with trio.fail_after(1):
                    while pool.waiting < 3:
                        await trio.sleep(0.001)
                leaving.cancel_scope.cancel()
            with trio.fail_after(1):
                while pool.waiting:
                    await trio.sleep(0.001)
            assert TEXT == (await r.chat("a/m")).text
            nursery.cancel_scope.cancel()
        await r.quiet()


async def test_a_reused_connection_that_died_is_replaced_by_a_fresh_one_though_others_are_idle() -> (
    None
):
    """An idle one may have died of the same cause; the second failure would be the client's."""
    async with rig({"a/m": ("m",)}, timeouts=SHORT) as r:
        r.one.script("m", GOOD)
        await ask_all(r, ["a/m"] * 3, stream=False)
        idle = r.gateway.upstreams.pools()[0].idle
        before = r.one.connections
        assert idle >= 2
        r.one.script("m", Fault("reset-before-headers"), GOOD)
        reply = await r.chat("a/m")

        assert (TEXT, "1") == (reply.text, reply.headers["x-hedgerow-attempts"])
        assert before + 1 == r.one.connections
        assert before + 1 == r.one.log[-1].connection_id
        pool = r.gateway.upstreams.pools()[0]
        assert (idle, idle) == (pool.idle, pool.open)


async def test_it_is_replaced_at_the_cap_too_without_waiting() -> None:
    limits = {"upstream_connections_max": 1}
    async with rig({"a/m": ("m",)}, limits=limits, timeouts=SHORT) as r:
        r.one.script("m", GOOD, Fault("reset-before-headers"), GOOD)
        replies = await ask_all(r, ["a/m"] * 3, stream=False)

    assert [TEXT] * 3 == [reply.text for reply in replies]


# --- addresses -------------------------------------------------------------------------------------
async def test_an_address_that_swallows_everything_costs_a_head_start_once() -> None:
    """A name with a dead IPv6 address and a living IPv4 one, as on many a broken network."""
    clock: Any = trio.current_time
    limits = LimitSettings()
    async with serve_replay() as replay:
        port = int(replay.url.rpartition(":")[2])
        with contextlib.ExitStack() as stack:
            hole = stack.enter_context(socket.socket(socket.AF_INET6))
            hole.bind(("::1", port))
            hole.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket(socket.AF_INET6))
                waiting.setblocking(False)
                waiting.connect_ex(("::1", port))
            upstreams = Upstreams(str, clock=clock, diallers={}, limits=limits, environ={})
            upstreams._resolver = Resolver(
                lambda host, port: [
                    (socket.AF_INET, ("127.0.0.1", port)),
                    (socket.AF_INET6, ("::1", port, 0, 0)),
                ]
            )
            provider = a_provider(base_url=f"http://two.homes.test:{port}/v1")
            endpoint = an_endpoint(provider, upstream_model=GOOD)
            gateway = a_gateway(upstreams=upstreams, settings=Settings(limits=limits))
            took = []
            for _ in range(3):
                started = trio.current_time()
                attempt = Attempt(a_call(stream=False), endpoint, gateway)
                while (result := await attempt.drive()) is None:
                    pass
                took.append(trio.current_time() - started)
                assert isinstance(result, Opened)
                upstreams.close()  # so that each dials anew

    assert 0.25 <= took[0] < 0.5
    assert max(took[1:]) < 0.1, "the family that won was forgotten"
