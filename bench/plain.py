"""A plain proxy on hypercorn and httpx, as one would write it in an afternoon: what we compare with.

No routing, no ledger, no checks; it streams, and closes the provider's side when the client leaves.
"""

import logging
import sys
from typing import Any

import httpx
import trio
from hypercorn.config import Config
from hypercorn.trio import serve

HOST = "127.0.0.1"
DROPPED = {b"host", b"connection", b"content-length", b"transfer-encoding"}


class PlainProxy:
    """An ASGI app that passes every request on to one upstream."""

    def __init__(self, upstream: str) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(base_url=upstream, limits=limits, timeout=60)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["path"].startswith("/healthz"):
            await _reply(send, 200, [], b"ok")
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = [pair for pair in scope["headers"] if pair[0] not in DROPPED]
        request = self._client.build_request(
            scope["method"], scope["path"], headers=headers, content=body
        )
        reply = await self._client.send(request, stream=True)
        try:
            kept = [(n.lower(), v) for n, v in reply.headers.raw if n.lower() not in DROPPED]
            await send(
                {"type": "http.response.start", "status": reply.status_code, "headers": kept}
            )
            async for chunk in reply.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await reply.aclose()


async def _reply(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def main() -> None:
    """`python -m bench.plain UPSTREAM_PORT PORT`."""
    upstream, port = sys.argv[1:]
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.keep_alive_max_requests = 10**9
    config.graceful_timeout = 1
    config.loglevel = "ERROR"
    logging.getLogger("httpx").setLevel(logging.ERROR)
    app: Any = PlainProxy(f"http://{HOST}:{upstream}")
    trio.run(serve, app, config)


if __name__ == "__main__":
    main()
