"""A thousand slow clients of slowhttptest against a gateway as it is started, limits as they are.

Honest clients ask ten times a second all the while. What slowhttptest sees of closed connections is in
its CSV; a client of slow reads cannot see that it was closed, so there the gateway's own count decides.
"""

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from tests.cli.process import clean_environment
from tests.hostile.arena import read_out, split_answers
from tests.rig import chat_body, head, post

PROGRAM = shutil.which("slowhttptest")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="NOT TESTED: `apt-get install slowhttptest` first"),
]
ATTACKERS, PER_SECOND = 1000, 250
OPENING_S = ATTACKERS / PER_SECOND + 2
SLACK_S = 2.0
"""The reaper looks each second, and so do we."""
HONEST_S = 0.1
HONEST_OPEN_MAX = 50
"""Honest connections that may be open at a time."""
ANSWER_S = 5.0
"""Longest an honest client waits."""
RSS_BYTES_MAX = 256 << 20
CHAT, MODELS = "/api/v1/chat/completions", "/api/v1/models"


@dataclass(frozen=True)
class Mode:
    """One attack."""

    options: tuple[str, ...]
    path: str
    length_s: int
    """How long it is let run, at most."""
    limit_s: float
    """Which limit must end it: seconds after its beginning."""
    sees: bool = True
    """It notices that it was closed."""
    holds: bool = True
    """It has all its connections open at a time."""


MODES = {
    "slow headers": Mode(("-H", "-i", "2"), CHAT, 40, 10),
    "slow body": Mode(("-B", "-i", "2", "-s", "8192"), CHAT, 40, 10),
    "ranges": Mode(("-R",), MODELS, 40, 10, holds=False),
    "slow read": Mode(
        ("-X", "-k", "10", "-n", "1", "-z", "5", "-w", "1", "-y", "512"), MODELS, 60, 30, sees=False
    ),
}


@dataclass
class Seen:
    """What honest clients saw."""

    asked: int = 0
    faults: list[str] = field(default_factory=list)
    worst_s: float = 0.0
    open: list[tuple[float, int]] = field(default_factory=list)
    """(seconds since the begin, client connections), each second."""
    rss_bytes: float = 0.0
    """The most that was seen."""


@contextmanager
def gateway(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`hedgerow serve` with the sandbox, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy", "serve", "--bind", "127.0.0.1:0"],
        cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        try:
            yield process, int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()


async def ask(port: int, data: bytes) -> tuple[int, bytes]:
    """One answer over a fresh connection; (0, b"") for none in time."""
    with trio.move_on_after(ANSWER_S):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(data)
            answers, _ = split_answers((await read_out(stream))[0])
            return (answers[0].status, answers[0].body) if answers else (0, b"")
    return 0, b""


async def honest(port: int, seen: Seen, nursery: trio.Nursery) -> None:
    """Ask ten times a second, however long an answer takes."""
    request = post(chat_body("openai/gpt-4o-mini"), CHAT, "Connection: close")

    async def once() -> None:
        began = trio.current_time()
        status, body = await ask(port, request)
        seen.worst_s = max(seen.worst_s, trio.current_time() - began)
        seen.asked += 1
        if status != 200 or b'"choices"' not in body:
            seen.faults.append(f"{status} {body[:100]!r} after {trio.current_time() - began:.1f} s")

    while True:
        nursery.start_soon(once)
        await trio.sleep(HONEST_S)


async def count(port: int, seen: Seen) -> None:
    """Note the gateway's own count of connections each second."""
    began = trio.current_time()
    while True:
        _, page = await ask(port, head("GET", "/metrics", "Connection: close"))
        lines = dict(line.rsplit(" ", 1) for line in page.decode().splitlines() if line[:1] != "#")
        if lines:
            opened = int(float(lines["hedgerow_open_connections"]))
            seen.open.append((trio.current_time() - began, opened))
            seen.rss_bytes = max(seen.rss_bytes, float(lines["process_resident_memory_bytes"]))
        await trio.sleep(1)


async def suffer(mode: Mode, port: int, folder: Path) -> tuple[str, Seen]:
    """Run one attack to its end with honest clients beside it; what it said, what they saw."""
    command = [
        str(PROGRAM), *mode.options, "-c", str(ATTACKERS), "-r", str(PER_SECOND), "-p", "3",
        "-l", str(mode.length_s), "-g", "-o", str(folder / "out"), "-u", f"http://127.0.0.1:{port}{mode.path}",
    ]  # fmt: skip
    seen = Seen()
    with trio.fail_after(mode.length_s + 30):
        async with trio.open_nursery() as answers, trio.open_nursery() as nursery:
            nursery.start_soon(honest, port, seen, answers)
            nursery.start_soon(count, port, seen)
            done = await trio.run_process(command, capture_stdout=True, check=False)
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
    return done.stdout.decode(errors="replace"), seen


@pytest.mark.parametrize("name", MODES)
async def test_a_thousand_slow_clients_are_let_go_and_honest_ones_served(
    tmp_path: Path, name: str
) -> None:
    mode = MODES[name]
    with gateway(tmp_path) as (process, port):
        said, seen = await suffer(mode, port, tmp_path)
        alive = process.poll() is None
        process.terminate()
        code = await trio.to_thread.run_sync(process.wait, 20)
    with (tmp_path / "out.csv").open() as file:
        rows = [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]
    print(
        f"{name}: {seen.asked} honest, worst {seen.worst_s:.3f} s, {seen.rss_bytes / 2**20:.0f} MiB"
    )
    print(f"open each second: {[opened for _, opened in seen.open]}; its last row: {rows[-1]}")

    assert (True, 0) == (alive, code)
    assert [] == seen.faults
    assert seen.asked > 10
    assert all(row["Service Available"] for row in rows), rows
    if mode.holds:
        assert max(opened for _, opened in seen.open) > ATTACKERS * 0.9, seen.open
        assert max(row["Connected"] for row in rows) > ATTACKERS * 0.9, rows
    late = [
        (when, opened)
        for when, opened in seen.open
        if when > OPENING_S + mode.limit_s + SLACK_S and opened > HONEST_OPEN_MAX
    ]
    assert [] == late, "attackers still have their places"
    if mode.sees:
        assert "No open connections left" in said, said[-600:]
    assert seen.rss_bytes < RSS_BYTES_MAX
