"""QUIC connections on one datagram socket: Hypercorn's server, with an owner for each connection.

The task that reads datagrams hands each to its connection and never waits for one; each connection has
a task of its own for events, timers and sending, which ends all requests when the connection ends.

Rule 1: no state is kept for an address that has not shown that it receives what we send (Retry).
Rule 2: whatever a datagram makes aioquic raise ends that connection and no other.
"""

import logging
import os
import socket
from collections.abc import Callable
from math import inf

import trio
from aioquic.buffer import Buffer  # type: ignore[attr-defined]  # as its own modules do
from aioquic.h3.connection import H3_ALPN, ErrorCode
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE, QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    ProtocolNegotiated,
    QuicEvent,
)
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler
from hypercorn.config import Config
from hypercorn.trio.udp_server import UDPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper
from hypercorn.utils import parse_socket_addr
from typing_extensions import override

from proxy.config.settings import LimitSettings
from proxy.doors.hypercorn_h2 import Tasks
from proxy.doors.hypercorn_h3 import H3, Address, Terms
from proxy.net.server_tls import ServerTls
from proxy.units import Seconds

log = logging.getLogger("hedgerow.h3")

CONNECTIONS_MAX = 1_000
"""QUIC connections of one listener: each takes a few 100 KB at its busiest."""
CID_BYTES = 8
DATAGRAM_BYTES_MAX = 65_536
LEAVE_S = 1.0
"""How long the last answers may take to be acknowledged when we leave."""
STREAM_WINDOW = 262_144
CONNECTION_WINDOW = 1_048_576
"""Bytes a peer may send before more is granted; aioquic doubles them as they are used."""
AppOf = Callable[[Address], AppWrapper]


class Connection:
    """One QUIC connection."""

    def __init__(self, quic: QuicConnection, client: Address, deadline: float) -> None:
        self.quic = quic
        self.client = client
        self.cids: set[bytes] = set()
        self.h3: H3 | None = None
        self.tasks = Tasks()
        self.over = False
        self.deadline = deadline
        """When it ends unless a request is being served."""
        self._moved = trio.Event()

    def move(self) -> None:
        """There is something to do: a datagram came, or something is to be sent."""
        self._moved.set()

    async def wait_moved(self, until: float) -> None:
        """Wait for something to do, or for the time."""
        with trio.move_on_at(until):
            await self._moved.wait()
        self._moved = trio.Event()

    @property
    def serving(self) -> bool:
        """A request is being served."""
        return self.h3 is not None and bool(self.h3.streams)


