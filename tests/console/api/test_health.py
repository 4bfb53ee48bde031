"""Health and metrics."""

from typing import Any

Console = Any


async def test_live_depends_on_nothing(open_console: Console) -> None:
    open_console.state["ready"] = False

    reply = await open_console.client.get("/healthz/live")

    assert (200, {"status": "live"}) == (reply.status_code, reply.json())


async def test_ready_follows_the_gateway(open_console: Console) -> None:
    open_console.state["ready"] = False
    before = await open_console.client.get("/healthz/ready")
    open_console.state["ready"] = True
    after = await open_console.client.get("/healthz/ready")

    assert (503, 200) == (before.status_code, after.status_code)
    assert after.headers["cache-control"] == "no-store"


async def test_metrics_are_prometheus_text(open_console: Console) -> None:
    open_console.gateway.statistics.departed()

    reply = await open_console.client.get("/metrics")

    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "hedgerow_departures_total 1.0" in reply.text
