"""Starts and stops what is measured: the mock, and the peers in front of it.

Rule 1: every process started here is ended here, by its own handle. Rule 2: everything listens on
loopback and keeps its files in the run's temporary folder.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import ROOT, Pinning
from bench.peers.direct import DIRECT
from bench.peers.peer import HOST, BenchError, Peer, Site, Start
from bench.posts import Kind, Post

__all__ = [
    "HOST",
    "START_S_MAX",
    "BenchError",
    "Target",
    "free_port",
    "mock",
    "mock_command",
    "proxy",
    "spawned",
    "started",
    "wait_for",
    "words",
]

START_S_MAX = 60.0
"""How long a server may take until it answers; LiteLLM needs some 6 s of a quiet core."""
ASK_S = 0.002
"""Pause between two questions whether it does."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers chat requests, and the process whose time and memory count."""

    name: str
    port: int
    pid: int
    peer: Peer
    upstream: int
    """The mock's port."""

    def post(self, kind: Kind) -> Post:
        """The request of `kind` at the path this target knows."""
        return self.peer.post(kind, self.upstream)


def mock_command(pins: Pinning) -> list[str]:
    """How the mock is started."""
    return [*pins.prefix(pins.load), sys.executable, "-m", "bench.mock"]


@contextmanager
def mock(pins: Pinning) -> Iterator[Target]:
    """The mock upstream on the load's core."""
    with subprocess.Popen(mock_command(pins), stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            assert child.stdout is not None
            words = child.stdout.readline().split()
            if words[:1] != ["listening"]:
                raise BenchError(f"the mock did not start: {' '.join(words) or 'it said nothing'}")
            port = int(words[1])
            yield Target(DIRECT.name, port, child.pid, DIRECT, port)
        finally:
            _stop(child)


@contextmanager
def proxy(peer: Peer, upstream: int, folder: Path, pins: Pinning) -> Iterator[Target]:
    """The peer in front of the mock at `upstream`, ready to answer, with a part of `folder` of its own."""
    own = folder / peer.name
    own.mkdir(exist_ok=True)
    site = Site(upstream, free_port(), own, pins)
    with started(peer, site, peer.start(site)) as target:
        yield target


@contextmanager
def started(peer: Peer, site: Site, start: Start) -> Iterator[Target]:
    """The same for a `start` that was changed."""
    with spawned(peer.name, start, site) as child:
        port = wait_for(peer.name, child, site, start)
        yield Target(peer.name, port, child.pid, peer, site.upstream)


@contextmanager
def spawned(name: str, start: Start, site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """A child on the proxy's core whose words go to `NAME.out`, ended on the way out."""
    with (site.folder / f"{name}.out").open("wb") as out:
        try:
            child = subprocess.Popen(
                [*site.pins.prefix(site.pins.proxy), *start.argv],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **start.environment},
                cwd=start.cwd or site.folder,
            )
        except OSError as error:
            raise BenchError(f"{name} cannot be started: {error}") from error
        try:
            yield child
        finally:
            _stop(child)


def wait_for(name: str, child: subprocess.Popen[bytes], site: Site, start: Start) -> int:
    """Wait until the child serves, asking every 2 ms; the port it listens on.

    Raises: BenchError with the child's own words.
    """
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if child.poll() is not None:
            said = words(name, site.folder)
            raise BenchError(f"{name} ended with code {child.returncode}:\n{said}")
        port = _told(start.told) if start.told else site.port
        if port and (not start.ready or _status(port, start.ready) == 200):
            return port
        time.sleep(ASK_S)
    said = words(name, site.folder)
    raise BenchError(f"{name} did not serve within {START_S_MAX:.0f} s:\n{said}")


def _told(file: Path) -> int:
    """The port a child picked; 0: not yet."""
    try:
        return int(file.read_text())
    except OSError:
        return 0


def words(name: str, folder: Path) -> str:
    """The last lines a child printed."""
    lines = (folder / f"{name}.out").read_text(errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-15:]) or "  (it printed nothing)"


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _stop(child: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """TERM, then KILL; a drain that waits for idle clients is not what we measure."""
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
