"""GET /live, of gateways that run without a socket."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio

from proxy.catalog.loader import build_catalog
from proxy.config import parse_settings
from proxy.console.api.live import requests_of
from proxy.gateway import Gateway
from proxy.model.endpoint import Endpoint
from proxy.model.observation import Fault, Observation
from proxy.observe.statistics import Statistics
from proxy.server import running

KEY = "sk-hr-v1-0123456789abcdef0123456789abcdef"
MODEL = "hedgerow/sandbox"


class Asked:
    """A gateway, and whoever asks its console."""

    def __init__(self, gateway: Gateway, client: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.client = client
        endpoints = {e.id: e for m in gateway.catalog.models.values() for e in m.endpoints}
        self.fast, self.slow, self.flaky = (
            endpoints[f"sandbox/{tag}:{MODEL}"] for tag in ("fast", "slow", "flaky")
        )

    async def live(self, query: str = "", **headers: str) -> Any:
        reply = await self.client.get(f"/api/v1/live{query}", headers=headers)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    def ended(self, endpoint: Endpoint, fault: Fault = "none", **fields: Any) -> None:
        now = self.gateway.clock()
        self.gateway.live.observe(Observation(endpoint, now, fault, streamed=True, **fields))


@asynccontextmanager
async def asked(*, keys: frozenset[str] = frozenset(), **tables: Any) -> AsyncIterator[Asked]:
    settings = parse_settings({"server": {"data": ""}, **tables}, origin="the test")
    environ = {"ONE": "1", "TWO": "2"}
    catalog = build_catalog(settings, environ=environ)
    async with running(settings, catalog, keys=keys, environ=environ, listen=False) as run:
        transport = httpx.ASGITransport(app=run.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Asked(run.gateway, client)


async def test_only_endpoints_that_were_asked_are_shown_the_busiest_first() -> None:
    async with asked() as a:
        assert [] == (await a.live())["endpoints"]
        a.ended(a.slow, ttft_s=0.5, total_s=2.0, completion_tokens=50, completion_cost=60_000)
        for _ in range(3):
            a.ended(a.fast, ttft_s=0.1, total_s=1.0)

        first, second = (await a.live())["endpoints"]

        assert (a.fast.id, 3, 0.75) == (first["id"], first["requests_5m"], first["share_5m"])
        assert (a.slow.id, 1, 0.25) == (second["id"], second["requests_5m"], second["share_5m"])
        assert ("sandbox", "slow") == (second["id"].partition("/")[0], second["tag"])
        assert 0.5 == pytest.approx(second["ttft"]["p50"], rel=0.02)
        assert 25 == pytest.approx(second["throughput"]["p99"], rel=0.02)
        assert 2.0 == pytest.approx(second["total"]["p90"], rel=0.02)
        assert 1.2 == pytest.approx(second["completion_usd_per_million"])
        assert (1.0, {"none": 1}) == (
            second["success_5m"], {k: v for k, v in second["ends"].items() if v}
        )  # fmt: skip


async def test_a_model_is_shown_whole_by_any_of_its_names() -> None:
    async with asked() as a:
        for name in (MODEL, f"{MODEL}:nitro", "sandbox"):
            lines = (await a.live(f"?model={name}"))["endpoints"]
            assert {a.fast.id, a.slow.id, a.flaky.id} == {one["id"] for one in lines}
            assert {None} == {one["ttft"] for one in lines}

        assert 404 == (await a.client.get("/api/v1/live?model=no/such")).status_code


async def test_who_fails_rests_and_the_operator_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with asked() as a:
        for _ in range(a.gateway.settings.health.failures_max):
            a.ended(a.flaky, "endpoint")
        a.ended(a.slow, "rate_limit", retry_after_s=7.0)
        await trio.sleep(2)

        seen = await a.live()

        lines = {one["id"]: one for one in seen["endpoints"]}
        assert "resting" == lines[a.flaky.id]["state"]
        assert "breaker" == lines[a.flaky.id]["rest"]["reason"]
        assert 28.0 <= lines[a.flaky.id]["rest"]["seconds"] <= 37.0  # by the endpoint's own lot
        assert {"reason": "rate_limit", "seconds": 5.0} == lines[a.slow.id]["rest"]
        assert 0.0 == lines[a.flaky.id]["success_5m"]
        (alert,) = seen["alerts"]
        assert ("breaker", 2.0) == (alert["kind"], alert["ago_s"])
        assert a.flaky.id in alert["text"]
        assert 2.0 == seen["uptime_s"]

        await trio.sleep(40)
        assert "probing" == {
            one["id"]: one["state"] for one in (await a.live())["endpoints"]
        }[a.flaky.id]  # fmt: skip


async def test_an_endpoint_whose_provider_rests_is_shown_though_nobody_asked_it() -> None:
    async with asked() as a:
        now = a.gateway.clock()
        a.gateway.live.health.rest_provider("sandbox", now + 60)  # type: ignore[arg-type]

        states = {one["id"]: one["rest"]["reason"] for one in (await a.live())["endpoints"]}

        assert "credential" == states[a.fast.id]


async def test_the_retry_budget_shrinks_as_it_is_used() -> None:
    async with asked(retries={"budget_share": 0.5, "budget_per_s": 2.0}) as a:
        budget = {"left": 20, "share": 0.5, "per_s": 2.0}
        assert budget == (await a.live())["retry_budget"]
        a.gateway.live.affordable()

        assert {**budget, "left": 19} == (await a.live())["retry_budget"]


async def test_arms_are_told_with_what_their_requests_came_to() -> None:
    async with asked() as a:
        spent = Observation(
            a.fast, a.gateway.clock(), streamed=True, ttft_s=0.25, total_s=1.0, completion_cost=3_000_000
        )  # fmt: skip
        a.gateway.live.arms.finished("mini/a", "gen-1", spent)
        a.gateway.live.arms.finished("mini/a", "gen-2", None)

        (told,) = (await a.live())["experiments"]

        assert ("mini", "a", 2, 1) == (
            told["experiment"], told["arm"], told["requests"], told["errors"]
        )  # fmt: skip
        assert (1, 0.003) == (told["answers"], told["cost_usd"])
        assert 0.25 == pytest.approx(told["ttft"]["p50"], rel=0.02)


async def test_keys_are_named_by_their_place_and_never_shown() -> None:
    provider = {
        "base_url": "https://acme.test/v1",
        "credentials": [{"key": "env:ONE", "rpm": 5}, {"key": "env:TWO"}],
    }
    async with asked(providers={"acme": provider}) as a:
        seen = await a.live()

    assert ["acme#1", "acme#2"] == [one["label"] for one in seen["credentials"]]
    assert [(0, 0, None)] == [
        (one["in_progress"], one["requests_60s"], one["rest"]) for one in seen["credentials"][:1]
    ]


async def test_where_there_are_keys_only_who_has_one_is_told() -> None:
    async with asked(keys=frozenset({hashlib.sha256(KEY.encode()).hexdigest()})) as a:
        without = await a.client.get("/api/v1/live")
        wrong = await a.client.get("/api/v1/live", headers={"authorization": "Bearer nope"})

        assert (401, 401) == (without.status_code, wrong.status_code)
        assert (await a.live(authorization=f"Bearer {KEY}"))["endpoints"] == []


async def test_nobody_keeps_a_copy() -> None:
    async with asked() as a:
        assert "no-store" == (await a.client.get("/v1/live")).headers["cache-control"]


def test_requests_are_those_of_the_metrics() -> None:
    statistics = Statistics()
    for status, stream in ((200, True), (200, False), (404, False), (502, True)):
        statistics.request_finished(status=status, stream=stream, overhead_s=0.0, ttft_s=None)
    statistics.stream_opened()
    for _ in range(3):
        statistics.connection_opened()

    found = requests_of(statistics)

    assert (4, {"2xx": 2, "4xx": 1, "5xx": 1}) == (found.total, found.by_status)
    assert (1, 3) == (found.streams_open, found.connections_open)
