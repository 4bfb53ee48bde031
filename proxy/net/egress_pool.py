"""Connections to places outside the hot path, kept alive per origin, last in first out.

Rule 1: an idle connection serves its own origin only; `listed` is part of the origin, so nobody who
is checked gets a connection of somebody who was not.
Rule 2: whoever has a slot gives it back or drops it; both may be called again.
Rule 3: everything is bounded (origins too, as each has a request or an idle connection), and every
step takes the same time however many requests there are.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from proxy.errors import ShedError
from proxy.net.connection import Connection
from proxy.net.egress_dialling import EgressDialling
from proxy.policy.destinations import Destination
from proxy.units import Seconds


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many of what."""

    connections_max: int = 32
    """In use at a time, per origin; further requests wait, first come, first served."""
    requests_max: int = 512
    """In progress or waiting, over all origins; more are shed."""
    idle_max: int = 64
    """Idle connections over all origins; the one idle for longest is closed."""
    idle_s: Seconds = Seconds(30.0)
    """How long a connection may be idle and serve again, seconds."""


LIMITS = PoolLimits()


class Origin:
    """What there is for one origin."""

    __slots__ = ("idle", "key", "room", "users")

    def __init__(self, key: tuple[str, str, int, bool], connections_max: int) -> None:
        self.key = key
        self.idle: deque[Connection] = deque()
        """The one idle for longest is the first."""
        self.room = trio.Semaphore(connections_max)
        self.users = 0
        """Requests in progress or waiting."""


class Slot:
    """The right to use one connection of an origin, and that connection."""

    __slots__ = ("_origin", "_pool", "connection", "destination")

    def __init__(self, pool: "EgressPool", origin: Origin, destination: Destination) -> None:
        self._pool = pool
        self._origin: Origin | None = origin
        self.destination = destination
        self.connection: Connection | None = None

    async def connect(self, *, fresh: bool) -> Connection:
        """An idle connection, or a new one; what the slot had before is closed.

        Args:
            fresh: never an idle one.
        Raises: UpstreamUnavailableError, ShedError.
        """
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        assert self._origin is not None
        if not fresh:
            self.connection = self._pool.woken(self._origin)
        if self.connection is None:
            self.connection = await self._pool.dial(self.destination)
        return self.connection

    def give(self) -> None:
        """The reply was read to its end: the connection may serve again."""
        connection, self.connection = self.connection, None
        if connection is not None and self._origin is not None:
            self._pool.rest(self._origin, connection)
        self.drop()

    def drop(self) -> None:
        """Close the connection, if there is one, and make room."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.room.release()
            self._pool.leave(origin)


class EgressPool:
    """All connections of one egress."""

    def __init__(
        self, dialling: EgressDialling, clock: Callable[[], Seconds], limits: PoolLimits = LIMITS
    ) -> None:
        self._dialling = dialling
        self._clock = clock
        self._limits = limits
        self._origins: dict[tuple[str, str, int, bool], Origin] = {}
        self._resting: OrderedDict[Connection, Origin] = OrderedDict()
        """Idle connections of all origins, the one idle for longest first."""
        self._requests = 0
        self._closed = False

    async def slot(self, destination: Destination) -> Slot:
        """Wait for room at the origin. Raises: ShedError where too many want something already."""
        if self._requests >= self._limits.requests_max or self._closed:
            raise ShedError("Too many requests to other services are in progress.")
        origin = self._origins.get(destination.origin)
        if origin is None:
            origin = Origin(destination.origin, self._limits.connections_max)
            self._origins[origin.key] = origin
        origin.users += 1
        self._requests += 1
        try:
            await origin.room.acquire()
        except BaseException:  # cancelled: the place in the queue is gone
            self.leave(origin)
            raise
        return Slot(self, origin, destination)

    async def dial(self, destination: Destination) -> Connection:
        """One connection more. Raises: UpstreamUnavailableError, ShedError."""
        return await self._dialling.connect(destination)

    def leave(self, origin: Origin) -> None:
        """A request has ended."""
        origin.users -= 1
        self._requests -= 1
        self._forget(origin)

    def woken(self, origin: Origin) -> Connection | None:
        """The connection that became idle last, if it still looks alive."""
        self._tidy()
        while origin.idle:
            connection = origin.idle.pop()
            del self._resting[connection]
            if connection.looks_alive():
                return connection
            connection.close()
        return None

    def rest(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection that may serve again."""
        if self._closed:
            connection.close()
            return
        connection.served += 1
        connection.idle_since = self._clock()
        origin.idle.append(connection)
        self._resting[connection] = origin
        self._tidy()

    def _tidy(self) -> None:
        """Close what is idle for too long, or too many; each once, so little per request."""
        expired = self._clock() - self._limits.idle_s
        while self._resting:
            connection, origin = next(iter(self._resting.items()))
            if len(self._resting) <= self._limits.idle_max and connection.idle_since >= expired:
                return
            del self._resting[connection]
            origin.idle.popleft()  # the oldest of all is the oldest of its origin
            connection.close()
            self._forget(origin)

    def _forget(self, origin: Origin) -> None:
        """An origin that nobody uses is not kept: strangers choose them."""
        if not origin.users and not origin.idle:
            self._origins.pop(origin.key, None)

    def close(self) -> None:
        """Close what is idle, now, and the rest when its requests end; nothing more is begun."""
        self._closed = True
        while self._resting:
            connection, origin = self._resting.popitem()
            origin.idle.clear()
            connection.close()
            self._forget(origin)

    @property
    def idle(self) -> int:
        """Connections at rest."""
        return len(self._resting)

    @property
    def origins(self) -> int:
        """Origins with a request or a connection."""
        return len(self._origins)
