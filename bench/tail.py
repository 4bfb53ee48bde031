"""`python -m bench.tail`: what hedging does to the slowest requests, and what it costs.

A real gateway between mock providers and many clients, each a process of its own, on loopback; seconds of
the made-up world are shortened by `--scale` so that it fits into eight minutes, `[hedging]`'s times alike.
`--virtual`: the same worlds in virtual time, decided by the gateway's own policy, 1,000,000 requests
for each mode.
Exit code 1 where a goal is missed.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.machine import Others, facts, pinning
from bench.report import RESULTS
from bench.servers import BenchError
from bench.tail_findings import PERCENTS, Run, checks, figures
from bench.tail_loop import RATE, Loop
from bench.tail_plots import pictures, timeline
from bench.tail_runs import Shape, measure
from bench.tail_settings import MODES
from bench.tail_worlds import WORLDS

ASKED = (
    ("stalls", ("none", "hedged", "race")),
    ("bimodal", ("none", "hedged", "race")),
    ("sick", ("none", "hedged")),
    ("slowdown", ("none", "hedged")),
)
"""By world: which modes."""
WHOLE, QUICK = Shape(300.0, 38.0, 0.1, 6.0), Shape(200.0, 8.0, 0.05, 4.0)


def main() -> None:
    """Run what is asked for."""
    asked = _arguments()
    say = Console(stderr=True)
    others, began = Others(), time.monotonic()
    try:
        runs = list(_virtual(asked, say) if asked.virtual else _sockets(asked, say))
    except BenchError as error:
        sys.exit(str(error))
    held = checks(runs)
    Console(width=140).print(table(runs))
    for words, holds in held.items():
        print(f"{'pass' if holds else 'FAIL'}  {words}")
    document = {
        "at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": " ".join(["python -m bench.tail", *sys.argv[1:]]),
        "machine": facts(),
        "cores_busy_with_others": round(others.cores(), 3),
        "took_s": round(time.monotonic() - began, 1),
        "shape": {"rate": RATE} if asked.virtual else _shape(asked)._asdict(),
        "runs": [figures(run) for run in runs],
        "checks": held,
    }
    print(f"saved {save(document, runs, asked.out)}")
    sys.exit(not all(held.values()))


def save(document: dict[str, object], runs: Sequence[Run], out: Path | None) -> Path:
    """Write `bench/results/tail-DATE.json`, and pictures where a folder for them was named."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"tail-{datetime.now().astimezone():%Y-%m-%dT%H%M%S}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in (pictures(runs) | {"timeline": timeline()}).items():
            (out / f"hedging-{name}.svg").write_text(text, encoding="utf-8")
    return path


def table(runs: Sequence[Run]) -> Table:
    """Runs as rows, world by world."""
    found = Table(title="Time to first token as clients see it, seconds of the world")
    for heading in ("world", "mode"):
        found.add_column(heading)
    for heading in ("n", *(f"p{p:g}" for p in PERCENTS), "extra req.", "while slow", "extra cost",
                    "won", "closed p99"):  # fmt: skip
        found.add_column(heading, justify="right")
    for run in runs:
        told = figures(run)
        found.add_row(
            run.world, run.mode, f"{len(run.waits):,}", *(f"{run.p(p):.2f}" for p in PERCENTS),
            f"{run.extra:.2%}", f"{run.extra_slow:.2%}" if run.slow_requests else "",
            f"{run.extra_cost:.2%}", f"{run.won / run.fired:.0%}" if run.fired else "",
            f"{told['closed_p99_ms']} ms" if run.closed_ms else "",
        )  # fmt: skip
    return found


def _virtual(asked: argparse.Namespace, say: Console) -> Iterator[Run]:
    for world, modes in _asked(asked):
        for mode in modes:
            loop = Loop(WORLDS[world], MODES[mode], asked.requests, asked.seed)
            logging.disable(logging.WARNING)
            try:
                yield loop.run(_progress(say, f"{world}, {mode}"))
            finally:
                logging.disable(logging.NOTSET)


def _sockets(asked: argparse.Namespace, say: Console) -> Iterator[Run]:
    shape, pins = _shape(asked), pinning()
    with tempfile.TemporaryDirectory(prefix="bench-tail-") as folder:
        for world, modes in _asked(asked):
            for mode in modes:
                say.print(f"{world}, {mode}: {shape.seconds:.0f} s")
                yield measure(WORLDS[world], MODES[mode], shape, pins, Path(folder))


def _asked(asked: argparse.Namespace) -> list[tuple[str, tuple[str, ...]]]:
    """Worlds and modes of this run."""
    return [
        (world, tuple(asked.mode or modes))
        for world, modes in ASKED
        if not asked.world or world in asked.world
    ]


def _shape(asked: argparse.Namespace) -> Shape:
    whole = QUICK if asked.quick else WHOLE
    return whole._replace(
        rate=asked.rate or whole.rate,
        seconds=asked.seconds or whole.seconds,
        scale=asked.scale or whole.scale,
        seed=asked.seed,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tail", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="8 s for each mode of each world")
    parser.add_argument("--virtual", action="store_true", help="in virtual time")
    parser.add_argument("--requests", type=int, default=1_000_000, help="virtual: of each run")
    parser.add_argument("--world", choices=sorted(WORLDS), action="append", help="repeatable")
    parser.add_argument("--mode", choices=sorted(MODES), action="append", help="repeatable")
    parser.add_argument("--rate", type=float, help="requests per second, over sockets")
    parser.add_argument("--seconds", type=float, help="of each mode, over sockets")
    parser.add_argument("--scale", type=float, help="seconds per second of the world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for pictures; none are drawn without it")
    return parser.parse_args()


def _progress(say: Console, what: str) -> Callable[[float], None]:
    """Tell on stderr how far it is."""
    began = time.monotonic()

    def tell(share: float) -> None:
        if os.isatty(2) or share == 0:
            say.print(f"{what}: {share:4.0%}, {time.monotonic() - began:.0f} s", end="\r")

    return tell


if __name__ == "__main__":
    main()
