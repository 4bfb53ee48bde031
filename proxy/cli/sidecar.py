"""`hedgerow sidecar`: the gateway beside one application, alone or around its process."""

from collections.abc import Sequence
from pathlib import Path

import click

from proxy.cli.options import config_option
from proxy.cli.serve import run_gateway


@click.command(context_settings={"allow_interspersed_args": False})
@config_option
@click.option("--bind", multiple=True, metavar="ADDRESS", help="host:port or unix:/path.")
@click.option(
    "--exec",
    "line",
    metavar="COMMAND",
    help="Start COMMAND with the gateway's address in its environment, and end with it.",
)
@click.option("--hide-keys", is_flag=True, help="Keep the keys of providers from COMMAND.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ...]")
def sidecar(
    config: Path | None,
    bind: tuple[str, ...],
    line: str | None,
    hide_keys: bool,  # noqa: FBT001 - click passes it by name
    words: tuple[str, ...],
) -> None:
    """Run beside an application: no accounts, no database."""
    command = _command(line, words)
    if command is None:
        if hide_keys:
            raise click.UsageError("--hide-keys needs a command.")
        run_gateway(config, bind, keep=False)
        return
    _run_around(command, config, bind, hide_keys=hide_keys)


def _command(line: str | None, words: Sequence[str]) -> list[str] | None:
    """The command as words; no shell ever sees it. None: there is none."""
    import shlex

    if line is None:
        return list(words) or None
    if words:
        raise click.UsageError("Say --exec COMMAND or -- COMMAND, not both.")
    try:
        split = shlex.split(line)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--exec") from None
    if not split:
        raise click.BadParameter("is empty.", param_hint="--exec")
    return split


def _run_around(
    command: list[str], config: Path | None, bind: tuple[str, ...], *, hide_keys: bool
) -> None:
    """Run gateway and command; exits as the command did. Raises: ConfigError before it started."""
    import os
    import secrets
    import sys
    from functools import partial

    import trio

    from proxy.catalog.loader import build_catalog
    from proxy.cli.access import decide_access
    from proxy.cli.companion import accompany, companion_environment, key_variables
    from proxy.cli.reading import with_arguments
    from proxy.embed.reading import read
    from proxy.net.clock import FastClock
    from proxy.server import running

    settings = with_arguments(read(config, os.environ).with_free_port(), bind=bind, keep=False)
    access = decide_access(settings, environ=os.environ, draw=secrets.token_hex)
    catalog = build_catalog(access.settings, environ=os.environ)
    hidden = key_variables(access.settings) if hide_keys else frozenset()

    async def run() -> int:
        start = running(access.settings, catalog, keys=access.keys, environ=os.environ)
        async with start as run:
            if catalog.sandboxed:
                click.echo("hedgerow: no provider key found; the sandbox answers", err=True)
            environ = companion_environment(
                os.environ, run.urls, key=access.generated, hidden=hidden
            )
            return await accompany(command, environ, drain_s=access.settings.limits.drain_s)

    sys.exit(trio.run(partial(run), clock=FastClock()))
