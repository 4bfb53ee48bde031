"""The gateway of `bench.tail` as a process, which tells its books when it is asked.

It is what `hedgerow serve` runs, from a settings file, with the same clock. One line on standard input
asks for ledger and counters as JSON; the end of the input ends it.
Run: `python -m bench.tail_gateway FILE`; it prints `listening` when it answers.
"""

import gc
import sys
from functools import partial
from pathlib import Path

import msgspec
import trio

from proxy.catalog.loader import build_catalog
from proxy.config import decode_document, parse_settings
from proxy.config.settings import Settings
from proxy.doors.quota import raise_descriptors
from proxy.ledger.memory import MemoryLedger
from proxy.net.clock import FastClock
from proxy.server import GC_THRESHOLD, Running, running

LINE_BYTES_MAX = 1_024


async def main(settings: Settings) -> None:
    """Serve until nobody asks any more."""
    raise_descriptors()
    catalog = build_catalog(settings, environ={})
    async with running(settings, catalog, environ={}) as run:
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)
        print("listening", flush=True)
        asking = trio.lowlevel.FdStream(sys.stdin.fileno())
        while await asking.receive_some(LINE_BYTES_MAX):
            print(msgspec.json.encode(books(run)).decode(), flush=True)


class Books(msgspec.Struct, frozen=True):
    """What the gateway knows of the money and of its second attempts."""

    charged: int
    """Nano-dollars that clients paid."""
    house: int
    """The same, that nobody but the operator pays."""
    held: int
    """Requests whose money is neither posted nor released."""
    fired: int
    won: int
    skipped: dict[str, int]
    """By reason."""


def books(run: Running) -> Books:
    """As of now."""
    ledger, told = run.gateway.ledger, run.gateway.live.hedges.statistics()
    assert isinstance(ledger, MemoryLedger)
    return Books(
        ledger.charged, ledger.house, len(ledger.held), told.fired, told.won, dict(told.skipped)
    )


if __name__ == "__main__":
    file = Path(sys.argv[1])
    trio.run(
        partial(
            main,
            parse_settings(decode_document(file.read_bytes(), origin=file.name), origin=file.name),
        ),
        clock=FastClock(),
    )
