"""`python -m loadtests`: starts providers and gateway, runs scenarios, keeps their reports, says whether all held.

Rule 1: locust runs in an environment of its own, `.venv-load`, with nothing of the gateway's. Rule 2: the exit code is 0 if every
scenario kept its thresholds, 1 if one did not, 2 if a run was not possible.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests import gateway
from loadtests.gateway import KEY_VARIABLE, ROOT, LoadError, Server
from loadtests.scenarios import SCENARIOS, SHORT, Scenario

LOCUST = ROOT / ".venv-load" / "bin" / "python"
REPORTS = Path(__file__).with_name("reports")
STOP_S = 15
"""How long requests in progress may take once a run is over."""
SPAWN_SHARE = 0.5
"""Of the warm-up, in which users appear."""


class Options(argparse.Namespace):
    """What was asked for."""

    scenario: list[str]
    all: bool
    users: int | None
    seconds: int | None
    host: str | None
    key: str | None
    model: str | None
    stamped: bool
    slow_ms: float
    set: list[str]
    web: int | None
    reports: Path


@dataclass(frozen=True, slots=True)
class Place:
    """What is driven, and with what."""

    url: str
    environment: dict[str, str]
    """For locust, besides our own."""
    servers: dict[str, Server]
    """Ours: "gateway" and "providers"; empty where we drive somebody else's."""


