"""A peer is installed once and whole, or not at all."""

import sys
import time
from pathlib import Path

import pytest

from bench.peers import installs
from bench.peers.installs import Command, Commands, Install, by_pip, reason, run
from bench.peers.peer import BenchError

SHELL = ("sh", "-c")


def quietly(words: str) -> None:
    """For those who want no progress."""


def steps(*lines: str) -> Commands:
    def commands(folder: Path) -> list[Command]:
        return [(*SHELL, line) for line in lines]

    return commands


def test_an_install_is_carried_out_once_and_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "log"
    install = Install(tmp_path / "peers" / "x", "Xylem 1.2", "about 3 MB")
    for _ in range(2):
        install.carry_out(steps(f"echo ran >> {log}", "touch whole"), said.append)

    assert install.done()
    assert (install.folder / "whole").exists()
    assert "ran\n" == log.read_text()
    assert ["installing Xylem 1.2 into bench/.peers/x (once, about 3 MB)"] == said


def test_another_version_is_made_anew(tmp_path: Path) -> None:
    Install(tmp_path / "x", "Xylem 1.2", "").carry_out(steps("touch old"), quietly)
    newer = Install(tmp_path / "x", "Xylem 1.3", "")

    assert not newer.done()
    newer.carry_out(steps("touch new"), quietly)
    assert newer.done()
    assert [".installed", "new"] == sorted(p.name for p in newer.folder.iterdir())


def test_a_failure_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    install = Install(tmp_path / "x", "Xylem 1.2", "")
    with pytest.raises(BenchError, match="^its install failed: ERROR: no such package$"):
        install.carry_out(steps("touch half", "echo ERROR: no such package; exit 1"), quietly)

    assert not install.done()
    assert not install.folder.exists()


def test_a_failure_is_not_the_last_word(tmp_path: Path) -> None:
    install = Install(tmp_path / "x", "Xylem 1.2", "")
    with pytest.raises(BenchError):
        install.carry_out(steps("exit 1"), quietly)
    install.carry_out(steps("true"), quietly)

    assert install.done()


def test_a_folder_without_a_mark_counts_for_nothing(tmp_path: Path) -> None:
    install = Install(tmp_path / "x", "Xylem 1.2", "")
    install.folder.mkdir()
    (install.folder / "half").touch()

    assert not install.done()
    install.carry_out(steps("test ! -e half"), quietly)
    assert install.done()


def test_an_interrupted_install_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> list[Command]:
        (folder / "half").touch()
        raise KeyboardInterrupt

    install = Install(tmp_path / "x", "Xylem 1.2", "")
    with pytest.raises(KeyboardInterrupt):
        install.carry_out(interrupted, quietly)

    assert not install.folder.exists()


def test_an_install_that_takes_too_long_ends_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installs, "INSTALL_S_MAX", 0.2)
    alive = tmp_path / "alive"
    line = f"(sleep 0.6; touch {alive}) & wait"
    with pytest.raises(BenchError, match=r"^sh took longer than 0\.2 s$"):
        Install(tmp_path / "x", "Xylem 1.2", "").carry_out(steps(line), quietly)

    time.sleep(0.8)
    assert not alive.exists()
    assert not (tmp_path / "x").exists()


def test_a_tool_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="^mpn cannot be started: No such file or directory$"):
        run((str(tmp_path / "mpn"),), tmp_path, 1)


def test_a_silent_failure_names_the_tool(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="^its install failed: sh said nothing$"):
        run((*SHELL, "exit 4"), tmp_path, 5)


def test_the_reason_is_the_last_error_and_not_the_chatter_after_it() -> None:
    npm = "npm error code E404\nnpm error 404 not found\nnpm error A complete log of this run: x\n"
    pip = "WARNING: a\nERROR: No matching distribution found for x\n\n[notice] A new release\n"

    assert "npm error 404 not found" == reason(npm)
    assert "ERROR: No matching distribution found for x" == reason(pip)
    assert "killed" == reason("begin\nkilled\n\n")
    assert "" == reason("")


def test_pip_works_in_an_environment_of_the_folder_with_ready_made_wheels(tmp_path: Path) -> None:
    make, fill = by_pip("x==1", "y")(tmp_path)

    assert (sys.executable, "-m", "venv", str(tmp_path / "venv")) == make
    assert str(tmp_path / "venv" / "bin" / "python") == fill[0]
    assert ("--only-binary", ":all:", "x==1", "y") == fill[-4:]
