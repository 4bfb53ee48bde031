"""Builds a gateway from settings, and runs it: the only module that makes long-lived services."""

import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from proxy.catalog.catalog import Catalog
from proxy.config.bind import Bind, parse_bind
from proxy.config.settings import Settings
from proxy.console.app import build_app
from proxy.doors.lane_server import Lane
from proxy.errors import ConfigError
from proxy.gateway import Gateway
from proxy.ledger.memory import MemoryLedger
from proxy.model.document import Document
from proxy.model.endpoint import Provider
from proxy.net.clock import Identities, monotonic_clock, unix_seconds
from proxy.net.connection import Dialler
from proxy.net.credentials import resolve_secret
from proxy.net.pool import Upstreams
from proxy.observe.statistics import Statistics
from proxy.sandbox.server import serve_sandbox

BACKLOG = 2048
"""Connections that may wait to be accepted."""

GC_THRESHOLD = 20_000
"""Allocations between collections of the youngest generation: at 700, Python's own, collecting takes
3.5 % of the CPU, and what a request makes is freed by reference counts anyway."""

Announce = Callable[[Sequence[str]], None]


def ceilings(settings: Settings) -> Document:
    """`[policy]` as a request's `provider` object; empty where nothing is set."""
    policy = settings.policy
    prices: Document = {
        name: price
        for name in ("prompt", "completion")
        if (price := getattr(policy.max_price, name)) is not None
    }
    wanted: Document = {
        "data_collection": "deny" if policy.data_collection == "deny" else None,
        "zdr": policy.zdr or None,
        "only": list(policy.only) or None,
        "ignore": list(policy.ignore) or None,
        "max_price": prices or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


@dataclass(slots=True)
class Phase:
    """How far a gateway's life has come."""

    draining: bool = False
    """It answers what it has begun, and is no longer ready for more."""


class SandboxHost:
    """Runs the sandbox's side of each connection that is dialled to it."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None

    def run_in(self, nursery: trio.Nursery) -> None:
        """From now on connections may be dialled; their tasks live in `nursery`."""
        self._nursery = nursery

    def dial(self) -> socket.socket:
        """A fresh connection to the sandbox."""
        assert self._nursery is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._nursery.start_soon(serve_sandbox, theirs)
        return ours


def build_gateway(
    settings: Settings, catalog: Catalog, *, keys: frozenset[str], environ: Mapping[str, str],
    sandbox: SandboxHost, phase: "Phase",
) -> Gateway:  # fmt: skip
    """Make the services; secrets and TLS files are read here. Raises: ConfigError."""

    def resolve(reference: str) -> str:
        return resolve_secret(reference, environ=environ, read_file=_read_file)

    def to_sandbox(provider: Provider) -> Dialler:
        return sandbox.dial

    limits, clock = settings.limits, monotonic_clock()
    upstreams = Upstreams(
        resolve,
        clock=clock,
        diallers={"sandbox": to_sandbox},
        connections_max=limits.upstream_connections_max,
        idle_s=limits.upstream_idle_s,
    )
    upstreams.prepare(catalog.providers.values())
    return Gateway(
        settings=settings,
        catalog=catalog,
        upstreams=upstreams,
        ledger=MemoryLedger(),
        statistics=Statistics(),
        identities=Identities(),
        keys=keys,
        ceilings=ceilings(settings),
        clock=clock,
        unix=unix_seconds,
        ready=lambda: not phase.draining,
    )


def _read_file(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers."""

    gateway: Gateway
    lane: Lane
    urls: list[str]
    """Base URLs, one per bound address; "unix:/path" for a unix socket."""
    phase: Phase

    async def drain(self) -> None:
        """Accept nothing more; returns when what was begun is answered."""
        self.phase.draining = True
        await self.lane.drain()


@asynccontextmanager
async def running(
    settings: Settings, catalog: Catalog, *, keys: frozenset[str] = frozenset(),
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Running]:  # fmt: skip
    """Run a gateway inside this block; what is in progress at its end is cut. Raises: ConfigError."""
    sandbox, phase = SandboxHost(), Phase()
    gateway = build_gateway(
        settings, catalog, keys=keys, environ=environ, sandbox=sandbox, phase=phase
    )
    lane = Lane(gateway, build_app(gateway))
    listeners, urls = listen(settings)
    async with trio.open_nursery() as nursery:
        sandbox.run_in(nursery)
        nursery.start_soon(gateway.upstreams.watch.run)  # noqa: ASYNC113 - nothing to wait for
        nursery.start_soon(lane.serve, listeners)  # noqa: ASYNC113 - the sockets listen already
        try:
            yield Running(gateway, lane, urls, phase)
        finally:
            nursery.cancel_scope.cancel()
            gateway.upstreams.close()
            _remove_sockets(urls)


def _remove_sockets(urls: Sequence[str]) -> None:
    for url in urls:
        if url.startswith("unix:"):
            Path(url.removeprefix("unix:")).unlink(missing_ok=True)


async def serve(
    settings: Settings, catalog: Catalog, *, keys: frozenset[str], environ: Mapping[str, str],
    announce: Announce, signals: bool = False,
) -> None:  # fmt: skip
    """Run a gateway until cancelled, or, with `signals`, until SIGINT or SIGTERM.

    The first signal drains: requests in progress get `limits.drain_s`; the second one cuts them.
    """
    async with running(settings, catalog, keys=keys, environ=environ) as run:
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)
        if not signals:
            announce(run.urls)
            await trio.sleep_forever()
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            announce(run.urls)
            await anext(received)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_drain, run, settings.limits.drain_s, nursery.cancel_scope)
                await anext(received)
                nursery.cancel_scope.cancel()


async def _drain(run: Running, drain_s: float, done: trio.CancelScope) -> None:
    with trio.move_on_after(drain_s):
        await run.drain()
    done.cancel()


def listen(settings: Settings) -> tuple[list[socket.socket], list[str]]:
    """Bind every address of `server.bind`. Raises: ConfigError for one in use or not ours."""
    listeners: list[socket.socket] = []
    urls: list[str] = []
    for configured in settings.server.listeners:
        text = configured.address
        bind = parse_bind(text)
        try:
            listener = _bound(bind)
        except OSError as error:
            for other in listeners:
                other.close()
            raise ConfigError(f"server.bind: cannot listen on {text}: {error.strerror}") from None
        listeners.append(listener)
        urls.append(_url(bind, listener))
    return listeners, urls


def _bound(bind: Bind) -> socket.socket:
    """A listening, non-blocking socket. Raises: OSError."""
    if bind.path:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _bind_unix(listener, bind.path)
    else:
        found = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _close_on_error(listener, partial(listener.bind, address))
    listener.setblocking(False)
    listener.listen(BACKLOG)
    return listener


def _bind_unix(listener: socket.socket, path: str) -> None:
    """Bind a socket file that only our user may open; one that nobody answers is replaced."""
    if Path(path).is_socket() and not _answers(path):
        Path(path).unlink()
    before = os.umask(0o177)
    try:
        _close_on_error(listener, partial(listener.bind, path))
    finally:
        os.umask(before)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0


def _close_on_error(listener: socket.socket, action: Callable[[], None]) -> None:
    try:
        action()
    except OSError:
        listener.close()
        raise


def _url(bind: Bind, listener: socket.socket) -> str:
    if bind.path:
        return f"unix:{bind.path}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
