"""The files in docs/deploy: what can be said of them without a daemon, and, slowly, that they work."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from proxy.config import LimitSettings
from tests.cli.process import ROOT

DEPLOY = ROOT / "docs" / "deploy"
UNIT = (DEPLOY / "hedgerow.service").read_text()
EXPOSURE_MAX = 1.5
"""Of `systemd-analyze security`: 0 is nothing at all, 10 is everything; below 2 it says OK."""
UID = 10001
Step = tuple[str, str]
"""Instruction and the rest of its line."""


def steps(text: str) -> list[Step]:
    """The instructions of a container file, one a line."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


FILE = steps((DEPLOY / "Containerfile").read_text())
LAST = max(index for index, (word, _) in enumerate(FILE) if word == "FROM")
FINAL = FILE[LAST:]
"""The stage that becomes the image."""


def argument(word: str, of: list[Step] = FINAL) -> str:
    """The rest of the line of the only instruction of this kind."""
    (rest,) = [rest for each, rest in of if each == word]
    return rest


def complaints(of: list[Step]) -> list[str]:
    """What is wrong with a container file."""
    found = [f"ADD {rest}" for word, rest in of if word == "ADD"]
    for word, rest in of:
        if word == "COPY" and not rest.startswith("--from="):
            found += [f"missing {name}" for name in rest.split()[:-1] if not (ROOT / name).exists()]
        if word in {"RUN", "CMD", "ENTRYPOINT"} and not rest.startswith("["):
            found.append(f"a shell for {word}")
    users = [rest for word, rest in of if word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append("root, or a user by name")
    return found


def test_the_container_file_is_sound() -> None:
    assert [] == complaints(FILE)
    assert f"{UID}:{UID}" == argument("USER")
    assert ("8080", "SIGTERM") == (argument("EXPOSE"), argument("STOPSIGNAL"))
    assert "8080" in argument("CMD") and "8080" in argument("HEALTHCHECK")
    assert argument("HEALTHCHECK").partition("CMD ")[2].startswith('["/app/bin/python"')
    assert {"--require-hashes"} == {
        word for step, rest in FILE if "requirements" in rest and step == "RUN"
        for word in json.loads(rest) if word == "--require-hashes"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("ADD https://x.test/y /y", "ADD https://x.test/y /y"),
        ("COPY nonesuch /app/", "missing nonesuch"),
        ("RUN pip install x", "a shell for RUN"),
        ("USER root", "root, or a user by name"),
        ("USER 0:0", "root, or a user by name"),
    ],
)
def test_an_unsound_container_file_is_caught(line: str, complaint: str) -> None:
    assert [complaint] == complaints([*FILE, *steps(line)])


def test_every_file_that_the_build_needs_is_copied() -> None:
    copied = {name for word, rest in FILE if word == "COPY" for name in rest.split()[:-1]}
    project = (ROOT / "pyproject.toml").read_text()

    assert {"proxy", "pyproject.toml", "requirements.lock", "requirements-build.lock"} <= copied
    assert set(re.findall(r'^readme = "(.+)"', project, re.M)) <= copied
    assert set(re.findall(r'^license-files = \["(.+)"\]', project, re.M)) <= copied


# --- systemd ---------------------------------------------------------------------------------------
analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is absent"
)


def test_stopping_waits_for_the_drain() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)s$", UNIT, re.M)

    assert 0 < int(seconds) - LimitSettings().drain_s <= 30
    assert "KillSignal=SIGTERM" in UNIT
    assert "RestartPreventExitStatus=2" in UNIT


