"""`hedgerow top`: what a running gateway sees of its providers, now and again, or once for a pipe.

Rule 1: a gateway that goes away while somebody watches is waited for, and that is said.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from proxy.cli.reaching import key_option, url_option

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from proxy.console.api.overview import Overview

WIDTH_PIPED = 160
"""Columns where nobody looks at a terminal."""

Fetch = Callable[[], "Overview"]


@click.command()
@url_option
@key_option
@click.option("--once", is_flag=True, help="Print one table and end; so it is in a pipe, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the document of GET /live and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
@click.option("--model", metavar="MODEL", help="All endpoints of one model, and no others.")
def top(
    *, url: str | None, key: str | None, once: bool, as_json: bool, interval: float, model: str | None
) -> None:  # fmt: skip
    """Watch the providers of a running gateway.

    Traffic, waits, success, rests and keys; experiments and alerts.
    """
    from functools import partial
    from time import sleep

    from rich.console import Console

    from proxy.cli.reaching import Reached
    from proxy.cli.topview import view

    reached = Reached(url, key)
    path = path_of(model)
    if as_json:
        click.echo(reached.ask("GET", path))
        return
    fetch = partial(fetch_overview, reached.ask, path)
    console = Console(highlight=False)
    if once or not console.is_terminal:
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDTH_PIPED)
        console.print(view(fetch()))
        return
    watch(fetch, console, pause=partial(sleep, interval))


def path_of(model: str | None) -> str:
    """Below the API's path."""
    from urllib.parse import urlencode

    return f"/live?{urlencode({'model': model})}" if model else "/live"


def fetch_overview(ask: Callable[[str, str], bytes], path: str) -> "Overview":
    """One look. Raises: AwayError, ConfigError."""
    import msgspec

    from proxy.console.api.overview import Answer
    from proxy.errors import ConfigError

    try:
        return msgspec.json.decode(ask("GET", path), type=Answer).data
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the gateway is of another version: {error}") from None


def watch(fetch: Fetch, console: "Console", *, pause: Callable[[], None]) -> None:
    """Look again and again until the program is stopped. Raises: ConfigError at the first look only."""
    from rich.live import Live

    seen = fetch()
    with Live(frame(seen, None), console=console, screen=True, auto_refresh=False) as shown:
        try:
            while True:
                pause()
                seen, trouble = look(fetch, seen)
                shown.update(frame(seen, trouble), refresh=True)
        except KeyboardInterrupt:
            sys.exit(0)


def look(fetch: Fetch, seen: "Overview") -> tuple["Overview", str | None]:
    """What is there now, or what was last seen, and what is wrong."""
    from proxy.errors import ConfigError

    try:
        return fetch(), None
    except ConfigError as error:
        return seen, error.message


def frame(seen: "Overview", trouble: str | None) -> "RenderableType":
    """A screenful."""
    from rich.console import Group
    from rich.text import Text

    from proxy.cli.topview import view

    if trouble is None:
        return view(seen)
    return Group(Text(f"{trouble}; these are the last figures", style="bold red"), view(seen))
