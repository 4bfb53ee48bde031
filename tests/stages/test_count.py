"""A count is an estimate of a request that is checked like any other; nothing is charged."""

import json
from typing import Any

import pytest

from tests.rig import Rig, head, rig

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