def main(words: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    options = _parser().parse_args(words, namespace=Options())
    names = options.scenario or (list(SCENARIOS) if options.all else list(SHORT))
    try:
        if not LOCUST.exists():
            raise LoadError("locust is missing: `make load` installs it into .venv-load")
        with _place(options) as place, _slowed(place, options.slow_ms / 1e3):
            broken = [name for name in names if not _run(SCENARIOS[name], place, options)]
    except LoadError as error:
        print(f"loadtests: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 2
    kept = len(names) - len(broken)
    print(f"loadtests: {kept} of {len(names)} scenarios kept their thresholds", flush=True)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    add = parser.add_argument
    add("--scenario", action="append", choices=list(SCENARIOS), default=[], help="may be repeated")
    add("--all", action="store_true", help="every scenario (five minutes)")
    add("--users", type=int, help="instead of the rated load's number; of shapes: the peak")
    add("--seconds", type=int, help="instead of the scenario's own length")
    add("--host", metavar="URL", help="drive a gateway that is running already")
    add("--key", metavar="env:NAME|file:PATH", help="the key that --host wants")
    add("--model", help="ask for this model instead of load/...; for --host")
    add("--stamped", action="store_true", help="--host asks `loadtests.providers`: check stamps")
    add("--slow-ms", type=float, default=0.0, help="let the gateway stand still, 5 times a second")
    add("--set", action="append", default=[], metavar="NAME.FIELD=NUMBER", help="see providers.py")
    add(
        "--reports", type=Path, default=REPORTS, metavar="FOLDER", help="default: loadtests/reports"
    )
    add("--web", type=int, metavar="PORT", help="locust's own page instead of a run without")
    return parser


@contextmanager
def _place(options: Options) -> Iterator[Place]:
    """The gateway that was asked for, or one of our own. Raises: LoadError."""
    if options.host:
        more = {KEY_VARIABLE: _secret(options.key)} if options.key else {}
        if options.model:
            more["HEDGEROW_LOAD_MODEL"] = options.model
        if options.stamped:
            more["HEDGEROW_LOAD_STAMPED"] = "1"
        yield Place(options.host.rstrip("/").removesuffix("/api/v1"), more, {})
        return
    key = os.environ.get(KEY_VARIABLE) or f"sk-hr-v1-{secrets.token_hex(16)}"
    with (
        tempfile.TemporaryDirectory(prefix="hedgerow-load-") as folder,
        gateway.providers(*options.set) as upstream,
        gateway.gateway(upstream.url, Path(folder), key) as ours,
    ):
        print(f"loadtests: gateway at {ours.url}", flush=True)
        more = {KEY_VARIABLE: key, "HEDGEROW_LOAD_STAMPED": "1"}
        yield Place(ours.url, more, {"gateway": ours, "providers": upstream})


@contextmanager
def _slowed(place: Place, pause_s: float) -> Iterator[None]:
    if not pause_s:
        yield
        return
    if not place.servers:
        raise LoadError("--slow-ms is for a gateway that is started here, not for --host")
    with gateway.slowed(place.servers["gateway"].pid, pause_s):
        yield


def _secret(reference: str) -> str:
    """What `env:NAME` or `file:PATH` holds. Raises: LoadError."""
    kind, _, where = reference.partition(":")
    try:
        match kind:
            case "env":
                return os.environ[where]
            case "file":
                return Path(where).read_text(encoding="utf-8").strip()
            case _:
                raise LoadError("--key: say env:NAME or file:PATH")
    except (KeyError, OSError) as error:
        raise LoadError(f"--key {reference}: {error}") from error


def _run(scenario: Scenario, place: Place, options: Options) -> bool:
    """One scenario; whether it kept its thresholds. Raises: LoadError."""
    users, seconds = options.users or scenario.users, options.seconds or scenario.seconds
    report = _folder(options.reports) / f"{time.strftime('%Y-%m-%dT%H%M%S')}-{scenario.name}.html"
    print(f"{scenario.name}: {scenario.about}; {users} users, {seconds} s", flush=True)
    command = _command(scenario, place.url, users, seconds, web=options.web)
    command += ["--html", str(report)]
    environment = {**os.environ, **place.environment, "PYTHONPATH": str(ROOT)}
    with (
        _busy(scenario, place.servers),
        report.with_suffix(".txt").open("wb") as tables,
        subprocess.Popen(command, stderr=tables, env=environment, cwd=ROOT) as child,
    ):
        try:
            chosen = gateway.cores()
            gateway.pin(child.pid, chosen[1] if chosen else None)
            code = child.wait()
        finally:
            gateway.stop(child)
    print(f"{scenario.name}: report in {os.path.relpath(report)}", flush=True)
    if code not in {0, 1}:
        words = report.with_suffix(".txt").read_text(errors="replace")
        raise LoadError(f"locust ended with code {code}:\n{words[-2_000:]}")
    return code == 0


@contextmanager
def _busy(scenario: Scenario, servers: dict[str, Server]) -> Iterator[None]:
    """Say at the end how busy our servers were."""
    began, before = time.monotonic(), {name: server.cpu_s() for name, server in servers.items()}
    yield
    seconds = time.monotonic() - began
    for name, server in servers.items():
        after, was = server.cpu_s(), before[name]
        if after is not None and was is not None:
            used, waited = ((now - then) / seconds for now, then in zip(after, was, strict=True))
            print(
                f"{scenario.name}: {name} used {used:.0%} of a core, and waited for it {waited:.0%} of the time",
                flush=True,
            )


def _command(
    scenario: Scenario, url: str, users: int, seconds: int, *, web: int | None
) -> list[str]:
    """How locust is called."""
    spawn_s = max(min(scenario.warm_s, seconds * 0.3) * SPAWN_SHARE, 0.5)
    options = {
        "-f": scenario.file,
        "--host": url,
        "--users": users,
        "--spawn-rate": f"{users / spawn_s:.1f}",
        "--run-time": f"{seconds}s",
        "--stop-timeout": STOP_S,
        "--loglevel": "WARNING",
        "--only-summary": "",
        "--autostart" if web else "--headless": "",
    }
    if web:
        options |= {"--web-port": web, "--web-host": gateway.HOST, "--autoquit": 5}
    words = [str(word) for pair in options.items() for word in pair if word != ""]
    return [str(LOCUST), "-m", "locust", *words]


def _folder(reports: Path) -> Path:
    """The folder of reports, which git is told to ignore."""
    reports.mkdir(parents=True, exist_ok=True)
    (reports / ".gitignore").write_text("*\n", encoding="utf-8")
    return reports.resolve()
