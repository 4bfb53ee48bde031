"""Facts about this machine and what processes on it used, read from `/proc`."""

import os
import platform
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SETTLE_S_MAX, SETTLE_LOOK_S, SETTLED_SHARE = 15.0, 0.2, 0.1
"""How long a target may go on with what nobody waits for any more, how often that is looked at, seconds; and the
share of a core at which it is at rest."""


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
        fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:13]))
    return ticks / _TICKS_PER_S


def settle(pid: int, within_s: float = SETTLE_S_MAX) -> bool:
    """Wait until `pid` and its descendants do next to nothing; False: they still work after `within_s`."""
    ends = time.monotonic() + within_s
    used = cpu_s(pid)
    while time.monotonic() < ends:
        time.sleep(SETTLE_LOOK_S)
        before, used = used, cpu_s(pid)
        if used - before <= SETTLE_LOOK_S * SETTLED_SHARE:
            return True
    return False


def waited_s(pid: int) -> float:
    """How long `pid` and its descendants were ready to run while their core ran others, in seconds.

    Source: Documentation/scheduler/sched-stats.rst, `schedstat` field 2, in nanoseconds.
    """
    waited = 0
    for process in tree(pid):
        try:
            threads = list(Path(f"/proc/{process}/task").iterdir())
        except OSError:
            continue
        waited += sum(sum(map(int, _read(f"{t}/schedstat").split()[1:2])) for t in threads)
    return waited / 1e9


def rss_kib(pid: int) -> int:
    """Resident memory of `pid` and its descendants; pages they share count for each."""
    return _memory(pid, "VmRSS:")


def peak_kib(pid: int) -> int:
    """The most that each of them held since it began, or since `reset_peak`."""
    return _memory(pid, "VmHWM:")


def reset_peak(pid: int) -> None:
    """Let `peak_kib` start anew.

    Source: proc(5), `/proc/PID/clear_refs`, 5.
    """
    for process in tree(pid):
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5")


def _memory(pid: int, field: str) -> int:
    lines = [line for p in tree(pid) for line in _read(f"/proc/{p}/status").splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith(field))


def _read(path: str) -> str:
    """A file of `/proc`; empty once its process or thread is gone."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


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
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": said(["nginx", "-v"]).removeprefix("nginx version: "),
        "wrk": said(["wrk", "-v"]).partition(" Copyright")[0].partition(" [")[0],
        "commit": said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.processor() or "unknown"


def said(command: list[str]) -> str:
    """The first line a command prints, on whichever channel; `missing` if there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "missing"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "unknown"
