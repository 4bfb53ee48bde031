"""GET /providers."""

from typing import Any


async def test_providers_are_listed_by_name(open_console: Any) -> None:
    reply = await open_console.client.get("/api/v1/providers")

    assert [entry["slug"] for entry in reply.json()["data"]] == ["acme", "bulk"]
