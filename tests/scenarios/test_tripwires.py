"""Each policy stage stands on the way of every surface: bypass it, and a check here turns red."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from proxy import exchange
from proxy.stages.authorize import OPEN
from proxy.stages.receive import receive
from tests.rig import head, rig

SERVED = {"a/m": ("synthetic/text",), "a/stall": ("fault/stall-mid-body",)}
KEYED = {"keys": ("0" * 64,)}
SURFACES = {
    "chat": ("/api/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "completions": ("/api/v1/completions", {"prompt": "hi"}),
    "messages": (
        "/api/v1/messages",
        {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
    ),
}
BODY_BYTES_MAX = 4096
Check = Callable[[str], Awaitable[None]]


def asked(surface: str, model: str = "a/m", **fields: Any) -> bytes:
    path, body = SURFACES[surface]
    data = json.dumps({"model": model, **body, **fields}).encode()
    return head("POST", path, f"Content-Length: {len(data)}") + data


async def check_authorize(surface: str) -> None:
    async with rig(SERVED, **KEYED) as r:
        reply = await r.raw(asked(surface))
        assert (401, []) == (reply.status, r.one.log)


async def check_limits(surface: str) -> None:
    async with rig(SERVED, limits={"body_bytes_max": BODY_BYTES_MAX}) as r:
        reply = await r.raw(asked(surface, user="x" * BODY_BYTES_MAX))
        assert (413, []) == (reply.status, r.one.log)


async def check_hold(surface: str) -> None:
    async with rig(SERVED) as r, r.client() as client:
        await client.send(asked(surface, "a/stall", stream=True))
        await r.one.wait_served(1)
        assert 1 == len(r.ledger.held), "served without money aside"


async def check_settle(surface: str) -> None:
    async with rig(SERVED, complaints=False) as r:
        for stream in (False, True):
            await r.raw(asked(surface, stream=stream))
        await trio.sleep(0.05)
        assert ((2, 0), {}) == (r.settled, dict(r.ledger.held))


CHECKS: dict[str, Check] = {
    "authorize": check_authorize,
    "receive": check_limits,
    "hold": check_hold,
    "settle": check_settle,
}


async def unlimited(downstream: Any, gateway: Any, *route: Any) -> Any:
    class Unlimited:
        def __getattr__(self, name: str) -> Any:
            return getattr(downstream, name)

        async def body(self, _bytes_max: int) -> bytes:
            return bytes(await downstream.body(1 << 40))

    return await receive(Unlimited(), gateway, *route)  # type: ignore[arg-type]


async def unsettled(*_: Any) -> None:
    await trio.lowlevel.checkpoint()


def unheld(caller: Any, planned: Any, gateway: Any) -> Any:
    held = REAL_HOLD(caller, planned, gateway)
    gateway.ledger.void(held, "left")
    return held


REAL_HOLD = exchange.hold
BYPASSES: dict[str, Any] = {
    "authorize": lambda *_: OPEN,
    "receive": unlimited,
    "hold": unheld,
    "settle": unsettled,
}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stage", CHECKS)
async def test_a_stage_stands_in_the_way(stage: str, surface: str) -> None:
    await CHECKS[stage](surface)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stage", CHECKS)
async def test_without_the_stage_its_check_turns_red(
    stage: str, surface: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, stage, BYPASSES[stage])
    red = False
    try:
        await CHECKS[stage](surface)
    except* AssertionError:
        red = True
    except* Exception:  # noqa: BLE001, S110 - what else breaks where a stage is missing is no proof
        pass

    assert red


def test_every_check_has_its_bypass() -> None:
    assert set(CHECKS) == set(BYPASSES)
