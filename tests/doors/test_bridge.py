"""What is not inference goes to an ASGI application, and comes back framed by the door."""

import hashlib
from typing import Any

import pytest
import trio

from proxy.doors.bridge import BODY_BYTES_MAX, body_bytes_max, bridge
from proxy.errors import PermissionDeniedError
from proxy.model.head import RequestHead
from tests.fakes.downstream import FakeDownstream, a_gateway


def client(path: str = "/x", **headers: str) -> FakeDownstream:
    named = {name.encode(): value.encode() for name, value in headers.items()}
    return FakeDownstream(RequestHead("PUT", path, b"q=1", {b"host": b"localhost", **named}))


async def ask(app: Any, downstream: FakeDownstream, *keys: str) -> FakeDownstream:
    await bridge(app, downstream, a_gateway(keys=keys))
    return downstream


def saying(
    *bodies: bytes, headers: list[tuple[bytes, bytes]] | None = None, status: int = 201
) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": status, "headers": headers or []}
        await send(start)
        for place, body in enumerate(bodies):
            more = place + 1 < len(bodies)
            await send({"type": "http.response.body", "body": body, "more_body": more})

    return app


async def test_an_application_sees_the_request_as_it_is() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope, message=await receive())
        await saying(b"")(scope, receive, send)

    downstream = client("/a%20b/%C3%A9", accept="*/*")
    downstream.request_body = b"body"
    await ask(app, downstream)

    assert ("http", "PUT", "/a b/é", b"/a%20b/%C3%A9", b"q=1", "") == tuple(
        seen[name] for name in ("type", "method", "path", "raw_path", "query_string", "root_path")
    )
    assert [(b"host", b"localhost"), (b"accept", b"*/*")] == seen["headers"]
    assert {"type": "http.request", "body": b"body", "more_body": False} == seen["message"]


async def test_a_reply_of_one_piece_is_sent_whole_and_framed_by_the_door() -> None:
    headers = [(b"X-A", b"1"), (b"Content-Length", b"99"), (b"transfer-encoding", b"chunked")]
    downstream = await ask(saying(b"hello", headers=headers), client())

    assert (201, b"X-A: 1\r\n", b"hello") == (
        downstream.status,
        downstream.headers,
        downstream.sent,
    )


async def test_a_reply_of_several_pieces_is_streamed_at_the_clients_pace() -> None:
    downstream = client()
    downstream.slow = True
    await ask(saying(b"one", b"", b"two", b""), downstream)

    assert ([b"one", b"two", b""], True) == (downstream.written, downstream.ended)
    assert 2 == downstream.drained


async def test_an_application_that_waits_for_more_waits_for_the_departure() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()

    with trio.move_on_after(0.01) as scope:
        await ask(app, client())

    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("path", "mended"),
    [("/api/v1models", "/api/v1/models"), ("/v1models", "/v1/models"), ("/v1/models", "/v1/models"),
     ("/v1", "/v1"), ("/v10", "/v10"), ("/api/v1", "/api/v1"), ("/other", "/other")],
)  # fmt: skip
async def test_a_lost_slash_is_mended(path: str, mended: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await saying(b"")(scope, receive, send)

    await ask(app, client(path))

    assert [mended] == seen


async def test_foreign_pages_are_refused_in_open_mode_only() -> None:
    with pytest.raises(PermissionDeniedError):
        await ask(saying(b""), client(origin="https://evil.test"))

    assert 201 == (await ask(saying(b""), client(origin="https://evil.test"), "key")).status


async def test_the_bodies_of_management_are_small() -> None:
    class Noting(FakeDownstream):
        async def body(self, bytes_max: int) -> bytes:
            assert BODY_BYTES_MAX == bytes_max == 1 << 20
            return b""

    downstream = Noting(client().head)
    await ask(saying(b"ok"), downstream)

    assert b"ok" == downstream.sent


async def test_a_stranger_may_send_little_where_keys_are_required() -> None:
    known = client(authorization="Bearer k")
    digest = hashlib.sha256(b"k").hexdigest()

    assert BODY_BYTES_MAX == body_bytes_max(known, a_gateway(keys=[digest]))
    assert 65_536 == body_bytes_max(client(), a_gateway(keys=[digest]))
    assert BODY_BYTES_MAX == body_bytes_max(client(), a_gateway())
