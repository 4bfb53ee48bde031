"""`python -m bench.strict`: the gateway with h11 on both sides, beside a plain hypercorn + httpx proxy."""

import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import servers
from bench.load import Load, check, saturate
from bench.machine import pinning
from bench.peers.roster import OTHERS, PEERS
from bench.posts import Kind

ROUNDS, SECONDS, CONNECTIONS = 3, 3, 32
KINDS: tuple[Kind, ...] = ("plain", "chunks")
NAMES = ("plain", "strict", "hedgerow")
BUDGET = 3.0
"""Requests per second of `strict` over those of the plain proxy, at least."""


def main() -> None:
    """Measure in interleaved rounds, print the medians and the ratio."""
    console = Console()
    pins = pinning()
    rates: dict[tuple[str, Kind], list[float]] = {}
    costs: dict[tuple[str, Kind], list[float]] = {}
    with ExitStack() as stack, console.status("starting") as status:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        mock = stack.enter_context(servers.mock(pins))
        targets = [
            stack.enter_context(servers.proxy(peer, mock.port, folder, pins))
            for peer in map((PEERS | OTHERS).__getitem__, NAMES)
        ]
        for number in range(ROUNDS):
            for kind in KINDS:
                for target in targets:
                    status.update(f"round {number + 1} of {ROUNDS}: {target.name}, {kind}")
                    load = Load(check(target, kind), CONNECTIONS, SECONDS)
                    found = saturate(target, load, pins)
                    rates.setdefault((target.name, kind), []).append(found.requests_per_s)
                    costs.setdefault((target.name, kind), []).append(found.cpu_us_per_request)
    table = Table("load", *(f"{name}, 1/s" for name in NAMES), *(f"{n}, us" for n in NAMES))
    for kind in KINDS:
        row = [f"{statistics.median(rates[name, kind]):,.0f}" for name in NAMES]
        row += [f"{statistics.median(costs[name, kind]):.0f}" for name in NAMES]
        table.add_row(kind, *row)
    console.print(table)
    for kind in KINDS:
        pairs = zip(rates["strict", kind], rates["plain", kind], strict=True)
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        verdict = "pass" if statistics.median(ratios) >= BUDGET else "FAIL"
        console.print(
            f"{kind}: strict / plain {statistics.median(ratios):.2f}x "
            f"({ratios[0]:.2f}-{ratios[-1]:.2f}); budget {BUDGET:.0f}x: {verdict}"
        )


if __name__ == "__main__":
    try:
        main()
    except servers.BenchError as error:
        Console(stderr=True).print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
