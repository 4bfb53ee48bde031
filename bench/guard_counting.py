"""Instructions that the gateway executes per request, counted by callgrind.

A count repeats where a time does not: whatever else the machine does, the same work is the same number
of instructions. What the kernel does is not in it; system calls are told apart by `strace`, not here.

Rule 1: one connection, one request after the other, every reply judged. Rule 2: streams come in one
write, so that how many reads they take does not hang on the weather. Rule 3: start-up and warm-up are
on pages of their own and count for nothing. Rule 4: what the gateway does each second whether asked or
not is measured while it idles, and taken off, and only the quickest pages count; else a slow machine
would count more.
"""

import http.client
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench.checks import Expected, WrongReplyError, judge, quoted
from bench.guard_driver import MARK
from bench.load import check
from bench.machine import ROOT, Pinning
from bench.peers.hedgerow import HEDGEROW
from bench.peers.peer import HOST, BenchError, Site, Start
from bench.posts import Kind
from bench.servers import Target, free_port, mock, started

KINDS: tuple[Kind, ...] = ("plain", "burst")
"""What is counted."""
IDLE_PAGES = 4
QUICKEST = 3
"""One page in so many counts: the less time it took, the less else is on it."""
PAGE_S_MAX = 30.0
"""How long callgrind may take to close a page."""
_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is asked of one gateway."""

    warm_up: int = 100
    """Requests of each kind that do not count."""
    page: int = 16
    """Requests on one page: a multiple of the mock's variants, so that all pages are alike."""
    pages: int = 20
    """Of each kind."""
    idle_s: float = 0.4
    """Length of a page without a request."""


def missing() -> str:
    """Why instructions cannot be counted here; empty: they can."""
    if shutil.which("valgrind") is None:
        return "valgrind is missing (Debian: apt-get install valgrind)"
    return HEDGEROW.missing()


def count(amount: Amount, pins: Pinning, say: Callable[[str], None]) -> dict[Kind, float]:
    """Start a gateway under callgrind and ask it; instructions per request.

    Raises: BenchError where a reply is wrong, or callgrind did not see the marks.
    """
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as name, mock(pins) as upstream:
        folder = Path(name)
        site = Site(upstream.port, free_port(), folder, pins)
        first = folder / "counts"
        say("starting the gateway under callgrind")
        with (
            started(HEDGEROW, site, under_callgrind(HEDGEROW.start(site), first)) as target,
            closing(Asker(target)) as asker,
        ):
            pages = Pages(first, target.pid)
            for kind in KINDS:
                say(f"warming up: {kind}")
                asker.ask(kind, amount.warm_up)
            pages.turn()
            idle = _idle(pages, amount)
            return {kind: _busy(asker, pages, amount, kind, idle, say) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Idle:
    """What is counted though nobody asks."""

    mark: int
    """Instructions that closing a page takes."""
    per_s: float


def _idle(pages: "Pages", amount: Amount) -> Idle:
    """Measure it; the least counts, since now and then there is more to do."""
    mark = min(pages.turn().instructions for _ in range(IDLE_PAGES))
    found = []
    for _ in range(IDLE_PAGES):
        time.sleep(amount.idle_s)
        page = pages.turn()
        found.append((page.instructions - mark) / page.seconds)
    return Idle(mark, max(min(found), 0.0))


def _busy(
    asker: "Asker", pages: "Pages", amount: Amount, kind: Kind, idle: Idle,
    say: Callable[[str], None],
) -> float:  # fmt: skip
    """Instructions per request of a kind: the median of the quickest pages."""
    found = []
    for number in range(1, amount.pages + 1):
        say(f"counting {kind}, {number} of {amount.pages}")
        asker.ask(kind, amount.page)
        found.append(pages.turn())
    quickest = sorted(found, key=lambda page: page.seconds)[: max(amount.pages // QUICKEST, 1)]
    return median(net(page, idle) for page in quickest) / amount.page


def net(page: "Page", idle: Idle) -> float:
    """Instructions on a page without what would have been there anyway."""
    return page.instructions - idle.mark - idle.per_s * page.seconds


def under_callgrind(start: Start, counts: Path) -> Start:
    """The same gateway in our driver, with the same hashes of names on every run."""
    tool = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}", "--quiet"]
    argv = [*tool, f"--callgrind-out-file={counts}", sys.executable, "-m", "bench.guard_driver"]
    environment = {**start.environment, "PYTHONHASHSEED": "0"}
    return replace(start, argv=[*argv, *start.argv[1:]], environment=environment, cwd=ROOT)


@dataclass(frozen=True, slots=True)
class Page:
    """What was counted between two marks."""

    instructions: int
    seconds: float


class Pages:
    """The files callgrind writes: `counts.1`, `counts.2` and so on."""

    def __init__(self, first: Path, pid: int) -> None:
        """`first`: their name without the number; `pid`: who is counted."""
        self._first = first
        self._pid = pid
        self._turned = 0
        self._began_at = time.monotonic()

    def turn(self) -> Page:
        """Close the page that the gateway is on. Raises: BenchError."""
        self._turned += 1
        file = self._first.with_name(f"{self._first.name}.{self._turned}")
        now = time.monotonic()
        seconds, self._began_at = now - self._began_at, now
        os.kill(self._pid, signal.SIGUSR1)
        while time.monotonic() < now + PAGE_S_MAX:
            if file.exists() and (found := total(file.read_text(errors="replace"))) is not None:
                file.unlink()
                return Page(found, seconds)
            time.sleep(0.02)
        raise BenchError(f"callgrind closed no page within {PAGE_S_MAX:.0f} s: does it see {MARK}?")


def total(page: str) -> int | None:
    """Instructions on a page; None while it is being written."""
    found = _TOTALS.search(page)
    return int(found[1]) if found else None


class Asker:
    """A client with one connection that judges every reply."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._expected: dict[Kind, Expected] = {kind: check(target, kind) for kind in KINDS}
        self._connection = http.client.HTTPConnection(HOST, target.port, timeout=PAGE_S_MAX)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(self, kind: Kind, times: int) -> None:
        """Send the request of a kind, one after the other. Raises: BenchError."""
        request = self._target.post(kind)
        for _ in range(times):
            self._connection.request("POST", request.path, request.body, request.headers)
            reply = self._connection.getresponse()
            body = reply.read()
            try:
                judge(self._expected[kind], reply.status, body)
            except WrongReplyError as error:
                raise BenchError(f"{kind}: a wrong reply: {error}: {quoted(body)}") from error
