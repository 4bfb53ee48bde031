"""GET /model/{author}/{slug} and /models/{author}/{slug}/endpoints."""

from typing import Any

import pytest

Console = Any


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
