"""What the guard runs under callgrind: `hedgerow` itself, which turns a page of the counts at each SIGUSR1.

Callgrind is told to close a page wherever `getppid` is called; nothing else in the gateway calls it.
"""

import os
import signal
import sys
from types import FrameType

from proxy.cli import main

MARK = "getppid"
"""A function of the C library that is exported everywhere, so that callgrind finds it by name."""


def turn(_signal: int, _frame: FrameType | None) -> None:
    """Close the page."""
    os.getppid()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, turn)
    sys.argv[0] = "hedgerow"
    main()
