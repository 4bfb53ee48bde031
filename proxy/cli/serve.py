"""`hedgerow serve`: the gateway, until it is told to stop."""

from collections.abc import Sequence
from pathlib import Path

import click

from proxy.cli.options import config_option


@click.command()
@config_option
@click.option("--bind", multiple=True, metavar="ADDRESS", help="host:port or unix:/path.")
def serve(config: Path | None, bind: tuple[str, ...]) -> None:
    """Run the gateway."""
    run_gateway(config, bind, keep=True)


def run_gateway(config: Path | None, bind: tuple[str, ...], *, keep: bool) -> None:
    """Serve until a signal. Raises: ConfigError for whatever keeps us from listening."""
    import os
    import secrets
    from functools import partial

    import trio

    from proxy.catalog.loader import build_catalog
    from proxy.cli.access import decide_access
    from proxy.cli.greeting import greeting
    from proxy.cli.reading import read_settings, with_arguments
    from proxy.net.clock import FastClock
    from proxy.server import serve as run_server

    settings = with_arguments(read_settings(config, os.environ), bind=bind, keep=keep)
    access = decide_access(settings, environ=os.environ, draw=secrets.token_hex)
    catalog = build_catalog(access.settings, environ=os.environ)

    def announce(urls: Sequence[str]) -> None:
        keyed = bool(access.keys)
        for line in greeting(urls, catalog, keyed=keyed, generated=access.generated):
            click.echo(line)

    trio.run(
        partial(
            run_server,
            access.settings,
            catalog,
            keys=access.keys,
            environ=os.environ,
            announce=announce,
            signals=True,
        ),
        clock=FastClock(),
    )
