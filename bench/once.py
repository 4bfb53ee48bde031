"""What is measured once and not in rounds: cold starts, and memory per idle stream, of instances made for it."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import idle, servers
from bench.lanes import Bench, Lane
from bench.load import check
from bench.metrics import Reading
from bench.peers.peer import BenchError
from bench.servers import Target

STARTS_MAX = 5
STARTS_S = 10.0
"""A target is started again as long as its starts are thought to take no more than that."""
STREAMS = 400
"""Idle ones; some peers hold no more than 512 connections to their provider."""


def lanes(bench: Bench) -> Iterator[Lane]:
    """All of them, after the rounds."""
    if "coldstart" in bench.parts:
        took, most = dict[str, float](), 1 if bench.brief else STARTS_MAX
        for number in range(1, most + 1):
            title = f"cold start {number} of at most {most}"
            yield Lane(title, 2.0, bench.proxies, lambda target: _cold_start(target, bench, took))
    if "memory" in bench.parts:
        cost = 2 * idle.SETTLE_S + 4.0
        yield Lane(f"{STREAMS} idle streams", cost, bench.proxies, lambda t: _streams(t, bench))


def _cold_start(target: Target, bench: Bench, took: dict[str, float]) -> Iterator[Reading]:
    """Start it in an empty folder; time until it is ready, then until it answered a call."""
    if took.get(target.name, 0.0) > STARTS_S / 2:
        return
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as place:
        began = time.perf_counter()
        with servers.proxy(target.peer, bench.mock.port, Path(place), bench.pins) as fresh:
            ready = time.perf_counter() - began
            check(fresh, "plain")
            first = time.perf_counter() - began
    took[target.name] = took.get(target.name, 0.0) + first
    yield Reading("coldstart.ready", target.name, ready * 1e3)
    yield Reading("coldstart.first", target.name, first * 1e3)


def _streams(target: Target, bench: Bench) -> Iterator[Reading]:
    """A target that cannot hold so many has that in its notes."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-idle-") as place,
        idle.patient(target.peer, bench.mock.port, Path(place), bench.pins) as fresh,
    ):
        try:
            each = idle.kib_each([fresh], idle.stream_request(fresh), STREAMS, wanted=idle.CHUNK)
        except BenchError as error:
            bench.note(target, f"{STREAMS} idle streams: {error}")
            return
    yield Reading("memory.stream", target.name, each)
