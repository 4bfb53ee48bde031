"""Under Starlette and FastAPI, under uvicorn and hypercorn, beside the gateway or on its own loop."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import hypercorn
import hypercorn.asyncio
import hypercorn.trio
import pytest
import trio
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

import proxy
from proxy.embed.mount import Mounted, below_root
from proxy.embed.service import NotRunningError
from tests.embed.rig import Provider, ask

GONE_S = 0.4


# --- apps: the gateway runs as long as the app does, or in a thread before it -----------------------
def in_fastapi(gateway: Any, lifespan: Any) -> Any:
    app = FastAPI(lifespan=lifespan)
    app.mount("/llm", gateway.asgi)
    return app, "/llm"


def in_starlette(gateway: Any, lifespan: Any) -> Any:
    inner = Starlette(routes=[Mount("/b c", app=gateway.asgi)])
    return Starlette(routes=[Mount("/a", app=inner)], lifespan=lifespan), "/a/b%20c"


def alone(gateway: Any, lifespan: Any) -> Any:
    return gateway.asgi, ""


# --- servers, each in a thread ---------------------------------------------------------------------
@contextmanager
def uvicorn_serves(app: Any, port: int) -> Iterator[None]:
    config = uvicorn.Config(
        app, port=port, log_level="error", ws="none", loop="asyncio", http="h11"
    )
    server = uvicorn.Server(config)
    with in_thread(server.run):
        yield
        server.should_exit = True


@contextmanager
def hypercorn_trio_serves(app: Any, port: int) -> Iterator[None]:
    token: list[Any] = []

    async def main() -> None:
        stop = trio.Event()
        token.extend((trio.lowlevel.current_trio_token(), stop))
        await hypercorn.trio.serve(app, quiet(port), shutdown_trigger=stop.wait, mode="asgi")

    with in_thread(lambda: trio.run(main)):
        yield
        token[0].run_sync_soon(token[1].set)


@contextmanager
def hypercorn_asyncio_serves(app: Any, port: int) -> Iterator[None]:
    loop: list[Any] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop.extend((asyncio.get_running_loop(), stop))
        await hypercorn.asyncio.serve(app, quiet(port), shutdown_trigger=stop.wait, mode="asgi")

    with in_thread(lambda: asyncio.run(main())):
        yield
        loop[0].call_soon_threadsafe(loop[1].set)


def quiet(port: int) -> hypercorn.Config:
    config = hypercorn.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    config.graceful_timeout = 1
    return config


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(15)
        assert not thread.is_alive()


SERVERS = {
    "uvicorn": uvicorn_serves,
    "hypercorn-trio": hypercorn_trio_serves,
    "hypercorn-asyncio": hypercorn_asyncio_serves,
}


@contextmanager
def served(server: str, make: Any, provider: Provider, *, threaded: bool) -> Iterator[str]:
    """The URL of the API under this server, in this app."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    gateway: Any
    if threaded:
        gateway = proxy.start_in_thread(provider.document(), listen=False, environ={})
    else:
        gateway = proxy.Gateway(provider.document(), environ={})

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        if threaded:
            yield
        else:
            async with gateway:
                yield

    app, root = make(gateway, lifespan)
    try:
        with SERVERS[server](app, port):
            for _ in range(200):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                threading.Event().wait(0.02)
            yield f"http://127.0.0.1:{port}{root}"
    finally:
        if threaded:
            gateway.stop(0)


CASES = [
    (server, make, threaded)
    for server in SERVERS
    for make in (in_fastapi, in_starlette, alone)
    for threaded in (False, True)
    # hypercorn on trio runs an app's lifespan in a task of its own, as the others do; an app alone has none
    if make is not alone or threaded
]


@pytest.mark.parametrize(("server", "make", "threaded"), CASES)
def test_inference_management_and_departures_under_any_server(
    server: str, make: Any, threaded: bool, provider: Provider
) -> None:
    with (
        served(server, make, provider, threaded=threaded) as url,
        httpx.Client(trust_env=False, timeout=5) as http,
    ):
        whole = http.post(f"{url}/api/v1/chat/completions", json=ask("a/text"))
        assert 200 == whole.status_code
        streamed = http.post(f"{url}/v1/chat/completions", json=ask("a/text", stream=True))
        assert streamed.text.endswith("data: [DONE]\n\n")
        text = whole.json()["choices"][0]["message"]["content"]
        assert text == "".join(
            choice["delta"].get("content") or ""
            for line in streamed.text.split("\n\n") if line.startswith("data: {")
            for choice in json.loads(line[6:])["choices"]
        )  # fmt: skip
        assert "a/text" in {m["id"] for m in http.get(f"{url}/api/v1/models").json()["data"]}
        refused = http.post(f"{url}/api/v1/chat/completions", content=b"{")
        assert (400, 400) == (refused.status_code, refused.json()["error"]["code"])
        assert 404 == http.get(f"{url}/none").json()["error"]["code"]
        chat = f"{url}/api/v1/chat/completions"
        with http.stream("POST", chat, json=ask("a/stalled", stream=True)) as reply:
            assert next(reply.iter_raw()).startswith(b"data: ")
        assert 0 <= provider.left("a/stalled") < GONE_S


@pytest.mark.parametrize(
    ("root", "path", "raw", "below", "below_raw"),
    [
        ("", "/v1/x", b"/v1/x", "/v1/x", b"/v1/x"),
        ("/llm", "/llm/v1/x", b"/llm/v1/x", "/v1/x", b"/v1/x"),
        ("/llm/", "/llm/v1/x", b"/llm/v1/x", "/v1/x", b"/v1/x"),
        ("/llm", "/llm", b"/llm", "/", b"/"),
        ("/b c", "/b c/v1/x y", b"/b%20c/v1/x%20y", "/v1/x y", b"/v1/x%20y"),
        ("/llm", "/v1/x", b"/v1/x", "/v1/x", b"/v1/x"),
        ("/llm", "/llmx/v1", b"/llmx/v1", "/llmx/v1", b"/llmx/v1"),
        ("/llm", "/llm/v1", None, "/v1", None),
    ],
)
def test_the_root_is_taken_off_by_whole_segments(
    root: str, path: str, raw: bytes | None, below: str, below_raw: bytes | None
) -> None:
    scope = {"type": "http", "root_path": root, "path": path, "raw_path": raw, "app": object()}

    found = below_root(scope)

    assert {"type": "http", "root_path": "", "path": below, "raw_path": below_raw} == found


async def test_without_a_running_gateway_it_is_503_and_websockets_are_closed() -> None:
    def find() -> Any:
        raise NotRunningError("The gateway does not run.")

    app, sent = Mounted(find), list[Any]()

    async def receive() -> Any:
        return turns.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    turns: list[Any] = []
    await app({"type": "http", "path": "/"}, receive, send)
    await app({"type": "websocket", "path": "/"}, receive, send)
    turns = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    await app({"type": "lifespan"}, receive, send)

    assert 503 == sent[0]["status"] == json.loads(sent[1]["body"])["error"]["code"]
    assert [m["type"] for m in sent[2:]] == [
        "websocket.close", "lifespan.startup.complete", "lifespan.shutdown.complete"
    ]  # fmt: skip
