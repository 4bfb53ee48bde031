"""A provider with several keys: turns, rests and limits, as seen by clients and by the provider itself."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import trio

from tests.fakes.fault import Fault
from tests.fakes.replay import Replay
from tests.fakes.reply import Reply
from tests.fakes.scripts import TEXTS
from tests.rig import LANE, SHORT, chat_body, post

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
STALLED = "fault/stall-before-headers"
SECRETS = {"KEY_A": "sk-secret-a", "KEY_B": "sk-secret-b"}
RigOf = Callable[..., Any]


def keys(*limits: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Arguments of the rig: keys A and B, as many as there are limits."""
    names = ("KEY_A", "KEY_B")
    said = [{"key": f"env:{name}", **one} for name, one in zip(names, limits, strict=False)]
    return {"provider": {"credentials": said, **fields}, "environ": SECRETS, "timeouts": SHORT}


def asked_with(replay: Replay) -> str:
    """The last letter of the key of each request."""
    sent = [{n.lower(): v for n, v in one.headers} for one in replay.log]
    assert {"Bearer sk-secret-"} >= {fields["authorization"][:-1] for fields in sent}
    return "".join(fields["authorization"][-1] for fields in sent)


def in_progress(r: Any) -> int:
    rings = r.gateway.upstreams.keyrings().values()
    assert 0 == sum(ring.waiting for ring in rings)
    return sum(key.in_progress for ring in rings for key in ring.statistics())


async def wait_for(condition: Callable[[], object]) -> None:
    with trio.fail_after(2):
        while not condition():
            await trio.sleep(0.002)


async def test_keys_take_turns_by_weight(rig: RigOf) -> None:
    async with rig({"a/m": (GOOD,)}, **keys({"weight": 2}, {})) as r:
        replies = [await r.chat("a/m", stream=stream) for stream in (True, False) * 3]

        assert [TEXT] * 6 == [reply.text for reply in replies]
        assert "abaaba" == asked_with(r.one)
        await r.quiet()
        assert 0 == in_progress(r)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_429_moves_the_request_to_another_key_within_the_attempt(
    rig: RigOf, stream: bool
) -> None:
    async with rig({"a/m": ("m", GOOD)}, **keys({}, {})) as r:
        r.one.script("m", Fault("status", status=429, retry_after="30"), GOOD)
        first = await r.chat("a/m", stream=stream)
        later = [await r.chat("a/m", stream=stream) for _ in range(3)]

        assert (TEXT, "1", "one:a/m") == (
            first.text,
            first.headers["x-hedgerow-attempts"],
            first.headers["x-hedgerow-endpoint"],
        )
        assert [TEXT] * 3 == [reply.text for reply in later]
        assert ("abbbb", "") == (asked_with(r.one), asked_with(r.two))
        assert {} == dict(r.gateway.live.health.resting), "the endpoint was blamed"
        await r.quiet()
        assert 0 == in_progress(r)


