"""The only clocks of the package: everything else is handed `now`."""

import secrets
import time

import trio

from proxy.units import Seconds


def monotonic() -> Seconds:
    """Seconds on the event loop's clock; virtual under a test's MockClock."""
    return Seconds(trio.current_time())


def unix_seconds() -> int:
    """Whole seconds since 1970, UTC; for ids and `created`, never for durations."""
    return int(time.time())


def generation_id(unix: int) -> str:
    """A fresh id, "gen-<unix seconds>-<20 characters>"; 80 random bits."""
    return f"gen-{unix}-{secrets.token_hex(10)}"
