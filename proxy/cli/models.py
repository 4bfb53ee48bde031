"""`hedgerow models`: what can be served, and with `--all` what a key would add."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.options import config_option

if TYPE_CHECKING:
    from proxy.catalog.catalog import Catalog, Listing
    from proxy.model.document import Document
    from proxy.model.endpoint import Model


@click.command()
@config_option
@click.option("--all", "everything", is_flag=True, help="Also models that need a key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(config: Path | None, everything: bool, as_json: bool) -> None:  # noqa: FBT001 - click
    """List models that can be served."""
    import json
    import os

    from proxy.catalog.loader import build_catalog
    from proxy.cli.columns import columns
    from proxy.cli.reading import read_settings

    catalog = build_catalog(read_settings(config, os.environ), environ=os.environ)
    listings = [one for one in catalog.all_models if everything or one.model.endpoints]
    if as_json:
        click.echo(json.dumps([_document(one) for one in listings], indent=2))
        return
    rows = [("MODEL", "CONTEXT", "USD/M IN", "USD/M OUT", "SERVED BY"), *map(_row, listings)]
    for line in columns(rows):
        click.echo(line)
    if catalog.sandboxed:
        click.echo(_explanation(catalog))


def _row(listing: "Listing") -> tuple[str, str, str, str, str]:
    from proxy.units import usd_per_million

    model = listing.model
    if not model.endpoints:
        return (model.id, str(model.context_length), "-", "-", _wish(listing))
    cheapest = min(model.endpoints, key=lambda endpoint: endpoint.prices.prompt)
    served = ", ".join(_served_by(model))
    wish = f" ({_wish(listing)} to be real)" if listing.needs else ""
    return (
        model.id,
        str(model.context_length),
        usd_per_million(cheapest.prices.prompt),
        usd_per_million(cheapest.prices.completion),
        served + wish,
    )


def _served_by(model: "Model") -> list[str]:
    return sorted({endpoint.provider.id for endpoint in model.endpoints})


def _wish(listing: "Listing") -> str:
    return "needs " + " or ".join(listing.needs) if listing.needs else "not served"


def _document(listing: "Listing") -> "Document":
    from proxy.units import usd_per_million

    model = listing.model
    return {
        "id": model.id,
        "name": model.name,
        "context_length": model.context_length,
        "needs": list(listing.needs),
        "endpoints": [
            {
                "id": endpoint.id,
                "provider": endpoint.provider.id,
                "upstream_model": endpoint.upstream_model,
                "prompt_usd_per_million": usd_per_million(endpoint.prices.prompt),
                "completion_usd_per_million": usd_per_million(endpoint.prices.completion),
            }
            for endpoint in model.endpoints
        ],
    }


def _explanation(catalog: "Catalog") -> str:
    count = len(catalog.models)
    return f"\nNo provider key found: the sandbox stands in for all {count} models."
