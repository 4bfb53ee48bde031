"""One run over sockets: providers, gateway and clients as processes of their own, and what they say.

The gateway has one core; providers and clients share the other. Rule 1: every process started here is ended here.
"""

import http.client
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from bench import tail_client, tail_providers
from bench.machine import ROOT, Pinning, cpu_s
from bench.servers import HOST, BenchError, free_port
from bench.tail_findings import Run, bill_of
from bench.tail_gateway import Books
from bench.tail_providers import Attempt
from bench.tail_settings import Mode, settings_text
from bench.tail_worlds import World

GRACE_S = 60.0
"""How long answers may come after the last request left; stalls take their time."""


class Shape(NamedTuple):
    """How much, how long."""

    rate: float
    """Requests per second."""
    seconds: float
    """How long they come."""
    scale: float
    """Seconds of the run per second of the world."""
    warm_s: float
    """At the start, not counted in waits: until there are figures to hedge by."""
    seed: int = 1


def measure(world: World, mode: Mode, shape: Shape, pins: Pinning, folder: Path) -> Run:
    """Carry out one run. Raises: BenchError."""
    told = tail_providers.Task(world.name, shape.scale, shape.seconds, shape.seed)
    asked = tail_client.Task(
        0, shape.rate, shape.seconds, shape.seed, mode.preferences, GRACE_S
    )  # fmt: skip
    with _spawned(pins.load, pins, "bench.tail_providers") as providers:
        upstream = int(_tell(providers, asdict(told)).split()[1])
        port = free_port()
        text = settings_text(mode, scale=shape.scale, port=port, upstream=upstream)
        file = folder / f"{world.name}-{mode.name}.toml"
        file.write_text(text)
        with _spawned(pins.proxy, pins, "bench.tail_gateway", str(file)) as gateway:
            _line(gateway)
            before = cpu_s(gateway.pid)
            seen = _clients(asdict(asked) | {"port": port}, pins, shape.seconds)
            used = cpu_s(gateway.pid) - before
            books = msgspec.json.decode(_tell(gateway, {}), type=Books)
        attempts = [Attempt(*one) for one in _attempts(upstream)]
    run = judge(world, mode, shape, seen, attempts)
    run.charged, run.house = books.charged, books.house
    run.fired, run.won, run.skipped = books.fired, books.won, books.skipped
    run.cpu_s = used
    if books.held:
        raise BenchError(f"{books.held} holds are still open")
    return run


def judge(
    world: World, mode: Mode, shape: Shape, seen: tail_client.Seen, attempts: Sequence[Attempt]
) -> Run:
    """What clients saw and what became of every attempt, as one run."""
    run = Run("sockets", world.name, mode.name, len(seen.ats), attempts=len(attempts))
    run.errors, run.mixed, run.late_p99_ms = seen.errors, seen.mixed, seen.late_p99_ms
    run.waits = sorted(
        waited / shape.scale
        for at, waited in zip(seen.ats, seen.waits, strict=True)
        if waited >= 0 and at >= shape.warm_s
    )
    run.providers_bill = sum(bill_of(one.pieces) for one in attempts)
    groups: dict[int, list[Attempt]] = defaultdict(list)
    for one in attempts:
        groups[one.number].append(one)
    for number, group in groups.items():
        if _slow(world, seen.ats[number] / shape.seconds):
            run.slow_requests += 1
            run.slow_extra += len(group) - 1
        _see_losers(run, group)
    run.closed_ms.sort()
    return run


def _slow(world: World, share: float) -> bool:
    return world.since <= share < world.until


def _see_losers(run: Run, group: list[Attempt]) -> None:
    """See what became of those that lost."""
    ended = [one for one in group if one.ended_at]
    run.losers_ended += max(len(ended) - 1, 0)
    if ended:
        first_at = min(one.first_at for one in ended)
        run.closed_ms += [(one.gone_at - first_at) * 1e3 for one in group if one.gone_at]


def _clients(task: Mapping[str, object], pins: Pinning, seconds: float) -> tail_client.Seen:
    done = subprocess.run(
        [*pins.prefix(pins.load), sys.executable, "-m", "bench.tail_client"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_S + 30,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise BenchError(f"clients: {done.stderr.strip()[-500:]}")
    return tail_client.Seen(**json.loads(done.stdout))


@contextmanager
def _spawned(
    core: int | None, pins: Pinning, module: str, *words: str
) -> Iterator["subprocess.Popen[str]"]:
    command = [*pins.prefix(core), sys.executable, "-m", module, *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()


def _tell(child: "subprocess.Popen[str]", words: Mapping[str, object]) -> str:
    """Say a line, hear a line."""
    said: IO[str] | None = child.stdin
    assert said is not None
    said.write(json.dumps(words) + "\n")
    said.flush()
    return _line(child)


def _line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise BenchError(f"a process ended with code {child.wait()}")
    return line


def _attempts(port: int) -> list[list[int | float | str]]:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("GET", "/attempts")
        found: list[list[int | float | str]] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()
