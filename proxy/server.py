"""Builds a gateway from settings, and runs it: the only module that makes long-lived services."""

import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from proxy.catalog.catalog import Catalog
from proxy.config.settings import Settings
from proxy.console.app import build_app
from proxy.doors.bridge import AsgiApp
from proxy.doors.hypercorn import HypercornDoor
from proxy.doors.lane_server import Lane
from proxy.doors.listener import Listener, open_listeners, read_certificates
from proxy.doors.quota import raise_descriptors
from proxy.gateway import Gateway
from proxy.ledger.memory import MemoryLedger
from proxy.live.arm_metrics import ArmMetrics
from proxy.live.hedge_metrics import HedgeMetrics
from proxy.live.live import build_live
from proxy.live.metrics import EndpointMetrics
from proxy.live.pulse import Pulse
from proxy.model.document import Document
from proxy.model.endpoint import Provider
from proxy.net.clock import Identities, monotonic_clock, unix_seconds
from proxy.net.connection import Dialler
from proxy.net.credentials import read_text, resolve_secret
from proxy.net.pool import Upstreams
from proxy.observe.statistics import Statistics
from proxy.policy.preferences import read_preferences
from proxy.policy.roster import Roster, make_roster
from proxy.sandbox.server import serve_sandbox

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


def make_rosters(settings: Settings, catalog: Catalog) -> dict[str, Roster]:
    """What `[policy]` leaves of every model's endpoints, by model id."""
    most = read_preferences(ceilings(settings))
    return {model.id: make_roster(model, most) for model in catalog.models.values()}


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
        return resolve_secret(reference, environ=environ, read_file=read_text)

    def to_sandbox(provider: Provider) -> Dialler:
        return sandbox.dial

    clock = monotonic_clock()
    served = catalog.models.values()
    live = build_live(settings, {model.id: len(model.endpoints) for model in served}, clock)
    statistics = Statistics()
    statistics.include(EndpointMetrics(live.board, live.health, clock))
    statistics.include(ArmMetrics(live.arms))
    statistics.include(HedgeMetrics(live.hedges))
    upstreams = Upstreams(
        resolve,
        clock=clock,
        diallers={"sandbox": to_sandbox},
        limits=settings.limits,
        environ=environ,
        on_rest=live.health.rest_provider,
    )
    upstreams.prepare(catalog.providers.values())
    return Gateway(
        settings=settings,
        catalog=catalog,
        upstreams=upstreams,
        ledger=MemoryLedger(),
        statistics=statistics,
        live=live,
        identities=Identities(),
        keys=keys,
        rosters=make_rosters(settings, catalog),
        clock=clock,
        unix=unix_seconds,
        ready=lambda: not phase.draining,
    )


def rehearse(settings: Settings, catalog: Catalog, environ: Mapping[str, str]) -> None:
    """Read every secret, certificate and proxy as a start would, in a task of trio.

    Raises: ConfigError.
    """
    gateway = build_gateway(
        settings, catalog, keys=frozenset(), environ=environ, sandbox=SandboxHost(), phase=Phase()
    )
    read_certificates(settings, gateway.clock)


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers."""

    gateway: Gateway
    app: AsgiApp
    """The console; management API, health and metrics."""
    lane: Lane
    second: HypercornDoor
    urls: list[str]
    """Base URLs, one per bound address; "unix:/path" for a unix socket."""
    phase: Phase

    async def drain(self) -> None:
        """Accept nothing more; returns when what was begun is answered."""
        self.phase.draining = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.lane.drain)
            nursery.start_soon(self.second.drain)


@asynccontextmanager
async def running(
    settings: Settings, catalog: Catalog, *, keys: frozenset[str] = frozenset(),
    environ: Mapping[str, str] = os.environ, listen: bool = True,
) -> AsyncIterator[Running]:  # fmt: skip
    """Run a gateway inside this block; what is in progress at its end is cut.

    Args:
        listen: False: no socket is opened; whoever embeds the gateway calls it.
    Raises: ConfigError.
    """
    sandbox, phase = SandboxHost(), Phase()
    gateway = build_gateway(
        settings, catalog, keys=keys, environ=environ, sandbox=sandbox, phase=phase
    )
    pulse = Pulse(gateway.live.board, settings.server.data, gateway.clock, gateway.unix)
    app = build_app(gateway)
    second = HypercornDoor(gateway, app)
    lane = Lane(gateway, app, second)
    listeners = open_listeners(settings, gateway.clock) if listen else []
    pulse.load()
    async with _closing(listeners), trio.open_nursery() as nursery:
        sandbox.run_in(nursery)
        nursery.start_soon(gateway.upstreams.watch.run)  # noqa: ASYNC113 - nothing to wait for
        nursery.start_soon(pulse.run)  # noqa: ASYNC113 - nothing to wait for
        nursery.start_soon(lane.serve, listeners)  # noqa: ASYNC113 - the sockets listen already
        _serve_datagrams(listeners, second, nursery)
        try:
            yield Running(gateway, app, lane, second, [one.url for one in listeners], phase)
        finally:
            nursery.cancel_scope.cancel()
            gateway.upstreams.close()
            pulse.keep()


@asynccontextmanager
async def _closing(listeners: Sequence[Listener]) -> AsyncIterator[None]:
    """Close them when nobody waits for them any more."""
    try:
        yield
    finally:
        for listener in listeners:
            listener.close()


def _serve_datagrams(
    listeners: Sequence[Listener], second: HypercornDoor, nursery: trio.Nursery
) -> None:
    for listener in listeners:
        if listener.datagrams is not None:
            assert listener.tls is not None
            nursery.start_soon(second.serve_h3, listener.datagrams, listener.tls)


async def serve(
    settings: Settings, catalog: Catalog, *, keys: frozenset[str], environ: Mapping[str, str],
    announce: Announce, signals: bool = False,
) -> None:  # fmt: skip
    """Run a gateway until cancelled, or, with `signals`, until SIGINT or SIGTERM.

    The first signal drains: requests in progress get `limits.drain_s`; the second one cuts them.
    """
    raise_descriptors()
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
