"""The gateway as an ASGI application: driven by hand, and under a stock server."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import hypercorn.trio
import pytest
import trio
from hypercorn.config import Config

from proxy.doors.asgi import build_asgi
from tests.rig import Rig, chat_body, head, post, rig

CHAT = "/api/v1/chat/completions"
SERVED = {
    "maker/text": ("synthetic/text",),
    "maker/stall": ("fault/stall-mid-body",),
    "maker/wait": ("fault/stall-before-headers",),
}
FAST = {"body_grace_s": 0.2, "reader_s": 0.2}


class Asking:
    """One request as a server tells it, and what the application answers."""

    def __init__(self, *bodies: bytes, **scope: Any) -> None:
        self.give, self.take = trio.open_memory_channel[dict[str, Any]](100)
        self.sent: list[dict[str, Any]] = []
        self.accepts = trio.Event()
        self.accepts.set()
        self.news = trio.Event()
        body = b"".join(bodies)
        self.scope = {
            "type": "http", "http_version": "2", "method": "POST", "path": CHAT,
            "raw_path": CHAT.encode(), "query_string": b"", "client": ("127.0.0.1", 9),
            "headers": [(b"host", b"localhost"), (b"content-length", b"%d" % len(body))],
            "extensions": {}, **scope,
        }  # fmt: skip
        for body in bodies:
            self.tell(body, more=True)
        self.tell(b"")

    def tell(self, body: bytes, *, more: bool = False) -> None:
        """Another piece of the body."""
        self.give.send_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        """The client is gone."""
        self.give.send_nowait({"type": "http.disconnect"})

    async def send(self, message: dict[str, Any]) -> None:
        await self.accepts.wait()
        self.sent.append(message)
        self.news.set()

    async def run(self, app: Any) -> "Asking":
        """Until the application returns."""
        with trio.fail_after(5):
            await app(self.scope, self.take.receive, self.send)
        self.give.close()
        self.take.close()
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def whole(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


@asynccontextmanager
async def asgi(console: Any = None, **options: Any) -> AsyncIterator[tuple[Rig, Any]]:
    """A gateway, and the application over it."""
    async with rig(SERVED, **options) as r:
        yield r, build_asgi(r.gateway, console or r.running.app)


async def test_inference_is_answered_whole() -> None:
    async with asgi() as (r, app):
        asking = await Asking(chat_body("maker/text")).run(app)

        assert (200, True, (1, 0)) == (asking.status, asking.whole, r.settled)
        assert b"%d" % len(asking.body) == asking.headers[b"content-length"]
        assert json.loads(asking.body)["choices"]


async def test_inference_is_streamed_piece_by_piece() -> None:
    async with asgi() as (_, app):
        asking = await Asking(chat_body("maker/text", stream=True)).run(app)

        assert (200, True) == (asking.status, asking.whole)
        assert len(asking.sent) > 3
        assert b"content-length" not in asking.headers
        assert asking.body.endswith(b"data: [DONE]\n\n")


async def test_everything_else_is_the_console() -> None:
    async with asgi() as (_, app):
        found = await Asking(method="GET", path="/api/v1/models", raw_path=b"/api/v1/models").run(
            app
        )
        missing = await Asking(method="GET", path="/x", raw_path=b"/x").run(app)
        bare = await Asking(method="HEAD", path="/healthz/live", raw_path=b"/healthz/live").run(app)

    assert (200, 404, 200) == (found.status, missing.status, bare.status)
    assert json.loads(found.body)["data"]
    assert b"" == bare.body


async def test_a_client_that_leaves_takes_its_work_along() -> None:
    async with asgi() as (r, app):
        asking = Asking(chat_body("maker/stall", stream=True))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.run, app)
            await asking.news.wait()
            begun = trio.current_time()
            asking.leave()
        await r.quiet()

        assert trio.current_time() - begun < 0.5
        assert not asking.whole
        assert r.one.log[0].closed_by == "client"
        assert b"hedgerow_departures_total 1.0" in r.gateway.statistics.render()


def length(size: int) -> list[tuple[bytes, bytes]]:
    """Header fields that promise a body."""
    return [(b"host", b"localhost"), (b"content-length", b"%d" % size)]


@pytest.mark.parametrize(
    ("status", "asking"),
    [
        (413, lambda: Asking(b"{}", headers=length(2_001))),
        (413, lambda: Asking(b"x" * 1_500, b"x" * 1_500, headers=length(0)[:1])),
        (400, lambda: Asking(b"x" * 10, headers=length(9))),
        (400, lambda: Asking(b"x" * 8, headers=length(9))),
        (400, lambda: Asking(b"{}", headers=[(b"host", b"a"), (b"host", b"b")])),
        (431, lambda: Asking(b"{}", headers=[(b"host", b"a")] * 101)),
        (403, lambda: Asking(b"{}", client=("192.0.2.1", 9))),
        (403, lambda: Asking(b"{}", client=None)),
        (403, lambda: Asking(b"{}", extensions={"hedgerow": {"local": False}})),
        (400, lambda: Asking(b"{}", client=None, extensions={"hedgerow": {"local": True}})),
    ],
)
async def test_a_request_is_refused_with_the_envelope(
    status: int, asking: Callable[[], Asking]
) -> None:
    async with asgi(limits={"body_bytes_max": 2_000}) as (_, app):
        refused = await asking().run(app)

    assert (status, True) == (refused.status, refused.whole)
    assert status == json.loads(refused.body)["error"]["code"]


async def test_a_body_that_does_not_come_is_408() -> None:
    async with asgi(limits=FAST) as (_, app):
        asking = Asking(headers=length(9))
        asking.take.receive_nowait()
        late = await asking.run(app)

    assert 408 == late.status


@pytest.mark.parametrize(("version", "closed"), [("1.1", b"close"), ("2", None)])
async def test_behind_a_malformed_head_the_connection_of_http_1_closes(
    version: str, closed: bytes | None
) -> None:
    async with asgi() as (_, app):
        asking = Asking(b"{}", http_version=version)
        asking.scope["headers"].append((b"transfer-encoding", b"chunked"))
        refused = await asking.run(app)

    assert (400, closed) == (refused.status, refused.headers.get(b"connection"))


async def test_announced_fields_are_told_and_others_of_the_hop_are_not() -> None:
    async def console(_scope: Any, _receive: Any, send: Any) -> None:
        fields = [(b"keep-alive", b"5"), (b"upgrade", b"x"), (b"x-kept", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": b"ok"})

    async with asgi(console) as (_, app):
        ours = {"local": True, "announce": b'alt-svc: h3=":1"\r\n'}
        asking = Asking(method="GET", path="/", raw_path=b"/", extensions={"hedgerow": ours})
        asked = await asking.run(app)

    assert {b"x-kept": b"1", b"content-length": b"2", b"alt-svc": b'h3=":1"'} == asked.headers


async def test_a_client_that_takes_nothing_is_given_up() -> None:
    async with asgi(limits=FAST) as (r, app):
        asking = Asking(chat_body("maker/text", stream=True))
        asking.accepts = trio.Event()
        begun = trio.current_time()
        await asking.run(app)
        await r.quiet()

        assert 0.15 < trio.current_time() - begun < 2
        assert [] == asking.sent


async def test_a_server_that_cannot_send_is_a_client_that_left() -> None:
    async with asgi() as (r, app):
        asking = Asking(chat_body("maker/text", stream=True))

        async def send(_message: Any) -> None:
            raise ConnectionResetError

        asking.send = send  # type: ignore[method-assign]
        await asking.run(app)
        await r.quiet()


@pytest.mark.parametrize("begun", [False, True])
async def test_a_bug_is_masked(begun: bool) -> None:
    async def console(_scope: Any, _receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok", "more_body": True})
        raise RuntimeError("secret")

    async with asgi(console, complaints=False) as (_, app):
        asked = await Asking(method="GET", path="/", raw_path=b"/").run(app)

    assert (200 if begun else 500, not begun) == (asked.status, asked.whole)
    assert b"secret" not in asked.body


async def test_lifespan_is_completed_and_websockets_are_refused() -> None:
    async with asgi() as (_, app):
        for kinds, answers in (
            (["lifespan.startup", "lifespan.shutdown"],
             ["lifespan.startup.complete", "lifespan.shutdown.complete"]),
            (["websocket.connect"], ["websocket.close"]),
        ):  # fmt: skip
            give, take = trio.open_memory_channel[dict[str, Any]](9)
            sent: list[dict[str, Any]] = []

            async def send(message: dict[str, Any], sent: Any = sent) -> None:
                sent.append(message)

            with give, take:
                for kind in kinds:
                    give.send_nowait({"type": kind})
                with trio.fail_after(1):
                    await app({"type": kinds[0].partition(".")[0]}, take.receive, send)
            assert answers == [message["type"] for message in sent]


@asynccontextmanager
async def stock(app: Any) -> AsyncIterator[str]:
    """The application under a server that nobody mended."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(
            lambda task_status: hypercorn.trio.serve(
                app, config, shutdown_trigger=stop.wait, task_status=task_status
            )
        )
        yield urls[0]
        stop.set()


