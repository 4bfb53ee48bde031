"""Listening, accepting, and what one connection's requests go to."""

import logging
import socket

import orjson
import trio

from proxy.doors.bridge import AsgiApp, bridge
from proxy.doors.departures import departures
from proxy.doors.lane import LaneConnection
from proxy.doors.routes import ROUTES
from proxy.errors import ClientClosedError, GatewayError, HedgerowError
from proxy.exchange import exchange
from proxy.gateway import Gateway
from proxy.model.envelope import error_document

log = logging.getLogger("hedgerow.lane")

REAP_S = 1.0
"""How often deadlines of client connections are looked at."""
ACCEPT_PAUSE_S = 0.1
"""Rest after running out of descriptors."""
JSON = b"content-type: application/json\r\n"


class Lane:
    """The HTTP/1.1 door over any number of listening sockets."""

    def __init__(self, gateway: Gateway, app: AsgiApp) -> None:
        self._gateway = gateway
        self._app = app
        self._connections: set[LaneConnection] = set()
        self._departures = departures()
        self._accepting = trio.CancelScope()
        self._empty = trio.Event()

    async def drain(self) -> None:
        """Accept nothing more, let idle clients go, and return when the last request is answered."""
        self._accepting.cancel()
        for connection in self._connections:
            connection.finish_up()
        if self._connections:
            await self._empty.wait()

    async def serve(self, listeners: list[socket.socket]) -> None:
        """Accept and serve until cancelled; closes the listeners."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reap)
            nursery.start_soon(self._departures.run)
            with self._accepting:
                async with trio.open_nursery() as acceptors:
                    for listener in listeners:
                        acceptors.start_soon(self._accept, listener, nursery)

    async def _accept(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        tcp = listener.family in {socket.AF_INET, socket.AF_INET6}
        with listener:
            while True:
                await trio.lowlevel.wait_readable(listener)
                try:
                    sock, address = listener.accept()
                except BlockingIOError:
                    continue
                except OSError as error:
                    log.warning("accept failed: %s", error)
                    await trio.sleep(ACCEPT_PAUSE_S)
                    continue
                sock.setblocking(False)
                if tcp:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                local = not tcp or is_loopback(address[0])
                nursery.start_soon(self._serve, sock, local)

    async def _serve(self, sock: socket.socket, local: bool) -> None:  # noqa: FBT001
        """One connection; whatever it does ends here."""
        gateway = self._gateway
        connection = LaneConnection(sock, gateway.settings.limits, gateway.clock, local=local)
        self._connections.add(connection)
        self._departures.watch(connection)
        gateway.statistics.connection_opened()
        try:
            with connection.scope:
                await self._requests(connection)
            if connection.left_early:
                gateway.statistics.departed()
        except Exception:  # guard: one connection's bug is nobody else's
            log.exception("a connection failed")
        finally:
            self._connections.discard(connection)
            if self._accepting.cancel_called and not self._connections:
                self._empty.set()
            gateway.statistics.connection_closed()
            try:
                self._departures.forget(connection)
            finally:
                sock.close()

    async def _requests(self, connection: LaneConnection) -> None:
        """Serve requests until one of the two sides has had enough."""
        try:
            await self._serve_each(connection)
            await connection.linger()
        except ClientClosedError:
            connection.leave()

    async def _serve_each(self, connection: LaneConnection) -> None:
        try:
            while await connection.next_request():
                await self._answer(connection)
                if not connection.complete:
                    return
        except ClientClosedError:
            raise
        except HedgerowError as error:
            await connection.reply(error.status, JSON, orjson.dumps(error_document(error)))

    async def _answer(self, connection: LaneConnection) -> None:
        head = connection.head
        route = ROUTES.get(head.path) if head.method == "POST" else None
        try:
            if route is not None:
                await exchange(self._gateway, connection, *route)
            else:
                await bridge(self._app, connection, self._gateway)
        except HedgerowError:
            raise
        except Exception:  # guard: the client sees a masked 500, the log the rest
            log.exception("a request failed")
            if not connection.started:
                error = GatewayError("unexpected")
                await connection.reply(500, JSON, orjson.dumps(error_document(error)))

    async def _reap(self) -> None:
        """Cancel connections whose deadline has passed."""
        while True:
            await trio.sleep(REAP_S)
            now = self._gateway.clock()
            for connection in self._connections:
                if connection.deadline < now:
                    connection.expire()


def is_loopback(host: str) -> bool:
    """Is this peer address of this machine?"""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))
