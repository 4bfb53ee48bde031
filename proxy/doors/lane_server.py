"""Accepting clients, and what one connection's requests go to.

Every client comes in here. What agrees on HTTP/2 is handed to the second door; the rest is HTTP/1.1.
"""

import logging
import socket
from typing import Protocol

import orjson
import trio

from proxy.config.settings import LimitSettings
from proxy.doors.answer import JSON, answer, refuse
from proxy.doors.bridge import AsgiApp
from proxy.doors.departures import departures
from proxy.doors.lane import LaneConnection, Terms
from proxy.doors.listener import Listener
from proxy.doors.quota import Quota, connections_for, descriptors, memory_bytes
from proxy.doors.transfer import TlsTransfer, Transfer
from proxy.errors import (
    ClientClosedError,
    HedgerowError,
    InvalidRequestError,
)
from proxy.gateway import Gateway
from proxy.model.envelope import error_document
from proxy.policy.admission import is_loopback

log = logging.getLogger("hedgerow.lane")

REAP_S = 1.0
"""How often deadlines of client connections are looked at."""
ACCEPT_PAUSE_S = 0.1
"""Rest after running out of descriptors."""
ACCEPTS_AT_ONCE = 64
"""Connections accepted before others have their turn: one at a time, a crowd that comes at once waits
for a round of the loop each, some 5 ms under load."""


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a client begins HTTP/2 that it knows we speak (RFC 9113 3.4)."""
ADDRESS_SHARE = 0.5
"""Of all connections that may come from one address, unless settings say otherwise."""


class SecondDoor(Protocol):
    """Serves connections that do not speak HTTP/1.1."""

    async def serve_h2(
        self, sock: socket.socket, received: bytes, *, local: bool, announce: bytes
    ) -> None:
        """One HTTP/2 connection, to its end; `received` was read from it already."""
        ...


class Lane:
    """The HTTP/1.1 door over any number of listening sockets."""

    def __init__(self, gateway: Gateway, app: AsgiApp, second: SecondDoor) -> None:
        self._gateway = gateway
        self._app = app
        self._second = second
        self._connections: set[LaneConnection] = set()
        self.quota = quota_of(gateway.settings.limits)
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

    async def serve(self, listeners: list[Listener]) -> None:
        """Accept and serve until cancelled; closes the listeners."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reap)
            nursery.start_soon(self._departures.run)
            with self._accepting:
                async with trio.open_nursery() as acceptors:
                    for listener in listeners:
                        acceptors.start_soon(self._accept, listener, nursery)

    async def _accept(self, listener: Listener, nursery: trio.Nursery) -> None:
        sock = listener.sock
        with listener.closing():
            while True:
                await trio.lowlevel.wait_readable(sock)
                for _ in range(ACCEPTS_AT_ONCE):
                    try:
                        client, address = sock.accept()
                    except BlockingIOError:
                        break
                    except OSError as error:
                        log.warning("accept failed: %s", error)
                        await trio.sleep(ACCEPT_PAUSE_S)
                        break
                    self._admit(client, address[0] if listener.tcp else "", listener, nursery)

    def _admit(
        self, client: socket.socket, peer: str, listener: Listener, nursery: trio.Nursery
    ) -> None:
        client.setblocking(False)
        refusal = self.quota.refusal(peer)
        if refusal is None:
            self.quota.enter(peer)  # here: the next of the crowd comes before this one's task runs
            nursery.start_soon(self._serve, client, peer, listener)
        else:
            self._refuse(client, refusal, listener)

    def _refuse(self, client: socket.socket, error: HedgerowError, listener: Listener) -> None:
        """No place for this connection: say so where that is possible in clear text."""
        self._gateway.statistics.connection_cut("full")
        transfer = Transfer(client, self._gateway.settings.limits, self._gateway.clock)
        if listener.tls is None:
            body = orjson.dumps(error_document(error))
            status = b"HTTP/1.1 %d \r\n" % error.status
            framing = b"retry-after: 1\r\nconnection: close\r\ncontent-length: %d\r\n" % len(body)
            transfer.last_words(b"%b%b%b\r\n%b" % (status, JSON, framing, body))
        transfer.close()

    async def _serve(self, client: socket.socket, peer: str, listener: Listener) -> None:
        """One connection; whatever it does ends here."""
        gateway, limits = self._gateway, self._gateway.settings.limits
        kind = Transfer if listener.tls is None else TlsTransfer
        connection = LaneConnection(
            kind(client, limits, gateway.clock),
            Terms(limits, listener.parser, listener.announce),
            gateway.clock,
            local=not listener.tcp or is_loopback(peer),
            address=peer,
            idle=self.quota.idle,
        )
        self._connections.add(connection)
        self._departures.watch(connection)
        gateway.statistics.connection_opened()
        try:
            with connection.scope:
                await self._speak(connection, listener)
            if connection.left_early:
                gateway.statistics.departed()
        except Exception:  # guard: one connection's bug is nobody else's
            log.exception("a connection failed")
        finally:
            self._connections.discard(connection)
            self.quota.leave(peer)
            if self._accepting.cancel_called and not self._connections:
                self._empty.set()
            gateway.statistics.connection_closed()
            try:
                self._departures.forget(connection)
            finally:
                connection.transfer.close()

    async def _speak(self, connection: LaneConnection, listener: Listener) -> None:
        """Agree on a protocol, then serve requests until one of the two sides has had enough."""
        try:
            agreed, received = "", b""
            if listener.tls is not None:
                agreed = await connection.establish(listener.tls.context())
            if listener.settings.speaks_http2 and agreed != "h2":
                # In TLS as well: some clients offer both, are given HTTP/1.1, and insist.
                received = await connection.begins_with(PREFACE)
            if agreed == "h2" or received:
                connection.hand_over()
                await self._second.serve_h2(
                    connection.sock, received, local=connection.local, announce=listener.announce
                )
                return
            await self._serve_each(connection)
            await connection.linger()
        except ClientClosedError:
            connection.leave()

    async def _serve_each(self, connection: LaneConnection) -> None:
        try:
            while await connection.next_request():
                await answer(self._gateway, self._app, connection)
                if not connection.complete:
                    return
        except ClientClosedError:
            raise
        except HedgerowError as error:
            if isinstance(error, InvalidRequestError):
                self._gateway.statistics.connection_cut("malformed")
            await refuse(error, connection)

    async def _reap(self) -> None:
        """Cancel connections whose deadline has passed."""
        while True:
            await trio.sleep(REAP_S)
            now = self._gateway.clock()
            for connection in self._connections:
                if connection.transfer.deadline < now:
                    self._gateway.statistics.connection_cut("slow")
                    connection.expire()


def quota_of(limits: LimitSettings) -> Quota:
    """Places for client connections, as settings, descriptors and memory allow."""
    total = limits.connections_max or connections_for(descriptors(), memory_bytes())
    return Quota(total, limits.connections_per_address_max or max(int(total * ADDRESS_SHARE), 1))
