"""A plan, explained without anybody being asked."""

import json
from typing import Any

import httpx
import pytest
import trio

from tests.rig import Rig, rig as make_rig

KEY_HASH = "0" * 64


async def ask(r: Rig, document: Any, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=r.url) as client:
        with trio.fail_after(5):
            return await client.post(
                "/api/v1/explain", content=json.dumps(document), headers=headers
            )


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "a/m", "messages": [{"role": "user", "content": "hi"}], **fields}


async def test_every_endpoint_is_told_with_its_place_or_why_it_is_out() -> None:
    async with make_rig({"a/m": ("m", "m")}) as r:
        told = (await ask(r, asked(provider={"ignore": ["one"]}))).json()["data"]

    assert ("a/m", "direct", None) == (told["requested"], told["strategy"], told["error"])
    assert [("two:a/m", 1, True, []), ("one:a/m", None, False, ["in provider.ignore"])] == [
        (c["endpoint"], c["place"], c["selected"], c["out"]) for c in told["candidates"]
    ]
    assert [] == r.one.log + r.two.log


async def test_a_request_that_would_be_refused_is_explained_with_the_error() -> None:
    async with make_rig({"a/m": ("m",)}) as r:
        reply = await ask(r, asked(provider={"max_price": {"prompt": 0.5}}))

    told = reply.json()["data"]
    assert 200 == reply.status_code
    assert 404 == told["error"]["code"]
    assert ["prompt costs $1 per million (provider.max_price)"] == told["candidates"][0]["out"]


async def test_an_experiment_is_told_by_the_name_that_was_asked() -> None:
    experiments = {"try": {"arms": [{"model": "a/m"}]}}
    async with make_rig({"a/m": ("m",)}, experiments=experiments) as r:
        told = (await ask(r, asked(model="split/try"))).json()["data"]

    assert ("split/try", "split") == (told["requested"], told["strategy"])


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (asked(model="no/such"), 400),
        (asked(provider={"order": "one"}), 400),
        ([], 400),
    ],
)
async def test_a_malformed_request_is_refused_as_the_real_one_would_be(
    document: Any, status: int
) -> None:
    async with make_rig({"a/m": ("m",)}) as r:
        assert status == (await ask(r, document)).status_code


async def test_where_there_are_keys_one_is_needed() -> None:
    async with make_rig({"a/m": ("m",)}, keys=[KEY_HASH]) as r:
        assert 401 == (await ask(r, asked())).status_code