async def test_a_stock_server_serves_and_cannot_be_used_to_smuggle() -> None:
    smuggled = head("GET", "/healthz/live")
    both = head("POST", CHAT, f"Content-Length: {len(smuggled) + 5}", "Transfer-Encoding: chunked")
    async with asgi() as (r, app), stock(app) as url, r.client(url) as client:
        assert "Hedgerows" in (await client.ask(post(chat_body("maker/text", stream=True)))).text
        assert 200 == (await client.ask(head("GET", "/healthz/live"), "GET")).status
        refused = await client.ask(both + b"0\r\n\r\n" + smuggled)

        told = (refused.status, refused.headers.get("connection"))
        assert told in {(400, "close"), (0, None)}  # or it hangs up while we answer
        assert await client.ended()


async def test_an_upload_that_is_refused_early_leaves_nothing_behind() -> None:
    async with asgi() as (r, app), stock(app) as url:
        async with r.client(url) as client:
            await client.ask(head("GET", "/healthz/live"), "GET")
        before = await tasks_at_rest()
        for _ in range(5):
            async with r.client(url) as client:
                upload = post(b"x" * 2_000_000, "/api/v1/models")
                assert 413 == (await client.ask(upload)).status

        assert before == await tasks_at_rest()


async def tasks_at_rest() -> int:
    """How many tasks there are once none has ended for a while."""
    counts = [-1]
    with trio.fail_after(3):
        while len(counts) < 4 or len(set(counts[-3:])) > 1:
            await trio.sleep(0.05)
            counts.append(trio.lowlevel.current_statistics().tasks_living)
    return counts[-1]
