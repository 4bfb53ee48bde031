"""The gateway as an ASGI app that other apps mount, on whatever loop they run.

Rule 1: on the gateway's own loop it is called directly; on any other each message crosses over, one
at a time, so that a slow client slows the provider down.
Rule 2: only what ASGI specifies of a scope goes on; what the app around us put there stays with it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, TypeAlias

import orjson
import trio

from proxy.embed.crossing import Loop, here
from proxy.embed.service import NotRunningError, Service
from proxy.errors import ShedError
from proxy.model.envelope import error_document

Message: TypeAlias = MutableMapping[str, Any]  # type: ignore[explicit-any]  # ASGI's own type
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SPECIFIED = frozenset(
    {
        "type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string",
        "headers", "client", "server", "subprotocols", "extensions",
    }
)  # fmt: skip
"""Keys of a scope that go on to the gateway, besides its own `root_path`."""


class Mounted:
    """An ASGI app: `app.mount("/llm", gateway.asgi)`, or alone under any ASGI server."""

    def __init__(self, find: Callable[[], Service]) -> None:
        """Ask what `find` finds; it may raise NotRunningError."""
        self._find = find

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request. Without a running gateway: 503."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        try:
            service = self._find().checked()
        except NotRunningError as error:
            await _refuse(scope, send, str(error))
            return
        below, loop = below_root(scope), here()
        if loop == service.loop:
            await service.asgi(below, receive, send)
            return
        own: Loop = service.loop

        async def receive_over() -> Message:
            try:
                return await own.result(loop.submit(receive))
            except trio.BrokenResourceError:
                return {"type": "http.disconnect"}

        async def send_over(message: Message) -> None:
            try:
                await own.result(loop.submit(partial(send, message)))
            except trio.BrokenResourceError as error:
                raise BrokenPipeError(str(error)) from None

        work = partial(service.asgi, below, receive_over, send_over)
        await loop.result(own.submit(work))


def below_root(scope: Message) -> Message:
    """A scope as the gateway wants it: the path where it is mounted is taken off.

    ASGI has `path` with `root_path` in front; servers that are told a root path of a proxy may not.
    """
    below: Message = {name: value for name, value in scope.items() if name in SPECIFIED}
    below["root_path"] = ""
    root: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if not root or not (path == root or path.startswith(f"{root}/")):
        return below
    below["path"] = path[len(root) :] or "/"
    raw: bytes | None = scope.get("raw_path")
    if raw is not None:
        # by segments, since raw text may be longer: it is percent-encoded
        segments = root.count("/")
        below["raw_path"] = b"/" + b"/".join(raw.split(b"/")[segments + 1 :])
    return below


async def _live(receive: Receive, send: Send) -> None:
    """Take part in a server's start and stop; the gateway has its own."""
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def _refuse(scope: Message, send: Send, reason: str) -> None:
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1013, "reason": reason})
        return
    body = orjson.dumps(error_document(ShedError(reason)))
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 503, "headers": fields})
    await send({"type": "http.response.body", "body": body})
