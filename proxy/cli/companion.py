"""The process that a sidecar runs for: what it is told, how signals reach it, how it ends.

Rule 1: no shell. Rule 2: the gateway answers as long as the process runs, also while it is stopping.
"""

import os
import signal
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click
import trio

from proxy.catalog.builtin import load_builtin
from proxy.config import Settings

NOT_FOUND = 127
"""Exit code where the command cannot be started, as of a shell."""
REAP_S = 5.0
"""How long a killed process may take to be gone."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
API_PATH = "/api/v1"
ROOT_PATH = "/api"
"""Base URL of SDKs that add the version themselves."""
BASE_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENROUTER_BASE_URL", "HEDGEROW_BASE_URL")
"""Where SDKs and programs look for the base URL of the API."""
NO_KEY = "none"
"""What stands for a key where none is asked for: SDKs refuse to start without one."""


def key_variables(settings: Settings) -> frozenset[str]:
    """Names of the variables that hold secrets of providers."""
    names = {facts.key_env for facts in load_builtin().providers.values()}
    for provider in settings.providers.values():
        keys = (one.key for one in provider.credentials)
        for reference in (provider.api_key, provider.proxy, *keys, *provider.headers.values()):
            if reference is not None and reference.startswith("env:"):
                names.add(reference.removeprefix("env:"))
    return frozenset(names)


def companion_environment(
    environ: Mapping[str, str], urls: Sequence[str], *, key: str | None, hidden: Collection[str]
) -> dict[str, str]:
    """What the process is told.

    Args:
        urls: where the gateway listens, "unix:/path" for a unix socket.
        key: one that was made for this run.
        hidden: variables that the process does not get.
    """
    told = {name: value for name, value in environ.items() if name not in hidden}
    addresses = [url for url in urls if not url.startswith("unix:")]
    sockets = [url.removeprefix("unix:") for url in urls if url.startswith("unix:")]
    if addresses:
        near = addresses[0].replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        told |= dict.fromkeys(BASE_URLS, near + API_PATH)
        told["ANTHROPIC_BASE_URL"] = near + ROOT_PATH
    if sockets:
        told["HEDGEROW_SOCKET"] = str(Path(sockets[0]).absolute())
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        told.setdefault(name, key or NO_KEY)
    if key is not None:
        told["HEDGEROW_API_KEY"] = key
    return told


async def accompany(command: Sequence[str], environ: Mapping[str, str], *, drain_s: float) -> int:
    """Run the command to its end; returns its exit code, 128 and the number for a signal.

    Args:
        drain_s: seconds that it gets between SIGTERM and SIGKILL.
    """
    with trio.open_signal_receiver(*PASSED_ON) as signals:
        try:
            process = await trio.lowlevel.open_process(list(command), env=environ)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            click.echo(f"hedgerow: {command[0]}: {reason or 'cannot be started'}", err=True)
            return NOT_FOUND
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pass_on, signals, process, drain_s)
                code = await process.wait()
                nursery.cancel_scope.cancel()
        finally:
            if process.returncode is None:  # we are the ones who failed
                process.kill()
                with trio.move_on_after(REAP_S, shield=True):
                    await process.wait()
    return code if code >= 0 else 128 - code


async def _pass_on(signals: AsyncIterator[int], process: trio.Process, drain_s: float) -> None:
    """Hand on every signal; what follows a SIGTERM kills, be it a second one or the time."""
    async for number in signals:
        if number == signal.SIGINT and shares_terminal():
            continue  # the terminal sent it to both of us
        process.send_signal(number)
        if number == signal.SIGTERM:
            break
    with trio.move_on_after(drain_s):
        async for number in signals:
            if number != signal.SIGHUP:
                break
            process.send_signal(number)
    process.kill()


def shares_terminal() -> bool:
    """Whether we are in the foreground of a terminal: what is typed there reaches the child too."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
