"""`python -m loadtests`."""

import signal
import sys

from loadtests.run import main

if __name__ == "__main__":
    # SIGTERM unwinds as Ctrl-C does: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    sys.exit(main())
