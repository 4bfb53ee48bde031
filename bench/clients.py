"""How the Python clients run: a process each on the load's core, a plan in, what was seen out, both JSON.

Rule 1: a wrong reply ends the client with the reason, and that ends the run. Rule 2: a reply that is not there
after `LATE_S` is counted, named in the run's notes, and no reason to stop: slow is not wrong.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from bench.checks import Expected, WrongReplyError, judge_raw, quoted
from bench.machine import ROOT, Pinning
from bench.peers.peer import BenchError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LATE_S = 30.0
"""How long an answer may take."""
Seen = TypeVar("Seen", bound="DataclassInstance")


def ask(
    module: str, plan: "DataclassInstance", seen: type[Seen], pins: Pinning, *, seconds: float
) -> Seen:
    """Run `python -m bench.MODULE`, which takes `seconds` at most and then `LATE_S`.

    Raises: BenchError with what the client said.
    """
    done = subprocess.run(
        [*pins.prefix(pins.load), sys.executable, "-m", f"bench.{module}"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        timeout=seconds + LATE_S + 60,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise BenchError(done.stderr.strip()[-2_000:])
    return seen(**json.loads(done.stdout))


def serve(drive: Callable[[dict[str, Any]], "DataclassInstance"]) -> None:
    """The other side: read the plan, carry it out, print what was seen."""
    plan = json.load(sys.stdin)
    gc.disable()
    try:
        print(json.dumps(asdict(drive(plan))))
    except (BenchError, OSError) as error:
        sys.exit(str(error) or repr(error))


def judge_all(expected: Expected, replies: Iterable[bytes]) -> None:
    """Judge replies that were kept.

    Raises: BenchError that quotes the first wrong one.
    """
    for raw in replies:
        try:
            judge_raw(expected, raw)
        except WrongReplyError as error:
            raise BenchError(f"a wrong reply: {error}: {quoted(raw)}") from error


def percentile(values: list[float], share: float) -> float:
    """The value at `share` (0 to 1) of the sorted list; 0 for an empty one."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
