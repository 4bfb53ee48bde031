"""Keep-alive connections per origin, last in first out, and the request head for each endpoint.

Rule 1: a connection goes back only when its reply was read to the end and nothing came behind it.
Rule 2: whoever takes a connection gives it back or closes it; after a cancel it is closed.
"""

import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import trio

from proxy.errors import ConfigError, ShedError, UpstreamUnavailableError
from proxy.model.call import Surface
from proxy.model.endpoint import Endpoint, Provider
from proxy.net.connection import Address, Connection, Dialler
from proxy.net.tls import ClientContexts
from proxy.net.watch import Watch
from proxy.units import Seconds
from proxy.wire.body import BodyReader

ADDRESSES_TTL_S = 30.0
"""How long a name's addresses are kept, seconds."""
PATHS: Mapping[Surface, str] = {"chat": "/chat/completions", "completions": "/completions"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to dial."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    dial: Dialler | None = None
    """For an in-process provider; then host and port are only names."""


class Pool:
    """Connections to one origin."""

    def __init__(
        self,
        origin: Origin,
        clock: Callable[[], Seconds],
        watch: Watch,
        *,
        connections_max: int,
        idle_s: float,
    ) -> None:
        self.origin = origin
        self._clock = clock
        self.watch = watch
        self._connections_max = connections_max
        self._idle_s = idle_s
        self._idle: deque[Connection] = deque()
        self._open = 0
        self._addresses: tuple[float, list[Address]] = (-1.0, [])

    def take(self) -> Connection | None:
        """An idle connection that still looks alive, or None: dial with `fresh`."""
        now = self._clock()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since <= self._idle_s and connection.looks_alive():
                return connection
            self.discard(connection)
        return None

    def fresh(self) -> Connection:
        """A connection yet to be established. Raises: ShedError at the origin's cap."""
        if self._open >= self._connections_max:
            raise ShedError(f"More than {self._connections_max} connections to one provider.")
        self._open += 1
        origin = self.origin
        return Connection(origin.host, origin.tls, origin.dial() if origin.dial else None)

    async def addresses(self) -> list[Address]:
        """Resolve the origin; kept for ADDRESSES_TTL_S. Raises: UpstreamUnavailableError."""
        expiry, known = self._addresses
        now = self._clock()
        if now < expiry:
            return known
        try:
            found = await trio.socket.getaddrinfo(
                self.origin.host, self.origin.port, type=socket.SOCK_STREAM
            )
        except OSError:
            raise UpstreamUnavailableError("Provider's name does not resolve.") from None
        known = [(family, (str(at[0]), int(at[1]))) for family, _, _, _, at in found]
        self._addresses = (now + ADDRESSES_TTL_S, known)
        return known

    def give(self, connection: Connection, tail: BodyReader | None = None) -> None:
        """Return a connection whose reply is complete, but for the framing's end in `tail`."""
        connection.tail = tail
        self.watch.waits.discard(connection)
        connection.served += 1
        connection.idle_since = self._clock()
        self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Close a connection for good."""
        self._open -= 1
        self.watch.waits.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self.discard(self._idle.pop())

    @property
    def idle(self) -> int:
        """Connections at rest."""
        return len(self._idle)

    @property
    def open(self) -> int:
        """Connections at rest or in use."""
        return self._open


@dataclass(frozen=True, slots=True)
class Upstream:
    """How to reach one endpoint."""

    pool: Pool
    heads: Mapping[Surface, bytes]
    """Request heads up to the value of Content-Length; they hold the secret: never shown."""

    def request(self, surface: Surface, body: bytes) -> bytes:
        """The whole request, head and body."""
        return b"%b%d\r\n\r\n%b" % (self.heads[surface], len(body), body)


class Upstreams:
    """All providers' pools; made once, closed once."""

    def __init__(
        self,
        resolve: Callable[[str], str],
        *,
        clock: Callable[[], Seconds],
        diallers: Mapping[str, Callable[[Provider], Dialler]],
        connections_max: int,
        idle_s: float,
    ) -> None:
        self._resolve = resolve
        self._clock = clock
        self._diallers = diallers
        self._connections_max = connections_max
        self._idle_s = idle_s
        self._pools: dict[tuple[str, str | None, str | None], Pool] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._contexts = ClientContexts()
        self.watch = Watch(clock)
        """Somebody must `run` it."""

    def of(self, endpoint: Endpoint) -> Upstream:
        """The pool and heads for `endpoint`; cached per provider, since heads do not name models."""
        known = self._upstreams.get(endpoint.provider.id)
        if known is None:
            known = self._build(endpoint.provider)
            self._upstreams[endpoint.provider.id] = known
        return known

    def prepare(self, providers: Iterable[Provider]) -> None:
        """Read secrets and TLS files now. Raises: ConfigError, so that no request has to."""
        for provider in providers:
            if provider.id not in self._upstreams:
                self._upstreams[provider.id] = self._build(provider)

    def pools(self) -> list[Pool]:
        """Every pool, for statistics and tests."""
        return list(self._pools.values())

    def close(self) -> None:
        """Close all idle connections."""
        for pool in self._pools.values():
            pool.close()

    def _build(self, provider: Provider) -> Upstream:
        url = urlsplit(provider.base_url)
        key = (f"{url.scheme}://{url.netloc}", provider.ca_file, provider.client_cert)
        pool = self._pools.get(key)
        if pool is None:
            pool = Pool(
                self._origin(provider),
                self._clock,
                self.watch,
                connections_max=self._connections_max,
                idle_s=self._idle_s,
            )
            self._pools[key] = pool
        fields = self._fields(provider)
        heads = {surface: _head(provider, path, fields) for surface, path in PATHS.items()}
        return Upstream(pool, heads)

    def _fields(self, provider: Provider) -> list[str]:
        """Header lines with secrets in them."""
        fields = []
        if provider.api_key is not None:
            fields.append(f"authorization: Bearer {self._resolve(provider.api_key)}")
        for name, value in provider.headers:
            secret = value.startswith(("env:", "file:"))
            fields.append(f"{name}: {self._resolve(value) if secret else value}")
        return fields

    def _origin(self, provider: Provider) -> Origin:
        if provider.proxy is not None:
            raise ConfigError(f"providers.{provider.id}.proxy: proxies are not supported yet")
        url = urlsplit(provider.base_url)
        if url.scheme in self._diallers:
            return Origin(url.scheme, 0, None, self._diallers[url.scheme](provider))
        tls = self._contexts.of(provider) if url.scheme == "https" else None
        return Origin(url.hostname or "", url.port or (443 if tls else 80), tls)


def _head(provider: Provider, path: str, fields: list[str]) -> bytes:
    url = urlsplit(provider.base_url)
    lines = [
        f"POST {url.path.rstrip('/')}{path} HTTP/1.1",
        f"host: {url.netloc or url.scheme}",
        "accept-encoding: identity",
        "content-type: application/json",
        "user-agent: hedgerow",
    ]
    return "\r\n".join([*lines, *fields, "content-length: "]).encode("latin-1")
