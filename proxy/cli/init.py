"""`hedgerow init`: a commented settings file that says what was found.

Rule 1: what it writes is accepted by our own parser; a test holds this.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from proxy.catalog.schema import ProviderFacts

HEAD = """\
# Hedgerow settings. Every line that is commented out shows a default or an example.
# Check it with `hedgerow check`, run it with `hedgerow serve`.

[server]
bind = ["127.0.0.1:8080"]          # also "[::1]:8080", "unix:/run/hedgerow.sock"
data = "./data"
# hosts = ["gateway.internal"]     # names besides loopback that open mode answers to
# origins = ["http://localhost:3000"]

[auth]
# mode = "open"                    # "open" (loopback, unix sockets) | "keys"
# keys = ["sha256:..."]            # printf %s "$KEY" | sha256sum; or "env:NAME"

[policy]                           # ceilings for everyone
# data_collection = "deny"         # only providers that do not train on prompts
# zdr = true                       # only providers that keep nothing
# only = ["openai"]
# ignore = ["deepseek"]
# max_price = { prompt = "5", completion = "20" }   # USD per million tokens

[timeouts]                         # seconds; also per provider and per model
# connect = 5
# first_token = 60
# idle = 60
# total = 600
"""

TAIL = """
# A server of your own:
# [providers.local]
# base_url = "http://127.0.0.1:11434/v1"
#
# [[models]]
# id = "local/llama"
# context_length = 8192
# [[models.endpoints]]
# provider = "local"
# upstream_model = "llama3.2"
# prices = "free"                  # or { prompt = "2.50", completion = "10.00" }

[aliases]
# "fast" = "openai/gpt-4o-mini"
"""


@click.command()
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("hedgerow.toml"),
    metavar="FILE",
    help="Where to write; default ./hedgerow.toml.",
)
def init(config: Path, force: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Write a commented settings file from what is found here."""
    import os

    from proxy.catalog.builtin import load_builtin
    from proxy.errors import ConfigError

    providers = sorted(load_builtin().providers.values(), key=lambda facts: facts.id)
    text = settings_text(providers, os.environ)
    try:
        with config.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{config}: exists; say --force to overwrite it") from None
    except OSError as error:
        raise ConfigError(f"{config}: {error.strerror or 'cannot be written'}") from None
    found = [facts.name for facts in providers if os.environ.get(facts.key_env)]
    click.echo(f"Wrote {config}.")
    click.echo(f"Found keys of: {', '.join(found)}." if found else "No provider key found.")


def settings_text(providers: "list[ProviderFacts]", environ: Mapping[str, str]) -> str:
    """The file's text: found providers as tables, the others as one comment line each."""
    found = [facts for facts in providers if environ.get(facts.key_env)]
    others = [facts for facts in providers if not environ.get(facts.key_env)]
    parts = [HEAD]
    parts += [
        f"\n[providers.{facts.id}]          # {facts.name}: key found in the environment\n"
        f'api_key = "env:{facts.key_env}"\n'
        for facts in found
    ]
    if others:
        parts.append("\n# Not found; set the variable and the provider is live:\n")
        parts += [f"#   {facts.key_env:<20} {facts.name}\n" for facts in others]
    return "".join(parts) + TAIL
