"""Starts and stops what a local run needs: the providers, the gateway, and what slows the gateway down.

Rule 1: every process started here is ended here, by its own handle. Rule 2: everything listens on loopback and keeps its
files in the run's own folder. Rule 3: with two cores or more the gateway has the first one for itself.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEY_VARIABLE = "HEDGEROW_LOAD_KEY"
"""Holds the key that users show."""
HOST = "127.0.0.1"
START_S_MAX = 20.0
PULSES_PER_S = 5.0

_SETTINGS = """\
catalog = "none"
[server]
bind = ["{host}:{port}"]
data = ""
[auth]
mode = "keys"
keys = ["env:{key}"]
[health]
rest_s = 2
rest_max_s = 4
"""
"""Rests are short, so that the sick provider is asked again and again within a run."""
_PROVIDER = """
[providers.{name}]
dialect = "openai-chat"
base_url = "{url}/{name}/v1"
timeouts = {{ first_token = {first_token_s} }}
"""
_MODEL = """
[[models]]
id = "load/{name}"
context_length = 1000000
"""
_ENDPOINT = """\
[[models.endpoints]]
provider = "{provider}"
upstream_model = "{provider}-1"
prices = {{ prompt = "1.00", completion = "4.00" }}
"""
MODELS = {
    "steady": ("steady",),
    "quick": ("quick",),
    "shared": ("sick", "steady", "quick"),
}
"""Who serves each model, `load/NAME`."""
FIRST_TOKEN_S = {"sick": 2}
"""A stream that is silent for so long is given up, and another provider asked; else 60."""


class LoadError(Exception):
    """The run cannot go on; the text says why and is shown without a traceback."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running process of ours."""

    url: str
    pid: int

    def cpu_s(self) -> tuple[float, float] | None:
        """CPU time so far, and time in which it could have run and others did, in seconds; None: the system does not tell.

        Source: Documentation/scheduler/sched-stats.rst, `/proc/PID/schedstat`, in nanoseconds.
        """
        try:
            used, waited, _ = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        except OSError:
            return None
        return int(used) / 1e9, int(waited) / 1e9


def cores() -> tuple[int, int] | None:
    """The gateway's core and everybody else's; None: there is one, or no way to choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else None


def pin(pid: int, core: int | None) -> None:
    """Keep a process that has just started, and what it will start, on a core."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


@contextmanager
def providers(*settings: str) -> Iterator[Server]:
    """The providers. Args: settings: as for `loadtests.providers --set`."""
    words = [w for setting in settings for w in ("--set", setting)]
    command = [sys.executable, "-m", "loadtests.providers", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            assert child.stdout is not None
            said = child.stdout.readline().split()
            if said[:1] != ["listening"]:
                raise LoadError("the providers did not start")
            chosen = cores()
            pin(child.pid, chosen[1] if chosen else None)
            yield Server(f"http://{HOST}:{said[1]}", child.pid)
        finally:
            stop(child)


@contextmanager
def gateway(upstream: str, folder: Path, key: str) -> Iterator[Server]:
    """`hedgerow serve` in front of the providers at the URL `upstream`, ready to answer.

    Args:
        key: what callers must show.
    Raises: LoadError.
    """
    port = free_port()
    config = folder / "hedgerow.toml"
    config.write_text(settings(port, upstream))
    command = [str(Path(sys.executable).with_name("hedgerow")), "serve", "--config", str(config)]
    environment = {**os.environ, KEY_VARIABLE: key}
    printed = folder / "hedgerow.out"
    with printed.open("wb") as out:
        try:
            child = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
        except OSError as error:
            raise LoadError(f"hedgerow cannot be started ({error}): make install") from error
        try:
            chosen = cores()
            pin(child.pid, chosen[0] if chosen else None)
            if not _ready(child, port):
                raise LoadError(f"hedgerow did not start:\n{printed.read_text(errors='replace')}")
            yield Server(f"http://{HOST}:{port}", child.pid)
        finally:
            stop(child)


def settings(port: int, upstream: str) -> str:
    """The gateway's configuration."""
    text = _SETTINGS.format(host=HOST, port=port, key=KEY_VARIABLE)
    for name in dict.fromkeys(name for names in MODELS.values() for name in names):
        first_token_s = FIRST_TOKEN_S.get(name, 60)
        text += _PROVIDER.format(name=name, url=upstream, first_token_s=first_token_s)
    for model, names in MODELS.items():
        text += _MODEL.format(name=model)
        text += "".join(_ENDPOINT.format(provider=name) for name in names)
    return text


@contextmanager
def slowed(pid: int, pause_s: float) -> Iterator[None]:
    """Let a process of ours stand still for `pause_s`, five times a second or as often as it then fits, and run between.

    What arrives meanwhile waits in the sockets, just as with a loop that something else keeps busy.
    """
    over = threading.Event()
    period_s = max(1 / PULSES_PER_S, 2 * pause_s)

    def pulse() -> None:
        with suppress(ProcessLookupError):  # it has ended; the run will say so
            while not over.wait(period_s - pause_s):
                os.kill(pid, signal.SIGSTOP)
                over.wait(pause_s)
                os.kill(pid, signal.SIGCONT)

    pulsing = threading.Thread(target=pulse, daemon=True)
    if pause_s > 0:
        pulsing.start()
    try:
        yield
    finally:
        over.set()
        if pause_s > 0:
            pulsing.join()


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _ready(child: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline and child.poll() is None:
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", "/healthz/ready")
            if connection.getresponse().status == 200:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        finally:
            connection.close()
    return False


def stop(child: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """TERM, and KILL after five seconds."""
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
