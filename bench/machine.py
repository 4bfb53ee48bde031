"""Facts about this machine and what processes on it used, read from `/proc`."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Pinning:
    """Which core runs the process under test, and which the mock and the load."""

    proxy: int | None
    load: int | None

    def prefix(self, core: int | None) -> list[str]:
        """The words that start a command on `core`."""
        return [] if core is None else ["taskset", "-c", str(core)]


def pinning() -> Pinning:
    """Two cores out of those we may use; with one core nothing is pinned."""
    cores = sorted(os.sched_getaffinity(0))
    return Pinning(cores[0], cores[1]) if len(cores) > 1 else Pinning(None, None)


def tree(pid: int) -> list[int]:
    """`pid` and its living descendants; empty once it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(c) for t in tasks for c in (t / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(p for child in children for p in tree(child))]


def cpu_s(pid: int) -> float:
    """User and system time so far of `pid` and its descendants, all threads, in seconds.

    Source: proc(5), `/proc/PID/stat` fields 14 and 15, in clock ticks (10 ms here).
    """
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def waited_s(pid: int) -> float:
    """How long `pid` and its descendants were ready to run while their core ran others, in seconds.

    Source: Documentation/scheduler/sched-stats.rst, `schedstat` field 2, in nanoseconds.
    """
    threads = [task for p in tree(pid) for task in Path(f"/proc/{p}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[1]) for task in threads) / 1e9


def rss_kib(pid: int) -> int:
    """Resident memory of `pid` and its descendants; pages they share count for each."""
    total = 0
    for process in tree(pid):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


class Others:
    """Counts the time that processes other than ours took from the machine, from now on.

    Source: proc(5), `/proc/stat`: all fields but idle, iowait and what guests used twice over.
    """

    def __init__(self) -> None:
        """Start to count."""
        self._began = time.monotonic()
        self._used = _foreign_s()

    def cores(self) -> float:
        """Cores kept busy by others, on average since the start; what is stolen counts too."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        return max(0.0, (_foreign_s() - self._used) / seconds)


def _foreign_s() -> float:
    """Busy time of all cores, less ours, less that of children already reaped."""
    fields = [int(n) for n in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
    reaped = os.times().children_user + os.times().children_system
    return (sum(fields) - fields[3] - fields[4]) / _TICKS_PER_S - cpu_s(os.getpid()) - reaped


@cache
def facts() -> dict[str, str]:
    """What a reader needs to judge the numbers."""
    return {
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _said(["nginx", "-v"]).removeprefix("nginx version: "),
        "wrk": _said(["wrk", "-v"]).partition(" Copyright")[0].partition(" [")[0],
        "commit": _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.processor() or "unknown"


def _said(command: list[str]) -> str:
    """The first line a command prints, on whichever channel."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "missing"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "unknown"
