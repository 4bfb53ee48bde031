"""Saturating load by wrk, with the CPU time and memory the target spent on it."""

import http.client
import json
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Others, Pinning, cpu_s, rss_kib, waited_s
from bench.posts import HEADERS, Kind
from bench.servers import HOST, BenchError, Target

SETTLE_S = 0.3
"""Pause after a stretch, for connections to close and buffers to empty."""
_SCRIPT = """\
wrk.method = "POST"
wrk.body = [==[{body}]==]
{headers}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
_RESULT = re.compile(r"^BENCH (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one stretch of load did to one target."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_request: float
    core_busy: float
    """Share of one core the target used; below ~0.95 it was not what limited the round."""
    core_taken: float
    """Share of the time the target was ready but others held its core: noise, for a proxy."""
    others: float
    """Cores that processes not ours kept busy, the load's core included."""
    rss_mib: float
    events_per_s: float
    """Events the mock wrote in paced streams meanwhile."""
    cpu_us_per_event: float
    """CPU time per such event; 0 outside paced mode."""


@dataclass(frozen=True, slots=True)
class Load:
    """How hard and how long."""

    kind: Kind
    connections: int
    seconds: int
    """Whole ones: wrk knows no others."""


def saturate(target: Target, mock: Target, load: Load, pins: Pinning) -> Loaded:
    """Run wrk against `target`; raise when anything but success came back."""
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        script = Path(folder) / "post.lua"
        script.write_text(lua(target, load.kind))
        events, cpu, waited = _events_paced(mock), cpu_s(target.pid), waited_s(target.pid)
        others = Others()
        result = _wrk(target, load, script, pins)
        cpu, events = cpu_s(target.pid) - cpu, _events_paced(mock) - events
        busy_others = others.cores()
        waited, rss = waited_s(target.pid) - waited, rss_kib(target.pid) / 1024
    time.sleep(SETTLE_S)
    if result["failed"] or not result["requests"]:
        raise BenchError(f"{target.name}, {load.kind}: wrk counted {result}")
    return Loaded(
        requests_per_s=result["requests"] * 1e6 / result["duration_us"],
        p50_ms=result["p50_us"] / 1e3,
        p99_ms=result["p99_us"] / 1e3,
        cpu_us_per_request=cpu * 1e6 / result["requests"],
        core_busy=cpu * 1e6 / result["duration_us"],
        core_taken=waited * 1e6 / result["duration_us"],
        others=busy_others,
        rss_mib=rss,
        events_per_s=events * 1e6 / result["duration_us"],
        cpu_us_per_event=cpu * 1e6 / events if events else 0.0,
    )


def check(target: Target, kind: Kind) -> None:
    """One request of `kind`; raise unless the answer is the whole one."""
    request = target.post(kind)
    connection = http.client.HTTPConnection(HOST, target.port, timeout=10)
    try:
        connection.request("POST", request.path, request.body, HEADERS)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{target.name}, {kind}: {error!r}") from error
    finally:
        connection.close()
    whole = b'"usage"' in body and (kind == "plain" or body.rstrip().endswith(b"data: [DONE]"))
    if response.status != 200 or not whole:
        raise BenchError(f"{target.name}, {kind}: {response.status} {body[-300:]!r}")


def lua(target: Target, kind: Kind) -> str:
    """The wrk script of a request; wrk builds the bytes once and repeats them."""
    fields = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in HEADERS.items())
    return _SCRIPT.format(body=target.post(kind).body.decode(), headers=fields)


def _wrk(target: Target, load: Load, script: Path, pins: Pinning) -> dict[str, int]:
    url = f"http://{HOST}:{target.port}{target.post(load.kind).path}"
    command = [
        *(*pins.prefix(pins.load), "wrk", "-t1", f"-c{load.connections}"),
        *(f"-d{load.seconds}s", "--timeout", "5s", "-s", str(script), url),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=load.seconds + 30, check=False
        )
    except FileNotFoundError as error:
        raise BenchError(f"wrk cannot be started: {error}") from error
    found = _RESULT.search(done.stdout)
    if found is None:
        raise BenchError(f"wrk said: {done.stdout}{done.stderr}")
    result: dict[str, int] = json.loads(found[1])
    return result


def _events_paced(mock: Target) -> int:
    connection = http.client.HTTPConnection(HOST, mock.port, timeout=10)
    try:
        connection.request("GET", "/stats")
        return int(json.loads(connection.getresponse().read())["events_paced"])
    finally:
        connection.close()
