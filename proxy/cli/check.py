"""`hedgerow check`: are the settings sound, and with `--dial` do the providers answer?

Rule 1: dialling opens and closes a connection; no key and no request is sent.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.options import config_option

if TYPE_CHECKING:
    from proxy.catalog.catalog import Catalog
    from proxy.cli.access import Access
    from proxy.config import Settings


@click.command()
@config_option
@click.option("--dial", is_flag=True, help="Connect to each provider (TCP and TLS, no request).")
def check(config: Path | None, dial: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Validate settings; show what is live."""
    import os
    import secrets
    from functools import partial

    import trio

    from proxy.catalog.loader import build_catalog
    from proxy.cli.access import decide_access
    from proxy.cli.columns import columns
    from proxy.cli.reading import read_settings

    settings = read_settings(config, os.environ)
    access = decide_access(settings, environ=os.environ, draw=secrets.token_hex)
    catalog = build_catalog(settings, environ=os.environ)
    outcomes = trio.run(partial(_look, settings, catalog, os.environ, dial=dial))
    for line in columns(_rows(catalog, outcomes)):
        click.echo(line)
    click.echo(f"\n{len(catalog.models)} models; {_listening(access)}")
    failed = sorted(name for name, outcome in outcomes.items() if not outcome.startswith("ok"))
    if failed:
        click.echo(f"hedgerow: cannot reach {', '.join(failed)}", err=True)
        sys.exit(1)


def _listening(access: "Access") -> str:
    made = ", key made at start" if access.generated else ""
    binds = ", ".join(listener.address for listener in access.settings.server.listeners)
    return f"auth: {access.settings.auth.mode}{made}; bind: {binds}"


def _rows(catalog: "Catalog", outcomes: Mapping[str, str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("PROVIDER", "MODELS", "BASE URL", "KEY", "DIAL")]
    for provider in catalog.providers.values():
        served = sum(
            any(endpoint.provider.id == provider.id for endpoint in model.endpoints)
            for model in catalog.models.values()
        )
        outcome = outcomes.get(provider.id, "-")
        key = provider.api_key or ", ".join(one.key for one in provider.credentials) or "-"
        rows.append((provider.id, str(served), provider.base_url, key, outcome))
    return rows


async def _look(
    settings: "Settings", catalog: "Catalog", environ: Mapping[str, str], *, dial: bool
) -> dict[str, str]:
    """Read what a start would read, then dial. Returns: provider id -> "ok …" or what went wrong.

    Raises: ConfigError.
    """
    from proxy.cli.dialling import dial_all
    from proxy.server import rehearse

    rehearse(settings, catalog, environ)
    targets = {
        provider.id: provider
        for provider in catalog.providers.values()
        if provider.base_url.startswith("http")
    }
    return await dial_all(targets if dial else {}, environ)
