"""Keep-alive connections per origin, last in first out, and the request head for each endpoint.

Rule 1: a connection goes back only when its reply was read to the end and nothing came behind it.
Rule 2: whoever takes a connection gives it back or closes it; after a cancel it is closed.
Rule 3: while somebody waits, nothing is idle: what is given back or closed is the first waiter's turn.
"""

import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from proxy.config.settings import LimitSettings
from proxy.dialects.registry import DIALECTS
from proxy.errors import ShedError
from proxy.model.call import Surface
from proxy.model.endpoint import Endpoint, Provider
from proxy.net.addresses import Addresses, Resolver
from proxy.net.connection import Connection, Dialler
from proxy.net.credentials import Secret
from proxy.net.dialling import Dialling
from proxy.net.key import Lease
from proxy.net.keyring import Keyring, OnRest
from proxy.net.proxies import Proxy, Tunnel, choose_proxy
from proxy.net.tls import ClientContexts
from proxy.net.waiters import Waiter, Waiters
from proxy.net.watch import Watch
from proxy.units import Seconds
from proxy.wire.body import BodyReader

TO_PROXY = "proxy-authorization"
"""A header field that no provider gets."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    dial: Dialler | None = None
    """For an in-process provider; then host and port are only names."""
    proxy: Proxy | None = None
    """What is dialled instead: requests go through it, with TLS in a tunnel."""

    def connection(self) -> Connection:
        """One more, yet to be established. Raises: OSError where the dialler has no socket."""
        sock = self.dial() if self.dial is not None else None
        tunnel = None
        if self.proxy is not None and self.tls is not None:
            tunnel = Tunnel(self.proxy, self.host, self.port)
        return Connection(self.host, self.tls, sock, tunnel)


class Pool:
    """Connections to one origin."""

    def __init__(
        self, origin: Origin, clock: Callable[[], Seconds], watch: Watch, limits: LimitSettings,
        addresses: Addresses,
    ) -> None:  # fmt: skip
        self.origin = origin
        self._clock = clock
        self.watch = watch
        self._connections_max = limits.upstream_connections_max
        self._idle_s = limits.upstream_idle_s
        self._idle: deque[Connection] = deque()
        self._open = 0
        self._addresses = addresses
        """Of the origin, or of the proxy in front of it."""
        self._waiters = Waiters(limits.upstream_waiters_max)

    def take(self) -> Connection | None:
        """An idle connection that still looks alive, or None: dial with `fresh`."""
        now = self._clock()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since <= self._idle_s and connection.looks_alive():
                return connection
            self.discard(connection)
        return None

    def fresh(self) -> Connection | None:
        """A connection yet to be established, or None at the origin's cap: `line_up`.

        Raises: ShedError where this machine has no socket left.
        """
        if self._open >= self._connections_max:
            return None
        connection = self._made()
        self._open += 1
        return connection

    def renewed(self, connection: Connection) -> Connection:
        """Close one that had died unseen; one that nobody ever used takes its place, at once.

        Raises: ShedError where this machine has no socket left; then nothing has changed.
        """
        replacement = self._made()
        self.watch.waits.discard(connection)
        connection.close()
        return replacement

    def _made(self) -> Connection:
        try:
            return self.origin.connection()
        except OSError:
            raise ShedError("No socket is left for a connection to a provider.") from None

    async def establish(self, connection: Connection) -> None:
        """Find, dial, pass the proxy, shake hands; resumable. Raises: UpstreamUnavailableError."""
        if not connection.addressed:
            peer = "Provider" if self.origin.proxy is None else "Proxy"
            addresses = await self._addresses.find(peer)
            connection.dial(Dialling(addresses, self._clock, peer))
        await connection.establish()
        assert connection.sock is not None
        self._addresses.won(connection.sock.family)

    def line_up(self) -> Waiter:
        """Come last among those who wait; then `turn`, then perhaps `leave`.

        Raises: ShedError where too many wait already.
        """
        return self._waiters.join()

    async def turn(self, waiter: Waiter) -> Connection:
        """Wait for a connection to be given back or closed; resumable, and the place is kept.

        Returns: one to use, or to establish; the waiter is done with then.
        Raises: ShedError where this machine has no socket left.
        """
        await waiter.turn.wait()
        connection = waiter.connection
        if connection is not None:
            await connection.await_tail()
            if connection.looks_alive():
                return connection
            connection.close()
            waiter.connection = None
        return self._made()

    def leave(self, waiter: Waiter) -> None:
        """Give up waiting; a turn that has come already goes to the next one."""
        if not waiter.turn.is_set():
            self._waiters.leave(waiter)
        elif waiter.connection is None:
            self._free()
        else:
            self._hand_on(waiter.connection)

    def give(self, connection: Connection, tail: BodyReader | None = None) -> None:
        """Return a connection whose reply is complete, but for the framing's end in `tail`."""
        connection.tail = tail
        self.watch.waits.discard(connection)
        connection.served += 1
        connection.idle_since = self._clock()
        if self._waiters:
            self._hand_on(connection)
        else:
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Close a connection for good."""
        self.watch.waits.discard(connection)
        connection.close()
        self._free()

    def _hand_on(self, connection: Connection) -> None:
        if not self._waiters.hand(connection):
            self._idle.append(connection)

    def _free(self) -> None:
        """There is room for one connection more: the first waiter's, if there is one."""
        if not self._waiters.hand(None):
            self._open -= 1

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
        """Connections at rest or in use; a waiter's turn to dial is one."""
        return self._open

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return len(self._waiters)


