"""`python -m bench.day`: a day of traffic in virtual time, decided by the gateway's own policy.

One model at six endpoints; things go wrong with them, and end. Nothing listens and nothing waits: a day of
a million requests takes about a minute of CPU. Prints what was found as JSON, draws pictures.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.day_findings import checks, summary
from bench.day_loop import Day
from bench.day_plots import pictures
from bench.day_world import SCRIPTS


def main() -> None:
    """Run; exit code 1 where something did not hold."""
    asked = _arguments()
    script, began = SCRIPTS[asked.script], time.process_time()
    day = Day(script, asked.requests, asked.seed)
    logging.disable(logging.WARNING)  # breakers that open are counted, not told one by one
    try:
        notes = day.run(_progress(script.span_s)).close()
    finally:
        logging.disable(logging.NOTSET)
    took_s = time.process_time() - began
    found = summary(notes)
    found |= {
        "script": asked.script,
        "seed": asked.seed,
        "cpu_s": round(took_s, 1),
        "cpu_us_per_request": round(took_s / asked.requests * 1e6, 1),
    }
    print(json.dumps(found, indent=1))
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        for name, text in pictures(notes).items():
            (asked.out / f"routing-{asked.script}-{name}.svg").write_text(text, encoding="utf-8")
    sys.exit(not all(checks(notes).values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", choices=sorted(SCRIPTS), default="day")
    parser.add_argument("--out", type=Path, help="folder for pictures; none are drawn without it")
    return parser.parse_args()


def _progress(span_s: float) -> Callable[[float], None]:
    """Tell on stderr how far it is."""
    began = time.monotonic()

    def tell(now: float) -> None:
        spent = time.monotonic() - began
        print(f"\r{now / span_s:4.0%} of the day, {spent:.0f} s", end="", file=sys.stderr, flush=True)  # fmt: skip

    return tell


if __name__ == "__main__":
    main()
