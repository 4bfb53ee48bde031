"""`hedgerow compare`: the same prompts to several models, and what a client would notice of each.

Rule 1: arguments and files are checked before anything is sent.
Rule 2: an interrupted run shows what it has found so far.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from proxy.cli.options import config_option
from proxy.cli.reaching import key_option, url_option

if TYPE_CHECKING:
    from proxy.cli.compare_session import Plan
    from proxy.model.document import Document

INTERRUPTED = 130
"""Exit code of a program that was stopped from the keyboard."""
PATH = click.Path(path_type=Path)


@click.command()
@click.option(
    "-m",
    "--models",
    required=True,
    metavar="A,B,…",
    help="Models, by any name a request may use, suffixes included.",
)
@click.option(
    "--prompts",
    "file",
    required=True,
    type=PATH,
    metavar="FILE",
    help='JSONL: {"prompt": "…"} or {"messages": […]} a line, each with its own "schema" if it likes.',
)
@click.option("--provider", metavar="JSON", help="Routing preferences for every request.")
@click.option(
    "--schema",
    type=PATH,
    metavar="FILE",
    help="JSON schema asked of every answer. Answers are checked for JSON with its types and required "
    "keys, at every depth; its other rules are not looked at.",
)
@click.option("--max-tokens", type=click.IntRange(1, 1_000_000), metavar="N", help="Output cap.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=4, show_default=True)
@click.option(
    "--repeat", type=click.IntRange(1, 1000), default=1, show_default=True, help="Runs of the file."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="Most prompts that are read.",
)
@click.option("--csv", "csv_file", type=PATH, metavar="FILE", help="One row a request.")
@click.option("--plot", "svg_file", type=PATH, metavar="FILE.svg", help="A picture.")
@url_option
@key_option
@config_option
def compare(  # noqa: PLR0913 - one parameter for each option, as click hands them over
    *, models: str, file: Path, provider: str | None, schema: Path | None, max_tokens: int | None,
    concurrency: int, repeat: int, limit: int, csv_file: Path | None, svg_file: Path | None,
    url: str | None, key: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Send the same prompts to several models.

    Shows waits, speed, cost, errors and the shape of answers.

    Without --url a gateway runs inside this process, on the settings found. Every request is a real one, and
    costs what it costs.
    """
    from proxy.cli.compare_prompts import read_prompts, read_schema
    from proxy.cli.compare_running import Wishes, jobs
    from proxy.cli.compare_session import Plan, choose_place

    names = split(models)
    place = choose_place(url, key, config)
    found = read_prompts(file, limit=limit, schema=None if schema is None else read_schema(schema))
    if found.more:
        click.echo(f"hedgerow: only the first {limit} prompts of {file} are used", err=True)
    wishes = Wishes(read_object("--provider", provider), max_tokens)
    plan = Plan(tuple(jobs(names, found.every, repeat)), wishes, concurrency, place)
    sys.exit(carry_out(plan, names, csv_file, svg_file))


def carry_out(
    plan: "Plan", models: tuple[str, ...], csv_file: Path | None, svg_file: Path | None
) -> int:
    """Run it and show what came of it. Returns: the exit code. Raises: ConfigError."""
    from proxy.cli.compare_plot import plot
    from proxy.cli.compare_results import summarise
    from proxy.cli.compare_session import run_session
    from proxy.cli.compare_table import show

    with ExitStack() as stack:
        rows = None if csv_file is None else stack.enter_context(opened(csv_file))
        picture = None if svg_file is None else stack.enter_context(opened(svg_file))
        session = run_session(plan, rows)
        results = summarise(models, session.samples)
        show(results, interrupted=session.interrupted, asked=len(plan.jobs))
        if picture is not None:
            picture.write(plot(results))
    if session.interrupted:
        return INTERRUPTED
    return 0 if any(result.succeeded for result in results) else 1


def split(models: str) -> tuple[str, ...]:
    """Names between commas, each once. Raises: click.BadParameter where there is none."""
    names = tuple(dict.fromkeys(name.strip() for name in models.split(",") if name.strip()))
    if not names:
        raise click.BadParameter("names no model.", param_hint="--models")
    return names


def read_object(option: str, text: str | None) -> "Document | None":
    """A JSON object of the command line. Raises: click.BadParameter."""
    import orjson

    if text is None:
        return None
    try:
        value: object = orjson.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}.", param_hint=option) from None
    if not isinstance(value, dict):
        raise click.BadParameter("is no JSON object.", param_hint=option)
    return value


def opened(file: Path) -> IO[str]:
    """A file to write to, before anything is spent. Raises: ConfigError."""
    from proxy.errors import ConfigError

    try:
        return file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or 'cannot be written'}") from None