@dataclass(frozen=True, slots=True)
class Upstream:
    """How to reach one endpoint."""

    pool: Pool
    heads: Mapping[Surface, bytes] = field(repr=False)
    """Request heads up to the value of Content-Length; they hold the secret, of several the first."""
    keyring: Keyring | None = None
    """Its keys; None: it is asked without one."""

    def request(
        self, surface: Surface, body: bytes, more: bytes = b"", lease: Lease | None = None
    ) -> bytes:
        """The whole request, head and body.

        Args:
            more: further header lines, each with its CRLF.
            lease: of the key to send it with; None: without one, or with the only one.
        """
        heads = self.heads if lease is None else lease.key.heads
        return b"%b%d\r\n%b\r\n%b" % (heads[surface], len(body), more, body)


def ignore_rest(provider: str, until: Seconds | None) -> None:
    """For who plans without knowing which providers rest."""


class Upstreams:
    """All providers' pools; made once, closed once."""

    def __init__(
        self,
        resolve: Callable[[str], str],
        *,
        clock: Callable[[], Seconds],
        diallers: Mapping[str, Callable[[Provider], Dialler]],
        limits: LimitSettings,
        environ: Mapping[str, str],
        on_rest: OnRest = ignore_rest,
    ) -> None:
        self._resolve = resolve
        self._clock = clock
        self._diallers = diallers
        self._limits = limits
        self._environ = environ
        """Where HTTPS_PROXY and its like are looked for."""
        self._on_rest = on_rest
        self._pools: dict[tuple[str, str | None, str | None, Proxy | None], Pool] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._contexts = ClientContexts()
        self._resolver = Resolver()
        self._addresses: dict[tuple[str, int], Addresses] = {}
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
        """Read secrets, proxies and TLS files now. Raises: ConfigError, so that no request has to."""
        for provider in providers:
            if provider.id not in self._upstreams:
                self._upstreams[provider.id] = self._build(provider)

    def pools(self) -> list[Pool]:
        """Every pool, for statistics and tests."""
        return list(self._pools.values())

    def keyrings(self) -> dict[str, Keyring]:
        """By id, the keys of every provider that is asked with one; for statistics and tests."""
        return {
            name: upstream.keyring
            for name, upstream in self._upstreams.items()
            if upstream.keyring is not None
        }

    def close(self) -> None:
        """Close all idle connections."""
        for pool in self._pools.values():
            pool.close()

    def _build(self, provider: Provider) -> Upstream:
        url = urlsplit(provider.base_url)
        references: list[str | None] = [one.key for one in provider.credentials]
        references = references or [provider.api_key]
        every = [self._fields(provider, reference) for reference in references]
        to_proxy = [fields.pop(TO_PROXY, None) for fields in every]
        proxy = self._proxy(provider, to_proxy[0])
        key = (f"{url.scheme}://{url.netloc}", provider.ca_file, provider.client_cert, proxy)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._pool(provider, proxy)
        heads = [_heads(provider, pool.origin, fields) for fields in every]
        if references == [None]:
            return Upstream(pool, heads[0])
        keyring = Keyring(provider, heads, clock=self._clock, on_rest=self._on_rest)
        return Upstream(pool, heads[0], keyring)

    def _fields(self, provider: Provider, reference: str | None) -> dict[str, str]:
        """Header fields with secrets in them, by name in lower case.

        Args:
            reference: of the key, if there is one.
        """
        fields = {}
        if reference is not None:
            secret = self._resolve(reference)
            if provider.auth == "bearer":
                fields["authorization"] = f"Bearer {secret}"
            else:
                fields[provider.auth] = secret
        for name, value in provider.headers:
            referred = value.startswith(("env:", "file:"))
            fields[name.lower()] = self._resolve(value) if referred else value
        return fields

    def _proxy(self, provider: Provider, authorization: str | None) -> Proxy | None:
        """The proxy, if one leads there; a header of the settings counts more than its URL."""
        if urlsplit(provider.base_url).scheme in self._diallers:
            return None
        proxy = choose_proxy(provider, self._environ, self._resolve)
        if proxy is None or authorization is None:
            return proxy
        return replace(proxy, authorization=Secret(authorization))

    def _pool(self, provider: Provider, proxy: Proxy | None) -> Pool:
        origin = self._origin(provider, proxy)
        where = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
        if where not in self._addresses:
            self._addresses[where] = Addresses(*where, self._clock, self._resolver)
        return Pool(origin, self._clock, self.watch, self._limits, self._addresses[where])

    def _origin(self, provider: Provider, proxy: Proxy | None) -> Origin:
        url = urlsplit(provider.base_url)
        if url.scheme in self._diallers:
            return Origin(url.scheme, 0, None, self._diallers[url.scheme](provider))
        tls = self._contexts.of(provider) if url.scheme == "https" else None
        return Origin(url.hostname or "", url.port or (443 if tls else 80), tls, None, proxy)


def _heads(provider: Provider, origin: Origin, fields: Mapping[str, str]) -> dict[Surface, bytes]:
    """For each surface the head with these fields."""
    url = urlsplit(provider.base_url)
    target = url.path.rstrip("/")
    lines = [f"{name}: {value}" for name, value in fields.items()]
    if origin.proxy is not None and origin.tls is None:  # RFC 9112 3.2.2: proxies want it whole
        target = f"http://{url.netloc}{target}"
        lines += origin.proxy.fields
    return {
        surface: _head(target + path, url.netloc or url.scheme, lines)
        for surface, path in DIALECTS[provider.dialect].paths.items()
    }


def _head(target: str, host: str, fields: list[str]) -> bytes:
    lines = [
        f"POST {target} HTTP/1.1",
        f"host: {host}",
        "accept-encoding: identity",
        "content-type: application/json",
        "user-agent: hedgerow",
    ]
    return "\r\n".join([*lines, *fields, "content-length: "]).encode("latin-1")
