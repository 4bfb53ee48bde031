"""The console as a whole: paths, methods, errors."""

from typing import Any

import pytest
from starlette.exceptions import HTTPException

from proxy import __version__

Console = Any


async def test_the_root_names_the_product_and_where_to_go(open_console: Console) -> None:
    reply = await open_console.client.get("/")

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert ("Hedgerow", __version__) == (reply.json()["name"], reply.json()["version"])
    for name in ("models", "live", "ready", "metrics"):
        assert (await open_console.client.get(reply.json()["paths"][name])).status_code == 200


@pytest.mark.parametrize("path", ["/models", "/models/count", "/providers", "/key", "/auth/key",
                                  "/model/north/big", "/models/north/big/endpoints"])  # fmt: skip
async def test_the_api_stands_under_both_prefixes_with_or_without_slash(
    open_console: Console, path: str
) -> None:
    replies = [
        await open_console.client.get(prefix + path + slash)
        for prefix in ("/api/v1", "/v1")
        for slash in ("", "/")
    ]

    assert {200} == {reply.status_code for reply in replies}
    assert 1 == len({reply.content for reply in replies})


@pytest.mark.parametrize("path", ["/nothing", "/api/v1", "/api/v1/nothing", "/v1/models/a/b/c/d"])
async def test_an_unknown_path_is_404_in_the_envelope(open_console: Console, path: str) -> None:
    reply = await open_console.client.get(path)

    assert reply.status_code == 404
    assert reply.json() == {
        "error": {
            "code": 404,
            "message": f"Not found: {path}",
            "metadata": {"error_type": "not_found"},
        }
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/v1/models", {"GET", "HEAD"}),
        ("DELETE", "/", {"GET", "HEAD"}),
        ("GET", "/api/v1/chat/completions", {"POST"}),
        ("GET", "/v1/completions", {"POST"}),
        ("OPTIONS", "/api/v1/models", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_405_with_allow(
    open_console: Console, method: str, path: str, allowed: set[str]
) -> None:
    reply = await open_console.client.request(method, path)

    assert reply.status_code == 405
    assert allowed == set(reply.headers["allow"].split(", "))
    assert reply.json()["error"]["code"] == 405
    assert reply.json()["error"]["metadata"]["error_type"] == "invalid_request"


async def test_inference_is_not_served_by_the_console(open_console: Console) -> None:
    reply = await open_console.client.post("/api/v1/chat/completions", json={})

    assert (404, "not_found") == (
        reply.status_code,
        reply.json()["error"]["metadata"]["error_type"],
    )


@pytest.mark.parametrize("path", ["/", "/api/v1/models", "/healthz/live", "/metrics"])
async def test_head_works_where_get_does(open_console: Console, path: str) -> None:
    reply = await open_console.client.head(path)

    assert reply.status_code == 200
    assert int(reply.headers["content-length"]) > 0


async def test_an_unexpected_exception_is_masked(
    open_console: Console, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> bytes:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(open_console.gateway.statistics, "render", fail)

    reply = await open_console.client.get("/metrics")

    assert reply.status_code == 500
    assert reply.json() == {
        "error": {
            "code": 500,
            "message": "Internal Server Error",
            "metadata": {"error_type": "server"},
        }
    }
    assert "hunter2" in caplog.text


@pytest.mark.parametrize(
    ("status", "message", "error_type"),
    [(400, "odd", "invalid_request"), (503, "Internal Server Error", "server")],
)
async def test_refusals_of_the_framework_become_the_envelope(
    open_console: Console,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    message: str,
    error_type: str,
) -> None:
    def fail() -> bytes:
        raise HTTPException(status, "odd")

    monkeypatch.setattr(open_console.gateway.statistics, "render", fail)

    reply = await open_console.client.get("/metrics")

    assert (status, message) == (reply.status_code, reply.json()["error"]["message"])
    assert reply.json()["error"]["metadata"] == {"error_type": error_type}
