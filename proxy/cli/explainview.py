"""An explained plan as a table for a terminal."""

from collections.abc import Iterator

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.cli.figures import duration, number, plain
from proxy.errors import ConfigError
from proxy.model.explanation import Candidate, Explanation


class Trouble(msgspec.Struct, frozen=True):
    """Why the request would not be served."""

    code: int = 0
    message: str = ""


class Told(Explanation, frozen=True):
    """The `data` of POST /explain."""

    error: Trouble | None = None


class Answer(msgspec.Struct, frozen=True):
    """The whole body."""

    data: Told


def read_told(answer: bytes) -> Told:
    """What a gateway explained. Raises: ConfigError where it is not understood."""
    try:
        return msgspec.json.decode(answer, type=Answer).data
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the gateway is of another version: {error}") from None


def view(told: Told) -> RenderableType:
    """The plan, why others are out, and what has no effect."""
    heading = f"{plain(told.requested)}: {plain(told.strategy)}, {plain(told.summary)}"
    parts: list[RenderableType] = [Text(heading, style="bold")]
    if told.error is not None:
        code, message = told.error.code, plain(told.error.message, 1000)
        parts.append(Text(f"It would be refused with {code}: {message}", style="red"))
    if told.candidates:
        parts.append(_table(told))
    parts += [Text(plain(note, 1000)) for note in told.notes]
    return Group(*parts)


def _table(told: Told) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("place", "endpoint", "$/M in", "$/M out", "TTFT p50", "tok/s p50", "state"):
        table.add_column(heading, no_wrap=heading != "endpoint")
    table.add_column("why", overflow="fold")
    several = len({one.model for one in told.candidates}) > 1
    for one in told.candidates:
        style = "" if one.selected else "dim"
        table.add_row(*_cells(one, several=several), style=style)
    return table


def _cells(one: Candidate, *, several: bool) -> Iterator[Text]:
    """A row; a plan's offers are marked."""
    mark = "*" if one.selected else " "
    yield Text(f"{mark}{one.place}" if one.place is not None else " out", justify="right")
    yield Text(plain(one.endpoint if several else one.endpoint.partition(":")[0]))
    yield Text(plain(one.prompt_usd_per_million), justify="right")
    yield Text(plain(one.completion_usd_per_million), justify="right")
    yield Text(duration(one.ttft_p50), justify="right")
    yield Text(number(one.throughput_p50), justify="right")
    yield Text(one.state, style="" if one.state == "healthy" else "yellow")
    yield Text(plain("; ".join(one.out) if one.place is None else one.why, 1000))
