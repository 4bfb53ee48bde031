"""Saturating load by wrk, with the CPU time and memory the target spent on it; every reply is judged.

wrk is a closed loop: each connection waits for its reply before it asks again, so a slow target is
asked less. Its latencies say what a connection sees, not what clients see that come whenever they like.
"""

import http.client
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.checks import Expected, WrongReplyError, judge, quoted, tail
from bench.clients import LATE_S
from bench.machine import Others, Pinning, cpu_s, peak_kib, reset_peak, waited_s
from bench.peers.peer import HOST, BenchError
from bench.posts import TRANSLATED, Kind
from bench.servers import Target
from bench.wrk_script import RESULT, WRONG, script

SETTLE_S = 0.2
"""Pause after a stretch, for connections to close and buffers to empty."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one stretch of load did to one target."""

    requests: int
    requests_per_s: float
    p50_us: float
    p99_us: float
    cpu_us_per_request: float
    core_busy: float
    """Share of one core the target used; below ~0.95 it was not what limited the round."""
    core_taken: float
    """Share of the time the target was ready but others held its core: noise, for a proxy."""
    others: float
    """Cores that processes not ours kept busy, the load's core included."""
    rss_mib: float
    """The most it held meanwhile."""
    late: int
    """Replies that took longer than `LATE_S`."""


@dataclass(frozen=True, slots=True)
class Load:
    """How hard and how long."""

    expected: Expected
    connections: int
    seconds: int
    """Whole ones: wrk knows no others."""
    checked: bool = True
    """False: replies are not looked at, to see what looking costs."""


def saturate(target: Target, load: Load, pins: Pinning) -> Loaded:
    """Run wrk against `target`.

    Raises: BenchError where a reply was wrong, or a connection broke.
    """
    kind = load.expected.kind
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script(target.post(kind), load.expected if load.checked else None))
        reset_peak(target.pid)
        cpu, waited, others = cpu_s(target.pid), waited_s(target.pid), Others()
        result = _wrk(target, load, path, pins)
        cpu, busy_others = cpu_s(target.pid) - cpu, others.cores()
        waited, rss = waited_s(target.pid) - waited, peak_kib(target.pid) / 1024
    time.sleep(SETTLE_S)
    if result["failed"]:
        raise BenchError(f"{target.name}, {kind}: wrk counted {result}")
    seconds, requests = result["duration_us"] / 1e6, result["requests"]
    return Loaded(
        requests=requests,
        requests_per_s=requests / seconds,
        p50_us=result["p50_us"],
        p99_us=result["p99_us"],
        cpu_us_per_request=cpu * 1e6 / max(requests, 1),
        core_busy=cpu / seconds,
        core_taken=waited / seconds,
        others=busy_others,
        rss_mib=rss,
        late=result["late"],
    )


def check(target: Target, kind: Kind) -> Expected:
    """One request of `kind`; what to expect of all others after this reply.

    Raises: BenchError unless the reply is a right one, be it without usage.
    """
    request = target.post(kind)
    anthropic = kind in TRANSLATED and target.name == "direct"
    connection = http.client.HTTPConnection(HOST, target.port, timeout=LATE_S)
    try:
        connection.request("POST", request.path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{target.name}, {kind}: {error!r}") from error
    finally:
        connection.close()
    try:
        usage = judge(Expected(kind, anthropic, usage=False), response.status, body)
    except WrongReplyError as error:
        raise BenchError(
            f"{target.name}, {kind}: a wrong reply: {error}: {quoted(body)}"
        ) from error
    return Expected(kind, anthropic, usage, tail(body))


def _wrk(target: Target, load: Load, path: Path, pins: Pinning) -> dict[str, int]:
    url = f"http://{HOST}:{target.port}{target.post(load.expected.kind).path}"
    command = [
        *(*pins.prefix(pins.load), "wrk", "-t1", f"-c{load.connections}"),
        *(f"-d{load.seconds}s", "--timeout", f"{LATE_S:.0f}s", "-s", str(path), url),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=load.seconds + LATE_S, check=False
        )
    except FileNotFoundError as error:
        raise BenchError(f"wrk cannot be started: {error}") from error
    said = done.stdout.decode(errors="replace")
    head, _, result = said.partition(RESULT)
    _, wrong, what = head.partition(WRONG)
    if wrong:
        raise BenchError(f"{target.name}, {load.expected.kind}: a wrong reply: {what.strip()}")
    if not result:
        raise BenchError(f"wrk said: {said}{done.stderr.decode(errors='replace')}")
    found: dict[str, int] = json.loads(result)
    return found
