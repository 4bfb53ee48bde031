"""Stacks of the gateway's process, sampled by py-spy while it is under load.

Sampling looks from outside at times that are drawn, so it favours no function, and the gateway runs
the code it always runs. Each look stops the process for a moment, so it serves less meanwhile: a tenth
at this rate.

Rule 1: only what runs is counted; a gateway that waits in epoll is not. Rule 2: the sampler stays on the
load's core.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bench.machine import Pinning
from bench.peers.peer import BenchError

RATE_HZ = 250
"""Looks per second; more would slow the process down."""
ATTACH_S = 0.5
"""Until py-spy looks, and on after the load has ended."""
_FRAME = re.compile(r"^(.*) \((.*?)(?::(\d+))?\)$")


class Frame(NamedTuple):
    """A function that was running, and where in it."""

    function: str
    """With its class: `Attempt.drive`."""
    file: str
    """`proxy/stages/attempt.py`; of a library from its package on; empty: not known."""
    line: int
    """0: not known."""


Stack: TypeAlias = tuple[Frame, ...]
"""The outermost function first."""
Samples: TypeAlias = dict[Stack, int]
"""How often each stack was seen."""


def missing() -> str:
    """Why nothing can be sampled here; empty: it can."""
    return "" if _program() else "py-spy is missing: pip install py-spy"


@contextmanager
def recording(pid: int, seconds: float, file: Path, pins: Pinning) -> Iterator[None]:
    """Sample the process meanwhile; on the way out wait for py-spy to write `file`.

    Args:
        seconds: how long that will take.
    Raises: BenchError with py-spy's words; on some machines it needs root.
    """
    argv = [*pins.prefix(pins.load), _program(), "record", "--format", "raw"]
    argv += ["--rate", str(RATE_HZ), "--duration", str(round(seconds + 2 * ATTACH_S))]
    with subprocess.Popen(
        [*argv, "--pid", str(pid), "--output", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            yield
            said, _ = child.communicate(timeout=seconds + 30)
        finally:
            child.kill()
    if child.returncode or not file.exists():
        raise BenchError(f"py-spy failed: {said.strip()}")


def read(raw: str) -> Samples:
    """What py-spy wrote: a line for each stack, frames between semicolons, then how often."""
    found: Samples = {}
    for line in raw.splitlines():
        words, _, number = line.rpartition(" ")
        stack = tuple(map(_frame, words.split(";")))
        found[stack] = found.get(stack, 0) + int(number)
    return found


def _frame(words: str) -> Frame:
    found = _FRAME.match(words)
    if found is None:
        return Frame(words, "", 0)
    return Frame(found[1], found[2], int(found[3] or 0))


def _program() -> str:
    """py-spy, beside this Python or on the path; empty: nowhere."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy") or ""
