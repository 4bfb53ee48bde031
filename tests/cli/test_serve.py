"""`hedgerow serve` and `sidecar` as processes: they announce, answer, refuse and stop."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.process import clean_environment, hedgerow

SANDBOX_LINE = "No provider key found: the built-in sandbox stands in for every model."


@contextmanager
def started(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running gateway and the lines it announced, up to its `curl` line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    with process:
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.lstrip().startswith("curl "):
                    break
            yield process, lines
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["serve", "sidecar"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_printed_line_answers_and_a_signal_ends_it_cleanly(
    command: str, ending: signal.Signals, tmp_path: Path
) -> None:
    with started(command, "--bind", "127.0.0.1:0", folder=tmp_path) as (process, lines):
        assert SANDBOX_LINE in lines
        done = subprocess.run(  # noqa: S602 - the line as printed, run as a person would
            lines[-1].replace("curl ", "curl -sS ", 1),
            shell=True, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        process.send_signal(ending)
        code = process.wait(timeout=10)

    assert '"provider":"Hedgerow Sandbox"' in done.stdout, done.stderr
    assert code == 0


def test_beyond_loopback_a_key_is_made_shown_once_and_asked_for(tmp_path: Path) -> None:
    with started("serve", "--bind", "0.0.0.0:0", folder=tmp_path) as (_, lines):
        (key,) = [line.rpartition(" ")[2] for line in lines if line.startswith("Key, shown once")]
        url = lines[-1].split()[1]
        body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
        without = httpx.post(url, json=body, trust_env=False)
        bearer = {"authorization": f"Bearer {key}"}
        with_key = httpx.post(url, json=body, headers=bearer, trust_env=False)

    assert key.startswith("sk-hr-v1-")
    assert len(key) == len("sk-hr-v1-") + 64
    assert (without.status_code, with_key.status_code) == (401, 200)


def test_open_mode_beyond_loopback_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hedgerow.toml").write_text('[auth]\nmode = "open"\n')

    done = hedgerow("serve", "--bind", "0.0.0.0:0", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith('hedgerow: auth.mode: "open" serves this machine only')
    assert done.stderr.count("\n") == 1


def test_an_address_in_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = hedgerow("serve", "--bind", f"127.0.0.1:{port}", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr == (
        f"hedgerow: server.bind: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    )
