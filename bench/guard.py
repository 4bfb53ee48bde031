"""The regression guard: `python -m bench.guard` fails when a request costs a tenth more than it did.

It counts instructions under callgrind, which repeat to about 1 % on a busy machine; without valgrind
it compares the CPU time with nginx's, more coarsely; with neither it says so, loudly, and passes.
`--store` keeps what was found in `bench/guard.json`; do that on purpose, with the change that caused it.
"""

import argparse
import datetime as dt
import sys
from statistics import median

from bench import guard_counting, guard_ratio
from bench.guard_figures import STORE, Figure, compare, environment, figure, find, load, store
from bench.machine import ROOT, pinning
from bench.peers.peer import BenchError

REPEATS = 3
"""Gateways that are counted, one after the other; about 25 s each."""
ROUNDS = 5
"""Of the fallback, 8 s each."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--store", action="store_true", help=f"keep the figure in {STORE.name}")
    parser.add_argument("--ratio", action="store_true", help="use the fallback, CPU against nginx")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"default {REPEATS}")
    return parser.parse_args(argv)


def method(*, ratio: bool) -> tuple[str, list[str]]:
    """How to measure here, empty if not at all, and what is missing for the better ways."""
    reasons = []
    if not ratio:
        if not (why := guard_counting.missing()):
            return "instructions", []
        reasons.append(why)
    if why := guard_ratio.missing():
        return "", [*reasons, why]
    return "ratio", reasons


def measure(how: str, repeats: int) -> Figure:
    """Measure and print each value with its spread. Raises: BenchError."""
    pins, say = pinning(), _say
    if how == "instructions":
        runs = [guard_counting.count(guard_counting.Amount(), pins, say) for _ in range(repeats)]
        found = {kind: [run[kind] for run in runs] for kind in guard_counting.KINDS}
    else:
        found = guard_ratio.measure(pins, ROUNDS, say)
    _say("")
    for kind, values in found.items():
        print(f"{kind}: {spread(how, values)}")
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return figure(how, {kind: median(values) for kind, values in found.items()}, day)


def spread(how: str, values: list[float]) -> str:
    """The median in words, and how far apart the values are."""
    middle = median(values)
    what = f"{middle:,.0f} instructions" if how == "instructions" else f"{middle:.2f} x nginx's CPU"
    apart = 100 * (max(values) - min(values)) / middle
    return f"{what} a request, median of {len(values)}, spread {apart:.1f} %"


def run(options: argparse.Namespace) -> bool:
    """Measure, then store or compare; whether the change may pass."""
    how, reasons = method(ratio=options.ratio)
    for reason in reasons:
        print(f"guard: {reason}")
    if not how:
        print("guard: NOTHING WAS MEASURED, so nothing is known about the speed of this change.")
        return True
    found = measure(how, options.repeats)
    if options.store:
        store(found)
        print(f"stored: {STORE.relative_to(ROOT)}")
        return True
    verdict = compare(find(load(), how, environment(how)), found)
    print("\n".join(verdict.lines))
    return not verdict.fails


def _say(words: str) -> None:
    """Progress, on one line of a terminal that the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Exit code 1 when the change may not pass, or its replies are wrong."""
    try:
        passes = run(arguments(sys.argv[1:]))
    except BenchError as error:
        sys.exit(f"guard: {error}")
    sys.exit(not passes)


if __name__ == "__main__":
    main()
