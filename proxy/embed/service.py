"""A gateway that runs on the loop which opened it, and what calls it from inside the process.

Rule 1: it belongs to the process that made it; a copy of it behind a fork refuses.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from proxy.catalog.loader import build_catalog
from proxy.doors.asgi import build_asgi
from proxy.doors.bridge import AsgiApp
from proxy.doors.inprocess import InProcess, serve_inprocess
from proxy.embed.crossing import TrioLoop
from proxy.embed.reading import Source, accepted_keys, read
from proxy.server import Running, running

API_PATH = "/api/v1"


class NotRunningError(Exception):
    """There is no gateway to ask: not started yet, stopped, or left behind by a fork."""


@dataclass(slots=True)
class Service:
    """A running gateway, on its own loop unless said otherwise."""

    run: Running
    asgi: AsgiApp
    loop: TrioLoop
    nursery: trio.Nursery
    pid: int
    closed: bool = False
    calls: int = 0
    """Requests of this process in progress."""
    _idle: trio.Event | None = None

    @property
    def base_url(self) -> str:
        """Of the API, over the first TCP address. Raises: NotRunningError where there is none."""
        for url in self.run.urls:
            if not url.startswith("unix:"):
                near = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
                return near + API_PATH
        raise NotRunningError("The gateway listens on no TCP address; say listen=True.")

    def checked(self) -> "Service":
        """This service, from any thread. Raises: NotRunningError where it does not run here."""
        if self.closed:
            raise NotRunningError("The gateway has stopped.")
        if self.pid != os.getpid():
            raise NotRunningError("The gateway stayed in the process before the fork.")
        return self

    def begin(self, call: InProcess) -> None:
        """Start to answer `call`. Raises: NotRunningError."""
        if self.closed or self.run.phase.draining:
            raise NotRunningError("The gateway has stopped.")
        self.nursery.start_soon(self._serve, call)

    async def _serve(self, call: InProcess) -> None:
        self.calls += 1
        try:
            await serve_inprocess(self.run.gateway, self.run.app, call)
        finally:
            self.calls -= 1
            if self._idle is not None and not self.calls:
                self._idle.set()

    async def drain(self) -> None:
        """Take nothing more; returns when what was begun is answered."""
        await self.run.drain()
        if self.calls:
            self._idle = trio.Event()
            await self._idle.wait()


@asynccontextmanager
async def serving(
    source: Source, *, listen: bool, environ: Mapping[str, str]
) -> AsyncIterator[Service]:
    """Run a gateway inside this block; what is in progress at its end is cut.

    Args:
        listen: open sockets too: where the settings say, else on a free port of this machine.
    Raises: ConfigError.
    """
    reading = read(source, environ)
    settings = reading.with_free_port() if listen else reading.settings
    keys = accepted_keys(settings, environ=environ, listen=listen)
    catalog = build_catalog(settings, environ=environ)
    async with (
        running(settings, catalog, keys=keys, environ=environ, listen=listen) as run,
        trio.open_nursery() as nursery,
    ):
        loop = TrioLoop(trio.lowlevel.current_trio_token())
        asgi = build_asgi(run.gateway, run.app)
        service = Service(run, asgi, loop, nursery, os.getpid())
        try:
            yield service
        finally:
            service.closed = True
            nursery.cancel_scope.cancel()
