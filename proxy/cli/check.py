"""`hedgerow check`: are the settings sound, and with `--dial` do the providers answer?

Rule 1: dialling opens and closes a connection; no key and no request is sent.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.options import config_option

if TYPE_CHECKING:
    from proxy.catalog.catalog import Catalog
    from proxy.cli.access import Access
    from proxy.model.endpoint import Provider


@click.command()
@config_option
@click.option("--dial", is_flag=True, help="Connect to each provider (TCP and TLS, no request).")
def check(config: Path | None, dial: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Validate settings; show what is live."""
    import os
    import secrets

    from proxy.catalog.loader import build_catalog
    from proxy.cli.access import decide_access
    from proxy.cli.columns import columns
    from proxy.cli.reading import read_settings

    settings = read_settings(config, os.environ)
    access = decide_access(settings, environ=os.environ, draw=secrets.token_hex)
    catalog = build_catalog(settings, environ=os.environ)
    _check_secrets(catalog.providers.values(), os.environ)
    outcomes = _dial_all(catalog) if dial else {}
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


def _check_secrets(providers: Iterable["Provider"], environ: Mapping[str, str]) -> None:
    """Fetch every key once, so that a bad file is found now. Raises: ConfigError."""
    from proxy.net.credentials import resolve_secret

    for provider in providers:
        if provider.api_key is not None:
            resolve_secret(
                provider.api_key,
                environ=environ,
                read_file=lambda path: Path(path).read_text(encoding="utf-8"),
            )


def _rows(catalog: "Catalog", outcomes: Mapping[str, str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("PROVIDER", "MODELS", "BASE URL", "KEY", "DIAL")]
    for provider in catalog.providers.values():
        served = sum(
            any(endpoint.provider.id == provider.id for endpoint in model.endpoints)
            for model in catalog.models.values()
        )
        outcome = outcomes.get(provider.id, "-")
        rows.append((provider.id, str(served), provider.base_url, provider.api_key or "-", outcome))
    return rows


def _dial_all(catalog: "Catalog") -> dict[str, str]:
    """Provider id -> "ok ..." or what went wrong; the sandbox is not dialled."""
    import os
    from functools import partial

    import trio

    from proxy.cli.dialling import dial_all

    targets = {
        provider.id: provider
        for provider in catalog.providers.values()
        if provider.base_url.startswith("http")
    }
    return trio.run(partial(dial_all, targets, os.environ))
