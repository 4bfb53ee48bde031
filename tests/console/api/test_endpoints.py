"""GET /model/{author}/{slug} and /models/{author}/{slug}/endpoints."""

from types import SimpleNamespace
from typing import Any

import pytest

from proxy.config.settings import HealthSettings
from proxy.console.api.endpoints import status_of
from proxy.live.board import Board
from proxy.live.health import Health
from proxy.model.endpoint import Model
from proxy.model.observation import Observation
from proxy.model.standing import Rest, Snapshot
from proxy.units import Seconds

Console = Any
NOW = Seconds(50.0)
FIGURES = ("latency_last_30m", "throughput_last_30m")


def lively(console: Console) -> Console:
    """A console whose gateway sees the present."""
    board, health = Board(), Health(HealthSettings(), {})
    snapshot = Snapshot(board.standings, health.troubled, health.resting)
    console.gateway.live = SimpleNamespace(board=board, health=health, snapshot=snapshot)
    console.gateway.clock = lambda: NOW
    return console


@pytest.fixture
def open_console(open_console: Console) -> Console:
    return lively(open_console)


@pytest.fixture
def keyed_console(keyed_console: Console) -> Console:
    return lively(keyed_console)


def serve(console: Console) -> None:
    """Ten good replies of the first endpoint of north/big."""
    first = console.gateway.catalog.resolve("north/big").endpoints[0]
    for _ in range(10):
        console.gateway.live.board.record(
            Observation(first, NOW, streamed=True, ttft_s=0.25, total_s=2.0, completion_tokens=100)
        )


async def entries(console: Console, **headers: str) -> list[dict[str, Any]]:
    reply = await console.client.get("/api/v1/models/north/big/endpoints", headers=headers)
    assert 200 == reply.status_code
    found: list[dict[str, Any]] = reply.json()["data"]["endpoints"]
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("north/big", "north/big"),
        ("north/big:nitro", "north/big"),
        ("north/big%3Anitro", "north/big"),
        ("south/free:free", "south/free:free"),
    ],
)
async def test_a_model_is_found_with_or_without_variant(
    open_console: Console, name: str, expected: str
) -> None:
    one = await open_console.client.get(f"/api/v1/model/{name}")
    listed = await open_console.client.get(f"/api/v1/models/{name}/endpoints")

    assert (200, 200) == (one.status_code, listed.status_code)
    assert expected == one.json()["data"]["id"] == listed.json()["data"]["id"]


@pytest.mark.parametrize(
    "path", ["/model/no/one", "/models/no/one/endpoints", "/model/no/one:free"]
)
async def test_an_unknown_model_is_404(open_console: Console, path: str) -> None:
    reply = await open_console.client.get(f"/api/v1{path}")

    assert reply.status_code == 404
    assert "no/one" in reply.json()["error"]["message"]
    assert reply.json()["error"]["metadata"]["error_type"] == "not_found"


async def test_a_model_that_nothing_serves(open_console: Console) -> None:
    one = await open_console.client.get("/api/v1/model/ghost/unserved")
    listed = await open_console.client.get("/api/v1/models/ghost/unserved/endpoints")

    assert one.status_code == 404
    assert one.json()["error"]["message"] == "No endpoints found for ghost/unserved."
    assert listed.json()["data"]["endpoints"] == []


async def test_an_endpoint_shows_how_it_does(open_console: Console) -> None:
    serve(open_console)

    first, second = await entries(open_console)

    assert (0, 100, 100, 100) == (
        first["status"],
        first["uptime_last_5m"],
        first["uptime_last_30m"],
        first["uptime_last_1d"],
    )
    assert first["latency_last_30m"] == dict.fromkeys(
        ("p50", "p75", "p90", "p99"), pytest.approx(250, rel=0.01)
    )
    assert first["throughput_last_30m"] == dict.fromkeys(
        ("p50", "p75", "p90", "p99"), pytest.approx(50, rel=0.01)
    )
    assert (None, None, None) == (second["uptime_last_5m"], *(second[name] for name in FIGURES))


async def test_figures_are_for_those_who_have_a_key_where_keys_are_needed(
    keyed_console: Console, key: str
) -> None:
    serve(keyed_console)

    for headers in ({}, {"authorization": "Bearer sk-hr-v1-wrong"}):
        first = (await entries(keyed_console, **headers))[0]
        assert [None, None, 100] == [first[name] for name in (*FIGURES, "uptime_last_5m")]
    first = (await entries(keyed_console, authorization=f"Bearer {key}"))[0]
    assert None not in [first[name] for name in FIGURES]


SOON, PAST = Seconds(51.0), NOW


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (Snapshot(), 0),
        (Snapshot(troubled={"acme:north/big": SOON}), -1),
        (Snapshot(troubled={"acme:north/big": PAST}), 0),
        (Snapshot(resting={"acme:north/big": Rest(SOON, "breaker")}), -2),
        (Snapshot(resting={"acme:north/big": Rest(PAST, "breaker")}), 0),
        (Snapshot(resting={"acme": Rest(SOON, "credential")}), -2),
        (Snapshot(resting={"bulk": Rest(SOON, "credential")}), 0),
        (
            Snapshot(
                troubled={"acme:north/big": SOON},
                resting={"acme:north/big": Rest(SOON, "breaker")},
            ),
            -2,
        ),
    ],
)
def test_status_says_whether_it_rests_or_had_trouble(
    models: dict[str, Model], snapshot: Snapshot, expected: int
) -> None:
    assert expected == status_of(models["north/big"].endpoints[0], snapshot, NOW)


async def test_status_is_that_of_now(open_console: Console) -> None:
    open_console.gateway.live.health.rest_provider("acme", Seconds(60.0))

    assert [-2, 0] == [entry["status"] for entry in await entries(open_console)]