def analyzed(*words: str, unit: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask systemd-analyze about a unit whose program exists here."""
    file = folder / "hedgerow.service"
    file.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", unit))
    return subprocess.run(
        ["systemd-analyze", *words, str(file)], capture_output=True, text=True, check=False
    )


@analyze
@pytest.mark.parametrize(("unit", "code"), [(UNIT, 0), (UNIT + "[Service]\nExecStart=\n", 1)])
def test_systemd_finds_nothing_wrong_with_the_unit(unit: str, code: int, tmp_path: Path) -> None:
    done = analyzed("verify", unit=unit, folder=tmp_path)

    assert (code, code) == (done.returncode, int(bool(done.stderr))), done.stderr


@analyze
@pytest.mark.parametrize(
    ("unit", "code"), [(UNIT, 0), (UNIT.replace("ProtectSystem=strict", "DynamicUser=no"), 1)]
)
def test_the_unit_is_hardened(unit: str, code: int, tmp_path: Path) -> None:
    threshold = f"--threshold={int(EXPOSURE_MAX * 10)}"
    done = analyzed(
        "security", "--offline=true", "--no-pager", threshold, unit=unit, folder=tmp_path
    )

    assert code == done.returncode, done.stdout[-200:]


# --- the container, without a daemon -----------------------------------------------------------------
def built(root: Path) -> Path:
    """Do what the build stage does, with its folders below `root`; returns the environment."""
    path = os.environ["PATH"]
    for word, rest in FILE[1:LAST]:
        if word == "COPY":
            *sources, target = rest.split()
            below = root / target.strip("/")
            for source in sources:
                found, into = ROOT / source, below if target.endswith("/") else below.parent
                into.mkdir(parents=True, exist_ok=True)
                ignore = shutil.ignore_patterns("__pycache__")
                copy = shutil.copytree if found.is_dir() else shutil.copy
                extra = {"ignore": ignore} if found.is_dir() else {}
                copy(found, into / found.name, **extra)  # type: ignore[operator]
        elif word == "ENV":
            path = f"{root}{rest.partition('=')[2].replace('$PATH', path)}"
        else:
            assert "RUN" == word
            program, *words = [
                f"{root}{each}" if each.startswith(("/app", "/build")) else each
                for each in json.loads(rest)
            ]
            program = sys.executable if program == "python" else program
            subprocess.run(
                [program, *words],
                check=True,
                cwd=root,
                timeout=300,
                env={**os.environ, "PATH": path},
            )
    return root / "app"


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"),
    reason="needs root, setpriv and unshare",
)
def test_what_the_container_file_builds_runs_as_another_user_on_a_read_only_system() -> None:
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        Path(folder).chmod(0o755)
        check(Path(folder))


def seclude(root: Path) -> str:
    """Shell lines for a mount namespace: `root` and the rest read-only, Python open to everybody."""
    base = Path(sys.base_prefix)
    closed = [each for each in base.parents if not each.stat().st_mode & 0o001]
    lines = [f"mkdir {root}/python; mount --bind {base} {root}/python"]
    if closed:
        lines += [
            f"mount -t tmpfs -o mode=755 none {closed[-1]}; mkdir -p {base}",
            f"mount --bind {root}/python {base}",
        ]
    lines += [
        f"mount --bind {root} {root}; mount -o remount,bind,ro {root}",
        f"mount -o remount,bind,ro /; touch {root}/app/x 2>/dev/null && exit 99",
    ]
    return "; ".join(lines)


def check(root: Path) -> None:
    """Build it below `root`, run it, ask it, stop it."""
    app = built(root)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [
        word.replace("/app/", f"{app}/").replace("0.0.0.0:8080", f"0.0.0.0:{port}")
        for word in [*json.loads(argument("ENTRYPOINT")), *json.loads(argument("CMD"))]
    ]
    health = json.loads(argument("HEALTHCHECK").partition("CMD ")[2])
    health = [word.replace("/app/", f"{app}/").replace("8080", str(port)) for word in health]
    environ = dict(pair.split("=", 1) for pair in argument("ENV").split())
    drop = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all"]  # fmt: skip
    shell = ["unshare", "--mount", "sh", "-c", f'{seclude(root)}; exec "$@"', "sh"]
    with subprocess.Popen(
        [*shell, *drop, *words], cwd="/", env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            assert lines[0].startswith("Hedgerow listens on"), lines
            key = lines[1].rpartition(" ")[2].strip()
            checked = subprocess.run(health, env=environ, check=False, timeout=10)
            uids = re.findall(
                r"^Uid:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(), re.M
            )
            status, answer = ask(port, key)
            process.send_signal(getattr(signal, argument("STOPSIGNAL")))
            code = process.wait(15)
        finally:
            process.kill()

    assert (0, [str(UID)], 200, 0) == (checked.returncode, uids, status, code)
    assert "sandbox" in answer
    assert 0 != subprocess.run(health, env=environ, check=False, capture_output=True).returncode


def ask(port: int, key: str) -> tuple[int, str]:
    """One chat."""
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {key}"},
    )
    for _ in range(50):
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.URLError:
            time.sleep(0.1)
    return 0, ""
