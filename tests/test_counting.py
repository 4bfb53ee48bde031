"""A count is an estimate of a request that is checked like any other; nothing is charged."""

import json
from typing import Any

import pytest

from tests.fakes.messages_scripts import COUNTED
from tests.rig import SHORT, Rig, head, rig

SERVED = {"a/m": ("synthetic/text",)}
COUNT = "/api/v1/messages/count_tokens"


def asked(path: str = COUNT, **fields: Any) -> bytes:
    body = {"model": "a/m", "messages": [{"role": "user", "content": "hi " * 100}], **fields}
    data = json.dumps(body).encode()
    return head("POST", path, f"Content-Length: {len(data)}") + data


async def test_a_request_is_counted_without_asking_a_provider() -> None:
    async with rig(SERVED) as r:
        reply = await r.raw(asked())
        longer = await r.raw(asked(path="/v1/messages/count_tokens", system="s" * 4000))

        assert (200, [], (0, 0)) == (reply.status, r.one.log, r.settled)
        assert 50 < reply.json["input_tokens"] < 150
        assert longer.json["input_tokens"] - reply.json["input_tokens"] > 900


async def test_a_provider_of_the_dialect_is_asked_and_nothing_is_charged() -> None:
    async with rig(SERVED, provider={"dialect": "anthropic-messages"}) as r:
        reply = await r.raw(asked(max_tokens=5, stream=True))
        (heard,) = r.one.log

        assert {"input_tokens": COUNTED} == reply.json
        assert "/v1/messages/count_tokens" == heard.path
        assert {"model", "messages"} == set(json.loads(heard.body))
        assert (0, 0) == r.settled
        await r.quiet()


@pytest.mark.parametrize("fault", ["status-500", "reset-before-headers", "garbage-instead", "html"])
async def test_where_the_provider_fails_it_is_our_estimate(fault: str) -> None:
    provider = {"dialect": "anthropic-messages"}
    async with rig({"a/m": (f"fault/{fault}",)}, provider=provider, timeouts=SHORT) as r:
        reply = await r.raw(asked())

        assert 200 == reply.status
        assert 50 < reply.json["input_tokens"] < 150
        await r.quiet()


async def test_where_no_connection_is_to_be_had_it_is_our_estimate() -> None:
    limits = {"upstream_connections_max": 1, "upstream_waiters_max": 1}
    async with rig(
        {"a/m": ("fault/stall-before-headers",)}, provider={"dialect": "anthropic-messages"},
        limits=limits, timeouts={**SHORT, "connect": 0.2, "total": 1.5},
    ) as r, r.client() as busy:  # fmt: skip
        await busy.send(asked())
        await r.one.wait_served(1)
        reply = await r.raw(asked())

        assert 200 == reply.status
        assert 50 < reply.json["input_tokens"] < 150
        assert 200 == (await busy.read()).status
        await r.quiet()


async def test_where_the_provider_refuses_the_request_the_client_is_told() -> None:
    provider = {"dialect": "anthropic-messages"}
    async with rig({"a/m": ("fault/status-400",)}, provider=provider) as r:
        await refused(r, {}, 400, "invalid_request_error")


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"model": "no/such"}, 400, "invalid_request_error"),
        ({"messages": "hi"}, 400, "invalid_request_error"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            400,
            "invalid_request_error",
        ),
    ],
)
async def test_what_cannot_be_asked_cannot_be_counted(
    fields: dict[str, Any], status: int, kind: str
) -> None:
    async with rig(SERVED) as r:
        await refused(r, fields, status, kind)


async def refused(r: Rig, fields: dict[str, Any], status: int, kind: str) -> None:
    reply = await r.raw(asked(**fields))

    assert status == reply.status
    assert ("error", kind) == (reply.json["type"], reply.json["error"]["type"])


async def test_a_count_needs_a_key_where_keys_are_needed() -> None:
    async with rig(SERVED, keys=("0" * 64,)) as r:
        await refused(r, {}, 401, "authentication_error")
