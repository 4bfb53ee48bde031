"""Requests that are not inference, handed to an ASGI application."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote

import trio

from proxy.gateway import Gateway
from proxy.model.downstream import Downstream
from proxy.stages.authorize import admit, recognised

Message: TypeAlias = MutableMapping[str, Any]  # type: ignore[explicit-any]  # ASGI's own type
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 1_048_576
"""Largest body of a management request."""


def body_bytes_max(downstream: Downstream, gateway: Gateway) -> int:
    """Largest body of this request to the console."""
    if recognised(downstream, gateway):
        return BODY_BYTES_MAX
    return min(BODY_BYTES_MAX, gateway.settings.limits.body_bytes_unknown_max)


class _Replying:
    """ASGI's `send`, for one request."""

    def __init__(self, downstream: Downstream) -> None:
        self._downstream = downstream
        self._status = 500
        self._headers = b""

    async def send(self, message: Message) -> None:
        """Start, continue or end the reply."""
        downstream = self._downstream
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = b"".join(
                b"%b: %b\r\n" % (name, value)
                for name, value in message.get("headers", ())
                if bytes(name).lower() not in FRAMING
            )
            return
        body, more = bytes(message.get("body", b"")), message.get("more_body", False)
        if not more and not downstream.started:
            await downstream.reply(self._status, self._headers, body)
        elif more:
            if not downstream.started:
                downstream.start(self._status, self._headers)
            if body and not downstream.write([body]):
                await downstream.drain()
        else:
            await downstream.end([body] if body else [])


FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


async def bridge(app: AsgiApp, downstream: Downstream, gateway: Gateway) -> None:
    """Let `app` answer. Raises: PermissionDeniedError, PayloadTooLargeError."""
    head = downstream.head
    admit(downstream, gateway)
    body = await downstream.body(body_bytes_max(downstream, gateway))
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            await trio.sleep_forever()  # a departure cancels us; there is nothing else to tell
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    path = _with_slash(head.path)
    decoded = unquote(path.replace("%2f", "%2F").replace("%2F", "%252F"))
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": head.method,
        "scheme": "http",
        "path": decoded,  # but for an encoded slash, which is no slash (RFC 3986 2.2)
        "raw_path": path.encode(),
        "query_string": head.query,
        "root_path": "",
        "headers": list(head.headers.items()),
        "client": None,
        "server": None,
    }
    await app(scope, receive, _Replying(downstream).send)


def _with_slash(path: str) -> str:
    """Mend the slash that is lost where an SDK is given a base URL as a plain string."""
    for prefix in ("/api/v1", "/v1"):
        if path.startswith(prefix) and path[len(prefix) :][:1].isalpha():
            return f"{prefix}/{path[len(prefix) :]}"
    return path
