"""Lines that ask the kernel for something: their time is mostly the kernel's.

py-spy sees Python's functions only. A sample whose innermost line sends, receives or waits is given one
frame more, named after the system call, so that it has a place of its own in the picture.
"""

import linecache
import re
import sys
from functools import cache
from pathlib import Path

from bench.machine import ROOT
from bench.profile.sampling import Frame, Samples, Stack

KERNEL = "kernel"
"""The file that a frame of a system call has."""
CALLS = (
    (re.compile(r"\.recv(_into)?\("), "recv"),
    (re.compile(r"\bsock(et)?\.(send|sendmsg)\("), "send"),
    (re.compile(r"\b_epoll\.poll\("), "epoll_wait"),
    (re.compile(r"\b_epoll\.(modify|register|unregister)\("), "epoll_ctl"),
    (re.compile(r"\bsock\.accept\("), "accept"),
)
"""What such a line looks like, and the name of the call."""


def with_calls(samples: Samples) -> Samples:
    """The same samples, system calls told apart."""
    return {with_call(stack): number for stack, number in samples.items()}


def with_call(stack: Stack) -> Stack:
    """The stack, with one frame more if its innermost line makes a system call."""
    call = _call(source(stack[-1].file, stack[-1].line)) if stack else ""
    return (*stack, Frame(call, KERNEL, 0)) if call else stack


@cache
def source(file: str, line: int) -> str:
    """A line of the gateway or of a library it uses; empty: it is not known."""
    for folder in (str(ROOT), *sys.path):
        path = Path(folder) / file
        if path.is_file():
            return linecache.getline(str(path), line)
    return ""


def _call(line: str) -> str:
    """The system call that a line makes; empty: none."""
    return next((name for pattern, name in CALLS if pattern.search(line)), "")
