"""One run of a comparison: the gateway it speaks to, the bar that shows how far it is, the rows it writes.

Rule 1: a gateway inside this process is asked by this program alone, so it wants no key of it.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import IO

import httpx
import msgspec
import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proxy.cli.compare_results import add_row, begin_rows
from proxy.cli.compare_running import Job, Sample, Wishes, run
from proxy.cli.reaching import base_of, headers_for, is_near
from proxy.config import AuthSettings, Settings
from proxy.embed.gateway import Gateway
from proxy.embed.reading import read

CONNECT_S = 10.0
NO_LIMIT = httpx.Limits(max_connections=None)
"""How many requests run at a time is decided elsewhere."""
PATIENT = httpx.Timeout(None, connect=CONNECT_S)
"""Silence is ended by the gateway's deadlines, and by our own for a whole request."""


class Place(msgspec.Struct, frozen=True):
    """Where the gateway is."""

    base: str = ""
    """Of its URL; empty: inside this process."""
    headers: dict[str, str] = {}
    settings: Settings | None = None
    """Of a gateway inside this process."""


class Plan(msgspec.Struct, frozen=True):
    """All that a run needs."""

    jobs: tuple[Job, ...]
    wishes: Wishes
    concurrency: int
    place: Place


@dataclass(slots=True)
class Session:
    """What a run has found."""

    samples: list[Sample] = field(default_factory=list)
    interrupted: bool = False


def choose_place(url: str | None, key: str | None, config: Path | None) -> Place:
    """The gateway at `url`, or one of our own on the settings found. Raises: ConfigError."""
    if url is not None:
        return Place(base_of(url), headers_for(key, os.environ))
    settings = read(config, os.environ).settings
    return Place(settings=msgspec.structs.replace(settings, auth=AuthSettings(mode="open")))


def run_session(plan: Plan, rows: IO[str] | None) -> Session:
    """Send everything; each sample is a row of `rows` as soon as it is there. Raises: ConfigError."""
    session = Session()
    if rows is not None:
        begin_rows(rows)
    with progress_bar() as bar:
        task = bar.add_task("asking", total=len(plan.jobs))

        def done(sample: Sample) -> None:
            session.samples.append(sample)
            if rows is not None:
                add_row(rows, sample)
            bar.advance(task)

        try:
            trio.run(partial(_send_all, plan, done))
        except* KeyboardInterrupt:
            session.interrupted = True
    return session


def progress_bar() -> Progress:
    """A bar on stderr, where somebody looks at it."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


async def _send_all(plan: Plan, done: Callable[[Sample], None]) -> None:
    async with _client(plan.place) as client:
        await run(
            client,
            iter(plan.jobs),
            done,
            wishes=plan.wishes,
            clock=perf_counter,
            concurrency=plan.concurrency,
        )


@asynccontextmanager
async def _client(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway, which runs while the block does if it is ours."""
    if place.base:
        socket = place.base.removeprefix("unix:")
        transport = httpx.AsyncHTTPTransport(uds=socket) if socket != place.base else None
        async with httpx.AsyncClient(
            base_url="http://localhost" if transport else place.base,
            headers=place.headers,
            transport=transport,
            timeout=PATIENT,
            limits=NO_LIMIT,
            trust_env=not is_near(place.base),
        ) as client:
            yield client
        return
    async with (
        Gateway(place.settings) as gateway,
        httpx.AsyncClient(
            base_url="http://localhost", transport=gateway.transport(), timeout=PATIENT
        ) as client,
    ):
        yield client