class H3Server(UDPServer):
    """All QUIC connections of one datagram socket."""

    def __init__(
        self, app_of: AppOf, config: Config, sock: socket.socket, tls: ServerTls,
        limits: LimitSettings, clock: Callable[[], Seconds],
    ) -> None:  # fmt: skip
        """Serve on `sock`; `app_of` makes the application for a client."""
        super().__init__(app_of, config, WorkerContext(None), {}, sock)  # type: ignore[arg-type]
        self._app_of = app_of
        self._tls = tls
        self._limits = limits
        self._clock = clock
        server = parse_socket_addr(sock.family, sock.getsockname())
        self._terms = Terms(config, limits, clock, server)
        self._connections: dict[bytes, Connection] = {}
        self._open: set[Connection] = set()
        self._retry = QuicRetryTokenHandler()
        self._leaving = False
        self._empty = trio.Event()
        self._loaded_from = tls.context()
        self._quic = self._configuration()

    def _configuration(self) -> QuicConfiguration:
        configuration = QuicConfiguration(
            alpn_protocols=H3_ALPN,
            is_client=False,
            idle_timeout=self._limits.idle_connection_s,
            max_data=CONNECTION_WINDOW,
            max_stream_data=STREAM_WINDOW,
        )
        configuration.load_cert_chain(self._tls.cert, self._tls.key)
        return configuration

    @override
    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                try:
                    data, address = await self.socket.recvfrom(DATAGRAM_BYTES_MAX)
                except OSError:  # an ICMP message about a datagram of ours
                    continue
                try:
                    connection = await self._connection_of(data, address)
                    if connection is None:
                        continue
                    if connection not in self._open:
                        self._open.add(connection)
                        nursery.start_soon(self._serve, connection)
                    connection.quic.receive_datagram(data, address, now=self._clock())
                    connection.move()
                except Exception as error:  # noqa: BLE001 - guard: a datagram that aioquic cannot bear
                    log.warning("a datagram was dropped: %r", error)

    async def drain(self) -> None:
        """Take no request any more, and return when the last one is answered."""
        self._leaving = True
        for connection in self._open:
            connection.move()
        if self._open:
            await self._empty.wait()

    async def _connection_of(self, data: bytes, address: Address) -> Connection | None:
        """The connection that a datagram belongs to, perhaps a new one."""
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CID_BYTES)
        except ValueError:
            return None
        known = self._connections.get(header.destination_cid)
        if known is not None or len(data) < SMALLEST_MAX_DATAGRAM_SIZE:
            return known
        if header.version is not None and header.version not in self._quic.supported_versions:
            if header.packet_type != QuicPacketType.VERSION_NEGOTIATION:
                await self._send(
                    encode_quic_version_negotiation(
                        source_cid=header.destination_cid, destination_cid=header.source_cid,
                        supported_versions=self._quic.supported_versions,
                    ),
                    address,
                )  # fmt: skip
            return None
        if header.packet_type != QuicPacketType.INITIAL or self._leaving:
            return None
        if not header.token:
            await self._ask_again(header, address)
            return None
        return self._accepted(header, address)

    async def _ask_again(self, header: QuicHeader, address: Address) -> None:
        """RFC 9000 8.1.2: let the client show that it receives what is sent to its address."""
        assert header.version is not None
        source_cid = os.urandom(CID_BYTES)
        token = self._retry.create_token(
            address=address, original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=source_cid, now=self._clock(),
        )  # fmt: skip
        packet = encode_quic_retry(
            version=header.version, source_cid=source_cid, destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid, retry_token=token,
        )  # fmt: skip
        await self._send(packet, address)

    def _accepted(self, header: QuicHeader, address: Address) -> Connection | None:
        if len(self._open) >= CONNECTIONS_MAX:
            return None
        try:
            original = self._retry.validate_token(
                address=address, destination_cid=header.destination_cid, token=header.token,
                now=self._clock(),
            )  # fmt: skip
        except ValueError:
            return None
        context = self._tls.context()
        if context is not self._loaded_from:  # its files have changed
            self._quic, self._loaded_from = self._configuration(), context
        quic = QuicConnection(
            configuration=self._quic,
            original_destination_connection_id=original,
            retry_source_connection_id=header.destination_cid,
        )
        deadline = self._clock() + self._limits.head_time_s
        connection = Connection(quic, (address[0], address[1]), deadline)
        for cid in (header.destination_cid, quic.host_cid):
            self._register(connection, cid)
        return connection

    def _register(self, connection: Connection, cid: bytes) -> None:
        connection.cids.add(cid)
        self._connections[cid] = connection

    async def _serve(self, connection: Connection) -> None:
        """One connection; whatever it does ends here."""
        try:
            async with connection.tasks:
                await self._drive(connection)
                connection.tasks.cancel()
        except Exception as error:  # noqa: BLE001 - guard: one connection's bug is nobody else's
            log.warning("an HTTP/3 connection failed: %r", error)
            connection.quic.close(error_code=ErrorCode.H3_INTERNAL_ERROR)
            await self._transmit(connection)
        finally:
            self._open.discard(connection)
            for cid in connection.cids:
                self._connections.pop(cid, None)
            if self._leaving and not self._open:
                self._empty.set()

    async def _drive(self, connection: Connection) -> None:
        """Events, timers and sending, until the connection ends."""
        quic = connection.quic
        while True:
            while (event := quic.next_event()) is not None:
                await self._handle(connection, event)
            if connection.over:
                return
            self._look_at_clock(connection)
            await self._transmit(connection)
            timer = quic.get_timer()
            until = min(inf if timer is None else timer, connection.deadline)
            await connection.wait_moved(until)
            now = self._clock()
            if timer is not None and now >= timer:
                quic.handle_timer(now=now)

    def _look_at_clock(self, connection: Connection) -> None:
        """End what is idle, or asked to leave."""
        h3, now = connection.h3, self._clock()
        if self._leaving and h3 is not None:
            h3.go_away()
        if connection.serving:
            connection.deadline = inf
            return
        if connection.deadline == inf:
            connection.deadline = now + self._limits.idle_connection_s
        if h3 is not None and h3.leaving:  # a client that is gone acknowledges nothing any more
            connection.deadline = min(connection.deadline, now + LEAVE_S)
        finished = h3 is not None and h3.leaving and h3.finished
        if finished or now >= connection.deadline:
            connection.deadline = inf if finished else now + self._limits.head_time_s
            connection.quic.close(error_code=ErrorCode.H3_NO_ERROR)

    async def _handle(self, connection: Connection, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            connection.over = True
        elif isinstance(event, ConnectionIdIssued):
            self._register(connection, event.connection_id)
        elif isinstance(event, ConnectionIdRetired):
            connection.cids.discard(event.connection_id)
            self._connections.pop(event.connection_id, None)
        elif isinstance(event, ProtocolNegotiated):
            connection.deadline = self._clock() + self._limits.idle_connection_s
            connection.h3 = H3(
                self._app_of(connection.client), connection.tasks, connection.quic, self._terms,
                client=connection.client, moved=connection.move,
            )  # fmt: skip
        elif connection.h3 is not None:
            await connection.h3.handle(event)

    async def _transmit(self, connection: Connection) -> None:
        for data, address in connection.quic.datagrams_to_send(now=self._clock()):
            await self._send(data, address)
        if connection.h3 is not None:
            acknowledged, connection.h3.acknowledged = connection.h3.acknowledged, trio.Event()
            acknowledged.set()

    async def _send(self, data: bytes, address: Address) -> None:
        try:
            await self.socket.sendto(data, address)
        except OSError:
            return  # lost, as a datagram may be
