"""`python -m bench`: the mock directly, through nginx and through Hedgerow, in one run."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench import report, servers
from bench.copies import WAYS, describe, measure
from bench.machine import facts, pinning
from bench.metrics import Reading
from bench.rounds import PARTS, Bench, cold_start, one_round, preflight

ROUNDS, SECONDS = 3, 3
QUICK_ROUNDS, QUICK_SECONDS = 1, 2
COLD_STARTS = 5
SECONDS_MAX, ROUNDS_MAX = 60, 50
WIDTH_PIPED = 120
"""Columns when the output is no terminal: the whole table."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The options of the command line, defaults filled in."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of two seconds each")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part (repeatable)")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=int, metavar="S", help=f"per stretch, default {SECONDS}")
    parser.add_argument("--no-gateway", action="store_true", help="direct and nginx only")
    parser.add_argument("--no-nginx", action="store_true", help="no nginx, hence no ratios")
    options = parser.parse_args(argv)
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if options.quick else (ROUNDS, SECONDS)
    options.rounds = min(options.rounds or rounds, ROUNDS_MAX)
    options.seconds = min(options.seconds or seconds, SECONDS_MAX)
    options.parts = tuple(options.only or PARTS)
    return options


def run(options: argparse.Namespace, console: Console) -> None:
    """Start everybody, measure, print and save."""
    names = [n for n in servers.COMMANDS if not getattr(options, _flag(n))]
    tools = ["wrk", *(["nginx"] if "nginx" in names else [])]
    if missing := [tool for tool in tools if facts()[tool] == "missing"]:
        raise servers.BenchError(
            f"missing: {' '.join(missing)} (Debian: apt-get install wrk nginx)"
        )
    pins = pinning()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        mock = stack.enter_context(servers.mock(pins))
        proxies = [stack.enter_context(servers.proxy(n, mock.port, folder, pins)) for n in names]
        bench = Bench(mock, tuple(proxies), options.seconds, pins, options.parts)
        report.heading(bench, console)
        preflight(bench)
        values = report.collect(_measure(bench, options.rounds, console))
    report.show(values, options.rounds, console)
    report.warn(values, console)
    report.show_budgets(values, console)
    for way in WAYS:
        console.print(describe(measure(way)), highlight=False, soft_wrap=True)
    console.print(f"saved: {report.save(bench, values)}", highlight=False, soft_wrap=True)


def _flag(name: str) -> str:
    return {"nginx": "no_nginx", "hedgerow": "no_gateway"}[name]


def _measure(bench: Bench, rounds: int, console: Console) -> Iterator[Reading]:
    with console.status("starting") as status:
        for number in range(1, rounds + 1):

            def say(words: str, number: int = number) -> None:
                status.update(f"round {number} of {rounds}: {words}")

            yield from one_round(bench, say)
        for number in range(COLD_STARTS if "coldstart" in bench.parts else 0):
            for target in bench.proxies:
                status.update(f"cold start {number + 1} of {COLD_STARTS}: {target.name}")
                yield from cold_start(bench, target.name)


def main() -> None:
    """Run; an expected failure is one message and exit code 1."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_PIPED
    try:
        run(arguments(sys.argv[1:]), console)
    except servers.BenchError as error:
        Console(stderr=True).print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