@pytest.mark.parametrize("status", [401, 402])
async def test_a_refused_key_rests_with_one_warning_and_the_others_serve(
    rig: RigOf, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig({"a/m": ("m",)}, **keys({}, {})) as r:
        r.one.script("m", Fault("status", status=status), GOOD)
        with caplog.at_level(logging.DEBUG, "hedgerow"):
            replies = [await r.chat("a/m") for _ in range(4)]
        warned = [record.getMessage() for record in caplog.records if "alert" in record.message]

        assert [TEXT] * 4 == [reply.text for reply in replies]
        assert "abbbb" == asked_with(r.one)
        assert 1 == len(warned)
        assert "one#1" in warned[0]
        assert "secret" not in caplog.text


async def test_a_key_that_may_not_use_one_model_does_not_rest(rig: RigOf) -> None:
    async with rig({"a/m": ("m",)}, **keys({}, {})) as r:
        r.one.script("m", Fault("status", status=403), GOOD, Fault("status", status=403), GOOD)
        replies = [await r.chat("a/m") for _ in range(2)]

        assert [TEXT] * 2 == [reply.text for reply in replies]
        assert "abab" == asked_with(r.one)
        assert [None, None] == [
            one.reason for one in r.gateway.upstreams.keyrings()["one"].statistics()
        ]


async def test_a_provider_whose_keys_all_rest_is_left_alone_while_another_serves(
    rig: RigOf,
) -> None:
    async with rig({"a/m": ("m", GOOD)}, **keys({}, {})) as r:
        r.one.script("m", Fault("status", status=401))
        replies = [await r.chat("a/m") for _ in range(4)]

        assert ["two:a/m"] * 4 == [reply.headers["x-hedgerow-endpoint"] for reply in replies]
        assert "ab" == asked_with(r.one)
        assert ["one"] == list(r.gateway.live.health.resting)


async def test_a_single_key_that_is_refused_rests_its_provider(rig: RigOf) -> None:
    settings: Any = {"provider": {"api_key": "env:KEY_A"}, "environ": SECRETS}
    async with rig({"a/m": ("m", GOOD)}, **settings) as r:
        r.one.script("m", Fault("status", status=401))
        replies = [await r.chat("a/m") for _ in range(3)]

        assert ["two:a/m"] * 3 == [reply.headers["x-hedgerow-endpoint"] for reply in replies]
        assert ("a", "aaa") == (asked_with(r.one), asked_with(r.two))
        assert "one" in r.gateway.live.health.resting


@LANE
async def test_who_waits_for_a_key_is_served_in_order_of_arrival_and_one_at_a_time(
    rig: RigOf,
) -> None:
    settings = keys({"max_concurrency": 1})
    settings["timeouts"] = {**SHORT, "connect": 5}
    async with rig({"a/m": ("echo",)}, **settings, pacing="delay_s=0.005") as r:
        ring = r.gateway.upstreams.keyrings()["one"]
        replies: dict[int, Reply] = {}

        async def one(place: int) -> None:
            replies[place] = await r.chat("a/m", stream=bool(place % 2), text=f"number {place}")

        async with trio.open_nursery() as nursery:
            for place in range(8):
                nursery.start_soon(one, place)
                await wait_for(lambda count=place: len(r.one.log) + ring.waiting == count + 1)
        await r.quiet()

        assert [f"number {place}" for place in range(8)] == [replies[p].text for p in range(8)]
        assert [b"number %d" % place in r.one.log[place].body for place in range(8)] == [True] * 8
        ends = [served.t_done or 0 for served in r.one.log]
        assert all(end <= later.t_start for end, later in zip(ends, r.one.log[1:], strict=False))
        assert 0 == in_progress(r)


async def test_too_many_and_those_in_vain_get_a_clear_429_while_neighbours_go_on(
    rig: RigOf,
) -> None:
    settings = keys({"max_concurrency": 1}, credential_waiters_max=2)
    served = {"a/slow": (STALLED,), "a/m": (GOOD,), "a/both": (GOOD, GOOD)}
    async with rig(served, **settings) as r:
        ring = r.gateway.upstreams.keyrings()["one"]
        replies: list[Reply] = []

        async def one() -> None:
            replies.append(await r.chat("a/m"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.chat, "a/slow")
            await r.one.wait_served(1)
            async with trio.open_nursery() as waiting:
                waiting.start_soon(one)
                waiting.start_soon(one)
                await wait_for(lambda: ring.waiting == 2)
                full = await r.chat("a/m")
                neighbour = await r.chat("a/both")
            nursery.cancel_scope.cancel()

        assert ("two:a/both", TEXT) == (neighbour.headers["x-hedgerow-endpoint"], neighbour.text)
        assert "More than 2 requests wait for a key" in full.error["message"]
        assert ["in time"] * 2 == [reply.error["message"][-8:-1] for reply in replies]
        for reply in (full, *replies):
            assert (429, "1") == (reply.status, reply.headers["retry-after"])
            assert "gateway_provider_credentials" == reply.error["metadata"]["limit_source"]
            assert b"secret" not in reply.body
        await r.quiet()
        assert 0 == in_progress(r)
        assert {} == dict(r.gateway.live.health.resting)


async def test_no_more_requests_are_sent_in_a_minute_than_may_be(rig: RigOf) -> None:
    async with rig({"a/m": (GOOD,)}, **keys({"rpm": 3}, {"rpm": 2})) as r:
        replies: list[Reply] = []

        async def one() -> None:
            replies.append(await r.chat("a/m", stream=True))

        async with trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(one)

        assert {200: 5, 429: 4} == Counter(reply.status for reply in replies)
        assert {"a": 3, "b": 2} == Counter(asked_with(r.one))
        waits = {int(one.headers["retry-after"]) for one in replies if one.status == 429}
        assert waits <= {59, 60, 61}


async def test_the_output_cap_counts_against_tokens_per_minute(rig: RigOf) -> None:
    async with rig({"a/m": (GOOD,)}, **keys({"tpm": 1000})) as r:
        served = await r.chat("a/m", max_tokens=900)
        late = await r.chat("a/m", max_tokens=900)
        never = await r.chat("a/m", max_tokens=2000)

        assert [200, 429, 429] == [served.status, late.status, never.status]
        assert "more tokens than any key" in never.error["message"]
        assert 1 == len(r.one.log)


async def test_a_stream_holds_its_key_until_its_end_and_a_client_that_leaves_gives_it_back(
    rig: RigOf,
) -> None:
    async with rig({"a/m": (GOOD,)}, **keys({"max_concurrency": 1}), pacing="delay_s=0.05") as r:
        ring = r.gateway.upstreams.keyrings()["one"]
        async with r.client() as client:
            await client.send(post(chat_body("a/m", stream=True)))
            await r.one.wait_served(1)
            await wait_for(lambda: r.one.log[0].pieces_sent > 2)
            assert 1 == in_progress(r)
        await wait_for(lambda: not ring.statistics()[0].in_progress)
        assert r.one.log[0].t_done is None
        await r.quiet()


async def test_clients_that_leave_while_they_wait_for_a_key_make_room(rig: RigOf) -> None:
    settings = keys({"max_concurrency": 1}, credential_waiters_max=3)
    settings["timeouts"] = {**SHORT, "connect": 5, "total": 1}
    async with rig({"a/m": (GOOD,), "a/slow": (STALLED,)}, **settings) as r:
        ring = r.gateway.upstreams.keyrings()["one"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.chat, "a/slow")
            await r.one.wait_served(1)
            async with trio.open_nursery() as leaving:
                for _ in range(3):
                    leaving.start_soon(r.chat, "a/m")
                await wait_for(lambda: ring.waiting == 3)
                leaving.cancel_scope.cancel()
            await wait_for(lambda: ring.waiting == 0)
            assert TEXT == (await r.chat("a/m")).text
            nursery.cancel_scope.cancel()
        await r.quiet()
        assert 0 == in_progress(r)
