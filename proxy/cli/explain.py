"""`hedgerow explain`: which endpoints would be tried for a request, in which order, and why.

Rule 1: the gateway's own planner answers: the running one's, with its live figures, or that of a gateway
made for this question alone, which opens no socket and sends nothing. Rule 2: no model is asked.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from proxy.cli.options import config_option
from proxy.cli.reaching import key_option, url_option

if TYPE_CHECKING:
    from proxy.model.document import Document

    Ask: TypeAlias = Callable[[Document], bytes]

ROUTE = "/explain"
BODY_BYTES_MAX = 1_048_576
"""What a gateway takes."""
OFFLINE = "No gateway was asked: figures are what the catalogue expects, and rests are not known."
WIDTH_PIPED = 160
"""Columns where nobody looks at a terminal."""


@click.command()
@click.argument("model", required=False)
@click.option("--provider", metavar="JSON", help="The `provider` object of the request.")
@click.option(
    "--body",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A whole request as JSON; MODEL and --provider are laid over it.",
)
@click.option("--offline", is_flag=True, help="By the settings alone, even if a gateway runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it is.")
@url_option
@key_option
@config_option
def explain(  # noqa: PLR0913 - one parameter for each option, as click hands them over
    *, model: str | None, provider: str | None, body: Path | None, offline: bool, as_json: bool,
    url: str | None, key: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Show how a request for MODEL would be routed, and why.

    Asks the gateway at --url. Where none runs at the usual address, or with --offline, the settings
    are read as `hedgerow serve` would read them, and there are no live figures.
    """
    from functools import partial

    request = request_of(model, provider, body)
    alone = partial(ask_alone, config=config, environ=os.environ)
    if offline:
        if url is not None:
            raise click.UsageError("--offline asks no gateway; leave out --url.")
        answer, live = alone(request), False
    else:
        answer, live = ask_somebody(request, running(url, key), None if url else alone)
    if as_json:
        click.echo(answer)
        return
    show(answer, live=live)


def request_of(model: str | None, provider: str | None, file: Path | None) -> "Document":
    """The request to be explained. Raises: click.UsageError, click.BadParameter, ConfigError."""
    request = read_body(file)
    if provider is not None:
        request["provider"] = read_json(provider.encode(), "--provider")
    if model is not None:
        request["model"] = model
    if "model" not in request and "models" not in request:
        raise click.UsageError("Name a MODEL, or a --body that does.")
    if not {"messages", "prompt"} & request.keys():
        request["messages"] = [{"role": "user", "content": "hi"}]
    return request


def read_body(file: Path | None) -> "Document":
    """A request from a file; empty without one. Raises: ConfigError, click.BadParameter."""
    from proxy.cli.reading import read_bounded

    return {} if file is None else read_json(read_bounded(file, BODY_BYTES_MAX), str(file))


def read_json(data: bytes, place: str) -> "Document":
    """A JSON object. Raises: ConfigError."""
    import orjson

    from proxy.errors import ConfigError

    try:
        value: object = orjson.loads(data)
    except ValueError as error:
        raise ConfigError(f"{place}: is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: is no JSON object")
    return value


def running(url: str | None, key: str | None) -> "Ask":
    """Asks the gateway at `url`. Raises: ConfigError."""
    from proxy.cli.reaching import Reached

    reached = Reached(url, key)
    return lambda request: reached.ask("POST", ROUTE, request)


def ask_somebody(request: "Document", first: "Ask", second: "Ask | None") -> tuple[bytes, bool]:
    """The first one's answer and True; where nobody is there, the second one's and False.

    Raises: ConfigError; AwayError where there is no second.
    """
    from proxy.cli.reaching import AwayError

    try:
        return first(request), True
    except AwayError:
        if second is None:
            raise
        return second(request), False


def ask_alone(request: "Document", *, config: Path | None, environ: Mapping[str, str]) -> bytes:
    """The answer of a gateway that is made from the settings for this question.

    Raises: ConfigError.
    """
    from functools import partial

    import trio

    return trio.run(partial(_ask_inside, request, config, environ))


async def _ask_inside(
    request: "Document", config: Path | None, environ: Mapping[str, str]
) -> bytes:
    import httpx
    import msgspec

    from proxy.cli.reaching import read_answer
    from proxy.config import AuthSettings
    from proxy.console.api.presentation import API_PREFIX
    from proxy.embed.gateway import Gateway
    from proxy.embed.reading import read

    settings = msgspec.structs.replace(read(config, environ).settings, auth=AuthSettings("open"))
    async with (
        Gateway(settings, environ=environ) as gateway,
        httpx.AsyncClient(transport=gateway.transport(), base_url="http://localhost") as client,
    ):
        reply = await client.post(f"{API_PREFIX}{ROUTE}", json=request)
        await reply.aread()
    return read_answer(reply, "the gateway of these settings")


def show(answer: bytes, *, live: bool) -> None:
    """Print an answer for people. Raises: ConfigError."""
    from rich.console import Console

    from proxy.cli.explainview import read_told, view

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_PIPED)
    console.print(view(read_told(answer)))
    if not live:
        console.print(OFFLINE)
