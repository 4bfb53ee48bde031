"""The second door: HTTP/2 and HTTP/3 by Hypercorn, beside the lane that serves HTTP/1.1.

Rule 1: nothing a peer sends gets out of here as an exception; one connection's end is nobody else's.
"""

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.typing import AppWrapper

from proxy.doors.asgi import EXTENSION, build_asgi
from proxy.doors.bridge import AsgiApp, Message, Receive, Send
from proxy.doors.handover import HandedStream
from proxy.doors.hypercorn_h2 import H2Server
from proxy.gateway import Gateway
from proxy.net.server_tls import ServerTls
from proxy.policy.admission import is_loopback

log = logging.getLogger("hedgerow.hypercorn")

COUNTED = frozenset({"slow", "malformed", "flood"})
"""Endings that count as cut."""


class HypercornDoor:
    """Serves connections that the lane hands over, and datagrams."""

    def __init__(self, gateway: Gateway, console: AsgiApp) -> None:
        self._gateway = gateway
        self._app = build_asgi(gateway, console)
        self._config = quiet_config()
        self._connections: set[H2Server] = set()
        self._datagrams: list[Callable[[], Awaitable[None]]] = []
        """How to drain each server of HTTP/3."""
        self._leaving = trio.Event()
        self._empty = trio.Event()

    async def serve_h2(
        self, sock: socket.socket, received: bytes, *, local: bool, announce: bytes = b""
    ) -> None:
        """Serve one HTTP/2 connection to its end; the socket is left open.

        Args:
            sock: non-blocking; of TLS, its handshake is done.
            received: bytes read from it already.
            announce: header lines of every reply.
        """
        if self._leaving.is_set():
            return
        gateway = self._gateway
        server: H2Server | None = None
        try:
            limits = gateway.settings.limits
            stream = HandedStream(sock, received, limits, gateway.clock)
            app = wrapped(self._app, {"local": local, "announce": announce})
            server = H2Server(app, self._config, stream, limits, gateway.clock)
            self._connections.add(server)
            await server.run()
            if server.ending in COUNTED:
                gateway.statistics.connection_cut(server.ending)
        except OSError:
            return  # gone before it was looked at
        except Exception as error:  # noqa: BLE001 - guard: what the libraries do not expect
            log.warning("an HTTP/2 connection failed: %r", error)
            gateway.statistics.connection_cut("malformed")
        finally:
            if server is not None:
                self._connections.discard(server)
            if self._leaving.is_set() and not self._connections:
                self._empty.set()

    async def serve_h3(self, sock: socket.socket, tls: ServerTls) -> None:
        """Serve HTTP/3 on a datagram socket until cancelled; its library must be there.

        Args:
            sock: bound and non-blocking.
            tls: certificate and key; read again when they change.
        """
        from proxy.doors.hypercorn_quic import H3Server  # noqa: PLC0415 - an extra

        def app_of(client: tuple[str, int]) -> AppWrapper:
            return wrapped(self._app, {"local": is_loopback(client[0])})

        gateway = self._gateway
        server = H3Server(app_of, self._config, sock, tls, gateway.settings.limits, gateway.clock)
        self._datagrams.append(server.drain)
        await server.run()

    async def drain(self) -> None:
        """Open no stream any more, and return when the last one has ended."""
        self._leaving.set()
        async with trio.open_nursery() as nursery:
            for drain in self._datagrams:
                nursery.start_soon(drain)
            for server in self._connections:
                server.go_away()
            if self._connections:
                await self._empty.wait()


def quiet_config() -> Config:
    """Hypercorn's settings: no logs, no header fields of its own."""
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = config.include_date_header = False
    return config


def wrapped(app: AsgiApp, ours: dict[str, Any]) -> AppWrapper:  # type: ignore[explicit-any]
    """`app` as Hypercorn calls it; `ours` goes into the extensions of each scope."""

    async def call(scope: Message, receive: Receive, send: Send, *_threads: object) -> None:
        scope["extensions"][EXTENSION] = ours
        await app(scope, receive, send)

    return call  # type: ignore[return-value]  # its types of messages are finer than ASGI's
