"""`python -m bench`: one mock, driven directly and through nginx, four gateways of others and Hedgerow, in one run."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench import page, report, rounds, servers
from bench.copies import WAYS, describe, measure
from bench.lanes import Bench
from bench.machine import Pinning, facts, pinning
from bench.metrics import PARTS
from bench.peers.direct import DIRECT
from bench.peers.peer import BenchError, Peer
from bench.peers.roster import PEERS, usable
from bench.progress import Progress
from bench.servers import Target

ROUNDS, SECONDS = 3, 3
QUICK_ROUNDS, QUICK_SECONDS = 1, 1
SECONDS_MAX, ROUNDS_MAX = 30, 50
WIDTH_PIPED = 160
"""Columns when the output is no terminal: the whole table."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The options of the command line, defaults filled in."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part (repeatable)")
    parser.add_argument("--targets", metavar="A,B", help=f"some of: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=int, metavar="S", help=f"per stretch, default {SECONDS}")
    parser.add_argument("--no-install", action="store_true", help="use only what is installed")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md of this run")
    options = parser.parse_args(argv)
    count, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if options.quick else (ROUNDS, SECONDS)
    options.rounds = min(options.rounds or count, ROUNDS_MAX)
    options.seconds = min(options.seconds or seconds, SECONDS_MAX)
    options.parts = tuple(options.only or PARTS)
    names = set(options.targets.split(",")) if options.targets else set(PEERS)
    if unknown := names - set(PEERS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    options.peers = [peer for name, peer in PEERS.items() if name in names | {DIRECT.name}]
    return options


def run(options: argparse.Namespace, console: Console) -> None:
    """Install, start everybody, measure, print and save."""
    missing = prepare(options.peers, console.print, install=not options.no_install)
    pins = pinning()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        mock = stack.enter_context(servers.mock(pins))
        able = [p for p in options.peers if p.name not in missing and p is not DIRECT]
        proxies = start(able, mock, (folder, pins), stack, missing)
        report.heading(pins, missing, console)
        expected = rounds.preflight((mock, *proxies), options.parts)
        wrk = facts()["wrk"] != "missing"
        bench = Bench(
            mock, tuple(proxies), options.seconds, pins, options.parts, expected, wrk, options.quick
        )
        progress = Progress(console, rounds.planned_s(bench, options.rounds))
        with progress.shown():
            values = report.collect(rounds.run(bench, options.rounds, progress))
    measured = [p for p in options.peers if p.name not in missing]
    report.show(values, measured, console)
    for way in WAYS:
        console.print(describe(measure(way)), highlight=False, soft_wrap=True)
    report.show_notes(bench, console)
    report.warn(values, console)
    report.show_budgets(values, console)
    versions = {peer.name: peer.version() for peer in measured}
    done = report.Run(bench, options.rounds, progress.took_s, options.peers, missing, versions)
    saved = report.save(done, values)
    console.print(f"saved: {saved}", highlight=False, soft_wrap=True)
    if options.page:
        console.print(f"page: {page.write(saved, page.DOCS)[0]}", highlight=False, soft_wrap=True)


def prepare(peers: Iterable[Peer], say: Callable[[str], None], *, install: bool) -> dict[str, str]:
    """Install what is needed; who cannot take part, and why."""
    reasons = {peer.name: usable(peer, say, install=install) for peer in peers}
    return {name: why for name, why in reasons.items() if why}


def start(
    peers: Iterable[Peer],
    mock: Target,
    where: tuple[Path, Pinning],
    stack: ExitStack,
    missing: dict[str, str],
) -> list[Target]:
    """Start them one after the other; one that does not start is `missing` from then on."""
    folder, pins = where
    targets = []
    for peer in peers:
        try:
            targets.append(stack.enter_context(servers.proxy(peer, mock.port, folder, pins)))
        except BenchError as error:
            missing[peer.name] = f"it did not start: {error}"
    return targets


def main() -> None:
    """Run; an expected failure is one message and exit code 1."""
    # however it is ended, what was started ends with it: no gateway stays behind
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_PIPED
    try:
        run(arguments(sys.argv[1:]), console)
    except BenchError as error:
        Console(stderr=True).print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
