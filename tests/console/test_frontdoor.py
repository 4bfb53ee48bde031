"""The front door: path tolerance, CORS by mode, the last guard."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from proxy.console.frontdoor import FrontDoor, tolerant_path

Console = Any
ORIGIN = {"origin": "https://page.test"}
PREFLIGHT = {**ORIGIN, "access-control-request-method": "POST"}


@pytest.mark.parametrize(
    ("path", "expected"), [("/v1/models/", "/v1/models"), ("/", "/"), ("//", "/"), ("/a", "/a")]
)
def test_a_trailing_slash_does_not_matter(path: str, expected: str) -> None:
    assert expected == tolerant_path(path)


async def test_where_keys_are_required_any_page_may_read_the_api(keyed_console: Console) -> None:
    for path, status in (("/api/v1/models", 200), ("/v1/nothing", 404), ("/v1/key", 401)):
        reply = await keyed_console.client.get(path, headers=ORIGIN)

        assert status == reply.status_code
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "X-Generation-Id" in reply.headers["access-control-expose-headers"]


async def test_a_preflight_is_answered_for_inference_paths_too(keyed_console: Console) -> None:
    asked = "authorization,content-type,x-stainless-lang"

    reply = await keyed_console.client.options(
        "/api/v1/chat/completions", headers={**PREFLIGHT, "access-control-request-headers": asked}
    )

    assert (204, b"") == (reply.status_code, reply.content)
    assert reply.headers["access-control-allow-origin"] == "*"
    assert asked == reply.headers["access-control-allow-headers"]
    assert {"GET", "POST", "DELETE"} <= set(
        reply.headers["access-control-allow-methods"].split(", ")
    )


async def test_health_and_metrics_are_not_for_foreign_pages(keyed_console: Console) -> None:
    for path in ("/metrics", "/healthz/ready", "/"):
        reply = await keyed_console.client.get(path, headers=ORIGIN)

        assert "access-control-allow-origin" not in reply.headers


async def test_in_open_mode_nothing_is_shared_across_origins(open_console: Console) -> None:
    read = await open_console.client.get("/api/v1/models", headers=ORIGIN)
    asked = await open_console.client.options("/api/v1/models", headers=PREFLIGHT)

    assert (200, 405) == (read.status_code, asked.status_code)
    for reply in (read, asked):
        assert not [name for name in reply.headers if name.startswith("access-control")]


async def run(app: Any, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": kind, "path": "/", "method": "GET", "headers": []}
    await FrontDoor(app, cross_origin=False)(scope, receive, send)
    return sent


async def test_a_failure_before_the_reply_is_answered() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("no")

    sent = await run(app)

    assert [500] == [m["status"] for m in sent if m["type"] == "http.response.start"]


async def test_a_failure_after_the_reply_began_climbs_to_the_door() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run(app)


async def test_other_scopes_pass_untouched() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": f"{scope['type']}.seen"})

    assert [{"type": "lifespan.seen"}] == await run(app, "lifespan")
