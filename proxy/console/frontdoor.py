"""What stands around every route of the console: path tolerance, CORS, and the last guard.

Rule 1: an exception that no handler knew is logged here and answered 500, masked; nothing climbs to the
door except a failure after the reply has begun, where the connection must be cut.
"""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proxy.console import cors
from proxy.console.api.replies import error_reply
from proxy.errors import GatewayError
from proxy.model.envelope import MASKED

log = logging.getLogger(__name__)

NO_CONTENT = 204


class FrontDoor:
    """ASGI middleware; `cross_origin`: the API may be read from foreign pages."""

    def __init__(self, app: ASGIApp, *, cross_origin: bool) -> None:
        self._app = app
        self._cross_origin = cross_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": tolerant_path(scope["path"])}
        if self._cross_origin and cors.is_api(scope["path"]):
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if cors.is_preflight(scope["method"], headers):
                await _answer_preflight(headers, send)
                return
            send = _open_to_all(send)
        await _guarded(self._app, scope, receive, send)


def tolerant_path(path: str) -> str:
    """The path without a trailing slash: "/v1/models/" is "/v1/models", without a redirect."""
    return path.rstrip("/") or "/"


async def _answer_preflight(headers: dict[bytes, bytes], send: Send) -> None:
    answer = cors.preflight_headers(headers)
    await send({"type": "http.response.start", "status": NO_CONTENT, "headers": answer})
    await send({"type": "http.response.body", "body": b""})


def _open_to_all(send: Send) -> Send:
    async def send_open(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *cors.reply_headers()]}
        await send(message)

    return send_open


async def _guarded(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    started = False

    async def send_noting(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await app(scope, receive, send_noting)
    except Exception:
        log.exception("console: %s %s failed", scope["method"], scope["path"])
        if started:
            raise
        await error_reply(GatewayError(MASKED))(scope, receive, send)
