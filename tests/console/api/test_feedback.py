"""POST /generation/feedback."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from proxy.console.api.feedback import routes
from proxy.console.api.replies import error_reply
from proxy.errors import HedgerowError
from proxy.gateway import Gateway
from proxy.live.arms import Arms

KEY = "sk-hr-v1-0123456789abcdef0123456789abcdef"
ACCOUNT = hashlib.sha256(KEY.encode()).hexdigest()
BEARER = {"authorization": f"Bearer {KEY}"}


@dataclass
class Judge:
    """Arms with two generations, and a client that may judge them."""

    client: httpx.AsyncClient
    arms: Arms = field(default_factory=Arms)

    async def send(self, body: Any, **headers: str) -> httpx.Response:
        return await self.client.post("/generation/feedback", json=body, headers=headers)


async def told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HedgerowError)
    return error_reply(error)


@pytest.fixture(params=["open", "keys"])
async def judge(request: pytest.FixtureRequest) -> AsyncIterator[Judge]:
    keyed = request.param == "keys"
    arms = Arms()
    arms.finished("tone/a/x", "gen-1", None, account=ACCOUNT if keyed else "open")
    arms.finished("tone/a/x", "gen-2", None, account="somebody else")
    keys = frozenset({ACCOUNT}) if keyed else frozenset()
    gateway = cast("Gateway", SimpleNamespace(keys=keys, live=SimpleNamespace(arms=arms)))
    app = Starlette(routes=routes(gateway), exception_handlers={HedgerowError: told})
    transport = httpx.ASGITransport(app=app)
    headers = BEARER if keyed else {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://hedgerow.test", headers=headers
    ) as client:
        yield Judge(client, arms)


async def test_a_score_or_a_category_is_enough(judge: Judge) -> None:
    bodies: list[dict[str, Any]] = [
        {"generation_id": "gen-1", "category": "incorrect_response", "comment": "no"},
        {"generation_id": "gen-1", "score": 0.5, "category": None},
        {"generation_id": "gen-1", "score": 1, "category": "latency", "comment": "", "more": [1]},
    ]
    for body in bodies:
        reply = await judge.send(body)
        assert (200, {"data": {"success": True}}) == (reply.status_code, reply.json())

    (found,) = judge.arms.results()
    assert (1, 1.0, 1) == (found.scores, found.score_sum, found.comments)
    assert {"incorrect_response": 1, "latency": 1} == found.categories


@pytest.mark.parametrize("generation", ["gen-3", "gen-2"])
async def test_a_generation_that_is_unknown_or_somebody_elses_is_missing(
    judge: Judge, generation: str
) -> None:
    reply = await judge.send({"generation_id": generation, "score": 1})

    assert (404, "not_found") == (
        reply.status_code, reply.json()["error"]["metadata"]["error_type"],
    )  # fmt: skip
    assert 0 == judge.arms.results()[0].scores


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "generation_id"),
        ({"score": 1}, "generation_id"),
        ({"generation_id": "", "score": 1}, "generation_id"),
        ({"generation_id": "g" * 129, "score": 1}, "generation_id"),
        ({"generation_id": 3, "score": 1}, "generation_id"),
        ({"generation_id": "gen-1"}, "category"),
        ({"generation_id": "gen-1", "comment": "hm"}, "category"),
        ({"generation_id": "gen-1", "category": "nice"}, "category"),
        ({"generation_id": "gen-1", "score": 1.01}, "score"),
        ({"generation_id": "gen-1", "score": -0.1}, "score"),
        ({"generation_id": "gen-1", "score": True}, "score"),
        ({"generation_id": "gen-1", "score": "1"}, "score"),
        ({"generation_id": "gen-1", "score": 1, "comment": "x" * 4097}, "comment"),
        ({"generation_id": "gen-1", "score": 1, "comment": ["x"]}, "comment"),
    ],
)
async def test_unusable_feedback_is_refused_with_the_fields_name(
    judge: Judge, body: Any, named: str
) -> None:
    reply = await judge.send(body)
    error = reply.json()["error"]

    assert (400, named) == (reply.status_code, error["metadata"]["field"])
    assert named in error["message"]
    assert 0 == judge.arms.results()[0].scores


async def test_what_is_no_json_object_is_refused(judge: Judge) -> None:
    for content in (b"", b"{", b"[]", b"\xff"):
        reply = await judge.client.post("/generation/feedback", content=content)
        assert 400 == reply.status_code


async def test_where_there_are_keys_one_is_needed(judge: Judge) -> None:
    keyed = "authorization" in judge.client.headers
    for value in ("", "Bearer wrong"):
        reply = await judge.send({"generation_id": "gen-1", "score": 1}, authorization=value)
        assert (401 if keyed else 200) == reply.status_code


async def test_other_methods_are_not_allowed(judge: Judge) -> None:
    assert 405 == (await judge.client.get("/generation/feedback")).status_code
