"""Connections and streams that stay open and idle, and what the gateway holds in memory for each.

Resident memory of the gateway's processes before and after; the kernel's socket buffers are not in it. An idle stream has its own connection to the provider, which said one event and waits.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import servers
from bench.machine import Pinning, rss_kib
from bench.mock import IDLER
from bench.peers.hedgerow import Hedgerow
from bench.peers.peer import HOST, BenchError, Peer, Site
from bench.posts import Post
from bench.servers import Target

CONNECTIONS_MAX = 20_000
AT_ONCE = 50
"""Connections being set up at a time."""
SETTLE_S = 1.5
"""Pause before memory is read; longer than the reaper's second in Hedgerow."""
ANSWER_S_MAX = 30.0
CHUNK = b"chat.completion.chunk"
"""What the first event of a stream has, whoever passed it on."""
_PLACE = b"You are a helpful"
_PATIENT = f"""\
limits.connections_max = {CONNECTIONS_MAX}
limits.connections_per_address_max = {CONNECTIONS_MAX}
limits.upstream_connections_max = {CONNECTIONS_MAX}
limits.idle_connection_s = 600
limits.comment_after_s = 600
timeouts = {{ idle = 600, total = 600 }}
"""
LIVE = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Asks Hedgerow for nothing much."""


@contextlib.contextmanager
def patient(peer: Peer, upstream: int, folder: Path, pins: Pinning) -> Iterator[Target]:
    """An instance that lets idle connections be; of all peers only Hedgerow must be told so."""
    site = Site(upstream, servers.free_port(), folder, pins)
    start = peer.start(site, more=_PATIENT) if isinstance(peer, Hedgerow) else peer.start(site)
    with servers.started(peer, site, start) as target:
        yield target


def stream_request(target: Target) -> bytes:
    """A paced request that makes the mock say one event and no more."""
    post = target.post("paced")
    body = post.body.replace(_PLACE, IDLER.ljust(len(_PLACE), b"0"), 1)
    if body == post.body:
        raise BenchError(f"the question of {target.name} has no room for a word")
    return Post(post.path, body, post.headers).encoded(f"{HOST}:{target.port}")


def kib_each(targets: Sequence[Target], request: bytes, count: int, *, wanted: bytes) -> float:
    """Memory that each of `count` idle connections costs, shared out evenly over `targets`.

    Args:
        wanted: what an answer to `request` must have before its connection counts as open.
    Raises: BenchError where one was answered otherwise, or not in time.
    """
    with contextlib.ExitStack() as stack:
        for target in targets:  # what is made once is made now
            stack.enter_context(opened(target, request, AT_ONCE, wanted=wanted))
        time.sleep(SETTLE_S)
        before = sum(rss_kib(target.pid) for target in targets)
        for target in targets:
            stack.enter_context(opened(target, request, count // len(targets), wanted=wanted))
        time.sleep(SETTLE_S)
        return (sum(rss_kib(target.pid) for target in targets) - before) / count


@contextlib.contextmanager
def opened(target: Target, request: bytes, count: int, *, wanted: bytes) -> Iterator[None]:
    """`count` connections that were answered and stay open."""
    open_now = list[socket.socket]()
    try:
        while len(open_now) < count:
            batch = min(AT_ONCE, count - len(open_now))
            fresh = [_asked(target, request) for _ in range(batch)]
            open_now += fresh
            for sock in fresh:
                _answered(target, sock, wanted)
        yield
    finally:
        for sock in open_now:
            sock.close()


def _asked(target: Target, request: bytes) -> socket.socket:
    sock = socket.create_connection((HOST, target.port), timeout=ANSWER_S_MAX)
    sock.sendall(request)
    return sock


def _answered(target: Target, sock: socket.socket, wanted: bytes) -> None:
    said = b""
    while wanted not in said:
        try:
            data = sock.recv(65_536)
        except TimeoutError:
            raise BenchError(
                f"{target.name} did not begin to answer within {ANSWER_S_MAX:.0f} s: {said[:300]!r}"
            ) from None
        said += data
        if not data or not said.startswith(b"HTTP/1.1 200"[: len(said)]):
            raise BenchError(f"{target.name} said {said[:600]!r}")
