"""Starts and stops what is measured: the mock, nginx in front of it, Hedgerow in front of it.

Rule 1: every process started here is ended here, by its own handle. Rule 2: everything listens on
loopback and keeps its files in the run's temporary folder.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.machine import ROOT, Pinning
from bench.posts import KINDS, Kind, Post, post, prefix

HOST = "127.0.0.1"
START_S_MAX = 20.0
"""How long a server may take until it answers."""
HEDGEROW = ROOT / ".venv" / "bin" / "hedgerow"

_NGINX = """\
{user}daemon off;
worker_processes 1;
pid {tmp}/nginx.pid;
error_log {tmp}/nginx.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {tmp}/body;
  proxy_temp_path {tmp}/proxy;
  fastcgi_temp_path {tmp}/fastcgi;
  uwsgi_temp_path {tmp}/uwsgi;
  scgi_temp_path {tmp}/scgi;
  keepalive_requests 100000000;
  upstream mock {{ server {host}:{mock}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen {host}:{port} backlog=1024;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
_HEDGEROW = """\
catalog = "none"
[server]
bind = [{{ address = "{host}:{port}", parser = "{parser}" }}]
data = "{tmp}/data"
[auth]
mode = "open"
"""
_PROVIDER = """
[providers.{provider}]
dialect = "openai-chat"
base_url = "http://{host}:{mock}{prefix}/v1"
api_key = "env:MOCK_API_KEY"
parser = "{parser}"
"""
_MODEL = """
[[models]]
id = "bench/{kind}"
context_length = 128000
[[models.endpoints]]
provider = "{provider}"
upstream_model = "gpt-4o"
prices = {{ prompt = "2.50", completion = "10.00" }}
"""


GATEWAYS = ("hedgerow", "strict")
"""Targets that take our model ids and paths."""


class BenchError(Exception):
    """The run cannot go on; the text says why and is shown without a traceback."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers chat requests, and the process whose time and memory count."""

    name: str
    port: int
    pid: int

    def post(self, kind: Kind) -> Post:
        """The request of `kind` at the path this target knows."""
        return post(kind, gateway=self.name in GATEWAYS)


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
            yield Target("direct", int(words[1]), child.pid)
        finally:
            _stop(child)


def nginx_command(upstream: int, port: int, folder: Path, pins: Pinning) -> list[str]:
    """Write a configuration of one worker, a plain proxy; return the command that serves it."""
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(user=user, tmp=folder, host=HOST, port=port, mock=upstream))
    paths = ["-p", str(folder), "-c", str(config), "-e", str(folder / "nginx.log")]
    return [*pins.prefix(pins.proxy), "nginx", *paths]


def hedgerow_command(
    upstream: int, port: int, folder: Path, pins: Pinning, *, parser: str = "fast", more: str = ""
) -> list[str]:
    """Write the gateway's configuration, with the lines `more`; return the command that serves it."""
    text = more + _HEDGEROW.format(host=HOST, port=port, tmp=folder, parser=parser)
    for path in dict.fromkeys(map(prefix, KINDS)):
        text += _PROVIDER.format(
            provider=_provider(path), host=HOST, mock=upstream, prefix=path, parser=parser
        )
    text += "".join(_MODEL.format(provider=_provider(prefix(k)), kind=k) for k in KINDS)
    config = folder / ("hedgerow.toml" if parser == "fast" else f"{parser}.toml")
    config.write_text(text)
    if not HEDGEROW.exists():
        raise BenchError(
            f"{HEDGEROW} is missing: run `make install`, or leave it out: --no-gateway"
        )
    return [*pins.prefix(pins.proxy), str(HEDGEROW), "sidecar", "--config", str(config)]


def strict_command(upstream: int, port: int, folder: Path, pins: Pinning) -> list[str]:
    """The gateway with h11 on both sides."""
    return hedgerow_command(upstream, port, folder, pins, parser="strict")


def plain_command(upstream: int, port: int, _folder: Path, pins: Pinning) -> list[str]:
    """What one would write oneself: an ASGI app on hypercorn that asks with httpx."""
    return [*pins.prefix(pins.proxy), sys.executable, "-m", "bench.plain", str(upstream), str(port)]


def _provider(path: str) -> str:
    """The provider whose `base_url` has this prefix."""
    return path.strip("/") or "mock"


Command: TypeAlias = Callable[[int, int, Path, Pinning], list[str]]
"""(upstream's port, own port, folder, pinning) -> argv."""
COMMANDS: dict[str, Command] = {"nginx": nginx_command, "hedgerow": hedgerow_command}
"""The proxies of the main table."""
OTHERS: dict[str, Command] = {"strict": strict_command, "plain": plain_command}
"""The proxies of `bench.strict`."""


@contextmanager
def proxy(name: str, upstream: int, folder: Path, pins: Pinning) -> Iterator[Target]:
    """The proxy `name` in front of the mock at `upstream`, ready to answer."""
    port = free_port()
    command = (COMMANDS | OTHERS)[name](upstream, port, folder, pins)
    with spawned(name, command, folder) as child:
        wait_for(name, child, port, "/healthz/ready", folder)
        yield Target(name, port, child.pid)


@contextmanager
def spawned(name: str, command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child whose words go to `folder/NAME.out`, ended on the way out."""
    environment = {**os.environ, "MOCK_API_KEY": "sk-mock-0123456789abcdef"}
    with (folder / f"{name}.out").open("wb") as out:
        try:
            child = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=ROOT if "bench.plain" in command else folder,
            )
        except FileNotFoundError as error:
            raise BenchError(f"{name} cannot be started: {error}") from error
        try:
            yield child
        finally:
            _stop(child)


def wait_for(name: str, child: subprocess.Popen[bytes], port: int, path: str, folder: Path) -> None:
    """Ask for `path` every 2 ms until it is 200; raise with the child's own words otherwise."""
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise BenchError(f"{name} ended with code {child.returncode}:\n{words(name, folder)}")
        if _status(port, path) == 200:
            return
        time.sleep(0.002)
    raise BenchError(f"{name} gave no 200 within {START_S_MAX:.0f} s:\n{words(name, folder)}")


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
