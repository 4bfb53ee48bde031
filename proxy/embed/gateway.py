"""The gateway as a block: `async with Gateway(settings) as gateway`, on trio or asyncio alike."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from proxy.embed.crossing import Loop, TrioLoop, here
from proxy.embed.mount import Mounted
from proxy.embed.reading import Source
from proxy.embed.service import NotRunningError, Service, serving
from proxy.embed.thread import ThreadedGateway
from proxy.embed.transport import InProcessTransport


class Gateway:
    """A gateway that runs while a block runs: on trio in the program's own loop, else in a thread."""

    def __init__(
        self, settings: Source = None, *, listen: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:  # fmt: skip
        """Nothing is read or started before the block is entered.

        Args:
            settings: a path, a document, or `Settings`; None: ./hedgerow.toml where there is one,
                and `HEDGEROW_*` variables.
            listen: open sockets too: on a free port of this machine unless the settings say where.
            environ: where keys of providers are looked for.
        """
        self._source = settings
        self._listen = listen
        self._environ = environ
        self._service: Service | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start. Raises: ConfigError."""
        if self._service is not None:
            raise RuntimeError("This gateway runs already; make another.")
        loop = here()
        if isinstance(loop, TrioLoop):
            block = serving(self._source, listen=self._listen, environ=self._environ)
            self._service = await self._stack.enter_async_context(block)
        else:
            self._service = await self._start_elsewhere(loop)
        return self

    async def _start_elsewhere(self, loop: Loop) -> Service:
        threaded = ThreadedGateway(self._source, listen=self._listen, environ=self._environ)

        async def stop() -> None:
            threaded.begin_stop(0.0)
            await loop.result(threaded.ended)
            threaded.stop(0.0)  # waits for the thread's last breath, microseconds

        try:
            service = await loop.result(threaded.ready)
        except BaseException:
            threaded.begin_stop(0.0)
            raise
        self._stack.push_async_callback(stop)
        return service

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Stop; what is in progress is cut. The block's own exception passes as it is."""
        self._service = None
        await self._stack.aclose()

    @property
    def base_url(self) -> str:
        """Of the API: "http://127.0.0.1:PORT/api/v1". Raises: NotRunningError if it does not listen."""
        return self._running().base_url

    @property
    def asgi(self) -> Mounted:
        """The whole gateway as an ASGI app; may be mounted before the block is entered."""
        return Mounted(self._running)

    def transport(self) -> InProcessTransport:
        """A transport for `httpx.AsyncClient`; no socket is used."""
        return InProcessTransport(self._running)

    def _running(self) -> Service:
        if self._service is None:
            raise NotRunningError("The gateway does not run.")
        return self._service
