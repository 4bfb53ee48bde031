"""A gateway in a thread of its own: for programs on asyncio, for Django, for notebooks.

Rule 1: the thread never keeps the interpreter from ending, and ends quietly with it.
Rule 2: signal handlers stay as they are. Rule 3: what goes wrong at start is raised to the caller.
"""

import atexit
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Self

import trio

from proxy.embed.mount import Mounted
from proxy.embed.reading import Source
from proxy.embed.service import NotRunningError, Service, serving
from proxy.embed.transport import InProcessTransport
from proxy.net.clock import FastClock

STOP_S = 5.0
"""Seconds that requests in progress get, unless `stop` says otherwise."""
END_S = 5.0
"""Seconds that the thread gets beyond that; cutting what is left takes milliseconds."""


class ThreadedGateway:
    """A gateway in another thread; usable from any, and from any event loop."""

    def __init__(self, source: Source, *, listen: bool, environ: Mapping[str, str]) -> None:
        """Begin to start; `ready` tells when that is done."""
        self.ready: Future[Service] = Future()
        self.ended: Future[None] = Future()
        for future in (self.ready, self.ended):
            future.set_running_or_notify_cancel()  # from now on nobody who waits can cancel them
        self._pid = os.getpid()
        self._drain_s = 0.0
        self._stop: trio.Event | None = None
        work = partial(self._run, source, listen=listen, environ=environ)
        self._thread = threading.Thread(target=work, name="hedgerow", daemon=True)
        atexit.register(self._at_exit)
        self.ended.add_done_callback(lambda _: atexit.unregister(self._at_exit))
        self._thread.start()

    # --- in the thread ---------------------------------------------------------------------------
    def _run(self, source: Source, *, listen: bool, environ: Mapping[str, str]) -> None:
        """Be the gateway's thread."""
        work = partial(self._serve, source, listen=listen, environ=environ)
        try:
            trio.run(work, clock=FastClock())
        except Exception as error:  # noqa: BLE001 - guard: raised where somebody waits
            (self.ended if self.ready.done() else self.ready).set_exception(error)
        finally:
            if not self.ready.done():
                self.ready.set_exception(NotRunningError("The gateway's thread has ended."))
            if not self.ended.done():
                self.ended.set_result(None)

    async def _serve(self, source: Source, *, listen: bool, environ: Mapping[str, str]) -> None:
        stop = self._stop = trio.Event()
        async with serving(source, listen=listen, environ=environ) as service:
            self.ready.set_result(service)
            await stop.wait()
            with trio.move_on_after(self._drain_s):
                await service.drain()

    # --- in any other ----------------------------------------------------------------------------
    @property
    def base_url(self) -> str:
        """Of the API: "http://127.0.0.1:PORT/api/v1". Raises: NotRunningError if it does not listen."""
        return self._service().base_url

    @property
    def asgi(self) -> Mounted:
        """The whole gateway as an ASGI app."""
        return Mounted(self._service)

    def transport(self) -> InProcessTransport:
        """A transport for `httpx.AsyncClient`; no socket is used."""
        return InProcessTransport(self._service)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Take nothing more, let requests in progress end for `timeout_s`, cut the rest.

        Idempotent. Raises: what ended the gateway before, if it was a fault; TimeoutError.
        """
        if self._pid != os.getpid():
            return  # the thread stayed in the process before the fork
        self.begin_stop(timeout_s)
        self._thread.join(timeout_s + END_S)
        if self._thread.is_alive():
            raise TimeoutError("The gateway's thread did not end.")
        self.ended.result()

    def begin_stop(self, timeout_s: float) -> None:
        """Let it stop as soon as it has started; does not wait. `ended` tells when that is done."""
        self.ready.add_done_callback(partial(self._post_stop, timeout_s))

    def _post_stop(self, timeout_s: float, ready: Future[Service]) -> None:
        if ready.exception() is None:
            ready.result().loop.post(partial(self._end, timeout_s))

    def _end(self, drain_s: float) -> None:
        assert self._stop is not None
        self._drain_s = drain_s
        self._stop.set()

    def _at_exit(self) -> None:
        if self._pid == os.getpid():
            self.begin_stop(0.0)
            self._thread.join(END_S)

    def _service(self) -> Service:
        if not self.ready.done() or self.ready.exception() is not None:
            raise NotRunningError("The gateway has not started.")
        return self.ready.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()


def start_in_thread(
    settings: Source = None, *, listen: bool = True, environ: Mapping[str, str] = os.environ
) -> ThreadedGateway:
    """Start a gateway in a thread of its own; returns when it answers.

    Args:
        settings: a path, a document, or `Settings`; None: ./hedgerow.toml where there is one, and
            `HEDGEROW_*` variables.
        listen: open a socket too, on a free port of this machine unless the settings say where.
        environ: where keys of providers are looked for.
    Raises: ConfigError.
    """
    gateway = ThreadedGateway(settings, listen=listen, environ=environ)
    try:
        gateway.ready.result()
    except BaseException:
        gateway.begin_stop(0.0)
        raise
    return gateway
