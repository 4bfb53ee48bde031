"""The command `hedgerow`: argv to commands, each in a module that is loaded only when it is named.

Rule 1: nothing heavy is imported at the top of any module here; `--help` takes less than 100 ms.
Rule 2: a ConfigError is one line on stderr and exit code 2, never a traceback.
"""

import sys
from importlib import import_module
from typing import NoReturn

import click
from typing_extensions import override

from proxy.errors import ConfigError

COMMANDS = {
    "serve": "proxy.cli.serve",
    "sidecar": "proxy.cli.sidecar",
    "init": "proxy.cli.init",
    "demo": "proxy.cli.demo",
    "check": "proxy.cli.check",
    "models": "proxy.cli.models",
    "top": "proxy.cli.top",
    "explain": "proxy.cli.explain",
    "compare": "proxy.cli.compare",
    "version": "proxy.cli.version",
}
"""Command -> the module that holds it, in the order of `--help`."""


class Commands(click.Group):
    """A group that finds its commands in COMMANDS."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of COMMANDS."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        found: object = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return found if isinstance(found, click.Command) else None

    @override
    def invoke(self, ctx: click.Context) -> object:
        """Run a command; every ConfigError ends here, also one that a nursery wrapped."""
        try:
            result: object = super().invoke(ctx)
        except ConfigError as error:
            refuse(error)
        except BaseExceptionGroup as group:
            refuse(_only_config_error(group))
        return result


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def hedgerow() -> None:
    """One OpenAI-style API in front of many model providers."""


def main() -> None:
    """Entry point of `hedgerow`."""
    hedgerow(prog_name="hedgerow")


def refuse(error: ConfigError) -> NoReturn:
    """Say in one line what is wrong, and exit with code 2."""
    line = " ".join(error.message.split())
    click.echo(f"hedgerow: {line}", err=True)
    sys.exit(2)


def _only_config_error(group: BaseExceptionGroup[BaseException]) -> ConfigError:
    """The ConfigError of a group that holds nothing else; any other group goes on."""
    matching, rest = group.split(ConfigError)
    if matching is None or rest is not None:
        raise group
    inner: BaseException = matching
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, ConfigError)
    return inner
