"""Options that several commands share."""

from pathlib import Path

import click

config_option = click.option(
    "--config",
    envvar="HEDGEROW_CONFIG",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file; default ./hedgerow.toml where there is one.",
)
"""`--config FILE`, handed over as `config: Path | None`."""
