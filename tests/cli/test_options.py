"""What all commands share: help, start-up time, the settings file."""

import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from tests.cli.process import ROOT, hedgerow

HELP_TIME_S = 0.200
"""Twice the promise of 100 ms, for machines that are busy with other tests."""


@pytest.mark.parametrize("arguments", [["--help"], ["version"]])
def test_help_and_version_are_quick(arguments: list[str]) -> None:
    def once() -> float:
        began = perf_counter()
        assert hedgerow(*arguments).returncode == 0
        return perf_counter() - began

    assert min(once() for _ in range(5)) < HELP_TIME_S


def test_help_loads_nothing_heavy() -> None:
    code = "import sys\nfrom click.testing import CliRunner\nfrom proxy.cli import hedgerow\n"
    code += "CliRunner().invoke(hedgerow, ['--help'])\n"
    code += "print([m for m in ('trio', 'msgspec', 'rich', 'httpx', 'ssl') if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    done = hedgerow("--help")

    for command in ("serve", "sidecar", "init", "demo", "check", "models", "version"):
        assert f"  {command} " in done.stdout


def test_an_unknown_command_is_refused() -> None:
    assert hedgerow("brew").returncode == 2


@pytest.mark.parametrize("command", ["serve", "sidecar", "check", "models"])
def test_a_missing_file_is_one_line_and_exit_code_2(command: str, tmp_path: Path) -> None:
    done = hedgerow(command, "--config", "absent.toml", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "hedgerow: absent.toml: No such file or directory\n"
