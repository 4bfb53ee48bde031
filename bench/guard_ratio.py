"""CPU per request, nginx = 1: what the guard falls back on where there is no callgrind.

Rule 1: both are measured in turns, so that what the machine does otherwise meets both. Rule 2: a ratio
of times swings by a tenth or two even so; the guard allows for that.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.load import Load, check, saturate
from bench.machine import Pinning, facts
from bench.peers.hedgerow import HEDGEROW
from bench.peers.nginx import NGINX
from bench.posts import Kind
from bench.servers import mock, proxy

KINDS: tuple[Kind, ...] = ("plain", "burst")
CONNECTIONS, SECONDS = 32, 2


def missing() -> str:
    """Why it cannot be measured here; empty: it can."""
    if facts()["wrk"] == "missing":
        return "wrk is missing (Debian: apt-get install wrk)"
    return NGINX.missing() or HEDGEROW.missing()


def measure(pins: Pinning, rounds: int, say: Callable[[str], None]) -> dict[Kind, list[float]]:
    """A ratio per round and kind. Raises: BenchError where a reply is wrong."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-guard-")))
        upstream = stack.enter_context(mock(pins))
        peers = (NGINX, HEDGEROW)
        targets = [stack.enter_context(proxy(p, upstream.port, folder, pins)) for p in peers]
        expected = {kind: [check(target, kind) for target in targets] for kind in KINDS}
        found: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        for number in range(rounds + 1):
            say(f"round {number} of {rounds}" if number else "warming up")
            for kind in KINDS:
                nginx, ours = (
                    saturate(target, Load(known, CONNECTIONS, SECONDS), pins).cpu_us_per_request
                    for target, known in zip(targets, expected[kind], strict=True)
                )
                if number:  # the first round warms up
                    found[kind].append(ours / nginx)
    return found
