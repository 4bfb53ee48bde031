"""The process a sidecar runs for: its environment, its signals, its end."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from proxy.cli.companion import accompany, companion_environment, key_variables, shares_terminal
from proxy.config import parse_settings

URL = "http://127.0.0.1:8080/api/v1"
NAMES = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENROUTER_BASE_URL", "HEDGEROW_BASE_URL")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://0.0.0.0:8080"])
def test_every_name_of_the_base_url_is_set(url: str) -> None:
    told = companion_environment({"A": "b"}, ["unix:/x", url], key=None, hidden=())

    assert [URL] * 4 == [told[name] for name in NAMES]
    assert ("b", "none", "/x") == (told["A"], told["OPENAI_API_KEY"], told["HEDGEROW_SOCKET"])
    assert URL.removesuffix("/v1") == told["ANTHROPIC_BASE_URL"]
    assert "none" == told["ANTHROPIC_API_KEY"]


def test_over_a_unix_socket_alone_no_url_is_claimed() -> None:
    told = companion_environment({}, ["unix:x.sock"], key=None, hidden=())

    assert {"HEDGEROW_SOCKET", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"} == set(told)
    assert str(Path.cwd() / "x.sock") == told["HEDGEROW_SOCKET"]


@pytest.mark.parametrize(
    ("environ", "hidden", "key", "seen"),
    [
        ({"OPENAI_API_KEY": "sk"}, (), None, "sk"),
        ({"OPENAI_API_KEY": "sk"}, ("OPENAI_API_KEY",), None, "none"),
        ({"OPENAI_API_KEY": "sk"}, ("OPENAI_API_KEY",), "made", "made"),
        ({}, (), "made", "made"),
    ],
)
def test_a_key_is_set_only_where_there_is_none(
    environ: dict[str, str], hidden: tuple[str, ...], key: str | None, seen: str
) -> None:
    told = companion_environment(environ, [], key=key, hidden=hidden)

    assert (seen, key) == (told["OPENAI_API_KEY"], told.get("HEDGEROW_API_KEY"))


def test_keys_are_those_of_known_and_of_configured_providers() -> None:
    provider: Any = {
        "base_url": "http://x.test/v1", "api_key": "env:MINE", "proxy": "env:PROXY",
        "headers": {"x-org": "env:ORG", "x-fixed": "one"},
    }  # fmt: skip
    several: Any = {"base_url": "http://x.test/v1", "credentials": [{"key": "env:FIRST"}]}
    document: Any = {"providers": {"mine": provider, "several": several}}
    found = key_variables(parse_settings(document, origin="x"))

    assert {"OPENAI_API_KEY", "MINE", "PROXY", "ORG", "FIRST"} <= found
    assert "one" not in found


def python(code: str) -> list[str]:
    """A command that runs `code`."""
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os; raise SystemExit(int(os.environ['CODE']))", 7),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import os; os.kill(os.getpid(), 15)", 143),
        ("", 0),
    ],
)
async def test_the_end_of_the_process_is_the_exit_code(code: str, status: int) -> None:
    with trio.fail_after(10):
        assert status == await accompany(python(code), {**os.environ, "CODE": "7"}, drain_s=5)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["/nonesuch"], "hedgerow: /nonesuch: No such file or directory\n"),
        (["/etc"], "hedgerow: /etc: Permission denied\n"),
        (["a\0b"], "hedgerow: a\0b: embedded null byte\n"),
    ],
)
async def test_a_command_that_cannot_be_started_is_one_line_and_127(
    command: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 127 == await accompany(command, {}, drain_s=5)
    assert line == capsys.readouterr().err


CATCHING = """
import pathlib, signal, sys, time
def heard(number, _):
    with open({log!r}, "a") as f: f.write(f"{{number}} ")
    if number in {ends}: sys.exit(5)
for number in (1, 2, 15): signal.signal(number, heard)
pathlib.Path({log!r}).write_text("")
time.sleep(20)
"""


@asynccontextmanager
async def catching(
    folder: Path, ends: tuple[int, ...], drain_s: float
) -> AsyncIterator[tuple[Path, list[int]]]:
    """A process that writes down which signals it gets, and the exit code when it is over."""
    log, codes = folder / "log", list[int]()

    async def run() -> None:
        code = CATCHING.format(log=str(log), ends=ends)
        codes.append(await accompany(python(code), dict(os.environ), drain_s=drain_s))

    with trio.fail_after(15):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            while not log.exists():
                await trio.sleep(0.01)
            yield log, codes


async def send(number: int, log: Path, heard: str) -> None:
    """Send ourselves a signal and wait until the process has it."""
    os.kill(os.getpid(), number)
    while log.read_text() != heard:
        await trio.sleep(0.005)


async def test_signals_are_passed_on_and_only_term_begins_an_end(tmp_path: Path) -> None:
    async with catching(tmp_path, (15,), 10) as (log, codes):
        await send(signal.SIGINT, log, "2 ")
        await send(signal.SIGINT, log, "2 2 ")
        await send(signal.SIGHUP, log, "2 2 1 ")
        await send(signal.SIGTERM, log, "2 2 1 15 ")

    assert [5] == codes


async def test_a_second_signal_kills_a_process_that_ignores_the_first(tmp_path: Path) -> None:
    async with catching(tmp_path, (), 60) as (log, codes):
        await send(signal.SIGTERM, log, "15 ")
        await send(signal.SIGHUP, log, "15 1 ")
        os.kill(os.getpid(), signal.SIGTERM)

    assert [137] == codes


async def test_so_does_the_end_of_the_drain_time(tmp_path: Path) -> None:
    async with catching(tmp_path, (), 0.2) as (log, codes):
        await send(signal.SIGTERM, log, "15 ")

    assert [137] == codes


async def test_a_gateway_that_fails_takes_the_process_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(20)"
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: accompany(python(code), dict(os.environ), drain_s=60))
            while not pid.exists() or not pid.read_text():
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        while (
            Path(f"/proc/{pid.read_text()}/cmdline").exists()
            and Path(f"/proc/{pid.read_text()}/cmdline").read_bytes()
        ):
            await trio.sleep(0.01)


def test_a_test_run_has_no_terminal_to_share() -> None:
    assert isinstance(shares_terminal(), bool)
