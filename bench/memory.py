"""`python -m bench.memory`: what an idle client connection, and an idle stream, cost in memory.

The gateway is a process of its own; the mock is the provider, and this one the clients. A stream takes two
of the gateway's descriptors: where the machine allows fewer, as many gateways as it takes share the streams.
"""

import argparse
import resource
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench import idle, servers
from bench.machine import pinning
from bench.peers.hedgerow import HEDGEROW
from bench.peers.peer import BenchError
from bench.peers.roster import OTHERS, PEERS, usable

CONNECTIONS, STREAMS = 10_000, 2_000
CONNECTION_KIB_MAX, STREAM_KIB_MAX = 12.0, 40.0
DESCRIPTORS_SPARE = 200
"""For files, pipes, listeners and what is opened before the count."""


def measure(console: Console, asked: argparse.Namespace, folder: Path) -> bool:
    """Print the figures; True unless Hedgerow's are above their budgets."""
    peer, pins = (PEERS | OTHERS)[asked.target], pinning()
    if why := usable(peer, console.print):
        raise BenchError(f"{peer.title} cannot be measured: {why}")
    gateways = _processes(asked.streams)
    if gateways > 1:
        console.print(f"{gateways} processes of {peer.title} share the streams: descriptors")
    with ExitStack() as stack:
        mock = stack.enter_context(servers.mock(pins))
        targets = []
        for number in range(gateways + 1):
            own = folder / str(number)
            own.mkdir()
            targets.append(stack.enter_context(idle.patient(peer, mock.port, own, pins)))
        fresh = targets.pop()  # what others left behind would be used again, and not be counted
        good = True
        if peer is HEDGEROW:
            each = idle.kib_each([fresh], idle.LIVE, asked.connections, wanted=b"200")
            good = _tell(
                console, "idle keep-alive connection", each, asked.connections, CONNECTION_KIB_MAX
            )
        request = idle.stream_request(targets[0])
        each = idle.kib_each(targets, request, asked.streams, wanted=idle.CHUNK)
        limit = STREAM_KIB_MAX if peer is HEDGEROW else None
        return _tell(console, "idle stream", each, asked.streams, limit) and good


def _processes(streams: int) -> int:
    """How many gateways are needed; lifts our own limit, which children inherit, as far as it goes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    room = (most - DESCRIPTORS_SPARE) // 2
    if streams > most - DESCRIPTORS_SPARE:
        raise BenchError(f"{streams:,} streams need more than the {most:,} descriptors allowed")
    return -(-streams // room)


def _tell(console: Console, what: str, each: float, count: int, limit: float | None) -> bool:
    good = limit is None or each <= limit
    verdict = f"; budget {limit:.0f}: {'pass' if good else 'FAIL'}" if limit else ""
    console.print(f"{what}: {each:.1f} KiB (of {count:,}){verdict}", highlight=False)
    return good


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS, metavar="N")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, metavar="N")
    parser.add_argument(
        "--target", choices=sorted({*PEERS, *OTHERS} - {"direct"}), default=HEDGEROW.name
    )
    return parser.parse_args()


def main() -> None:
    """Run; an expected failure is one message and exit code 1."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            good = measure(Console(), _arguments(), Path(place))
    except BenchError as error:
        Console(stderr=True).print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    sys.exit(not good)


if __name__ == "__main__":
    main()
