"""A name's addresses: looked up in threads, kept for a while, in the order in which to try them.

Rule 1: one lookup per name at a time, which belongs to nobody: whoever waits for it may leave.
Rule 2: threads are bounded, since a lookup cannot be cancelled; who waits for one can.
Rule 3: `getaddrinfo` tells no time to live, so ours is fixed.
"""

import contextlib
import math
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import TypeAlias

import trio

from proxy.errors import UpstreamUnavailableError
from proxy.units import Seconds

FRESH_S = 30.0
"""How long addresses are used without asking again, seconds."""
STALE_S = 300.0
"""How much longer they are used while asking again fails or is slow, seconds."""
FAILED_S = 1.0
"""How long a failed lookup is not repeated, seconds."""
PATIENCE_S = 1.0
"""How long a lookup may take before stale addresses will do, seconds."""
FAMILY_S = 600.0
"""How long the address family that won is tried first, seconds."""
LOOKUPS_MAX = 16
"""Threads that look up names; more names wait for one of them."""
ADDRESSES_MAX = 8
"""Addresses tried per connection."""

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
Address: TypeAlias = tuple[int, SocketAddress]
"""(address family, socket address)."""
Lookup: TypeAlias = Callable[[str, int], list[Address]]
"""Blocks; raises OSError, or ValueError for what is no name at all."""


def ask_system(host: str, port: int, flags: int = 0) -> list[Address]:
    """The system's resolver; blocks. Raises: OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    # With a Python built without IPv6 the address is (int, bytes): of no use to anyone.
    return [(int(family), at) for family, _, _, _, at in found if isinstance(at[0], str)]


class Resolver:
    """Runs lookups in threads, LOOKUPS_MAX at a time, in the order they were asked for."""

    def __init__(self, lookup: Lookup = ask_system) -> None:
        self._lookup = lookup
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()
        """Bounded by the names that settings hold."""

    def start(self, host: str, port: int, done: Callable[[list[Address]], None]) -> None:
        """Look a name up; later `done` is called in the event loop, with nothing if it failed."""
        begin = partial(self._begin, trio.lowlevel.current_trio_token(), host, port, done)
        if self._running < LOOKUPS_MAX:
            begin()
        else:
            self._waiting.append(begin)

    def _begin(
        self, token: trio.lowlevel.TrioToken, host: str, port: int,
        done: Callable[[list[Address]], None],
    ) -> None:  # fmt: skip
        self._running += 1

        def look_up() -> None:
            found: list[Address] = []
            try:
                found = self._lookup(host, port)
            except (OSError, ValueError):  # no such name, no resolver; UnicodeError: no name at all
                pass
            finally:
                with contextlib.suppress(
                    trio.RunFinishedError
                ):  # the gateway has stopped meanwhile
                    token.run_sync_soon(self._end, found, done)

        trio.lowlevel.start_thread_soon(look_up, lambda outcome: None, f"lookup of {host}")

    def _end(self, found: list[Address], done: Callable[[list[Address]], None]) -> None:
        self._running -= 1
        if self._waiting:
            self._waiting.popleft()()
        done(found)


class Addresses:
    """Where one name leads."""

    def __init__(
        self, host: str, port: int, clock: Callable[[], Seconds], resolver: Resolver
    ) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._resolver = resolver
        self._known = _of_literal(host, port)
        self._fresh_until = math.inf if self._known else -math.inf
        self._stale_until = self._failed_until = -math.inf
        self._lookup: trio.Event | None = None
        """The lookup that is under way."""
        self._began_at = 0.0
        self._first = int(socket.AF_INET6)
        """Family to begin with."""
        self._first_until = math.inf

    async def find(self, peer: str = "Provider") -> list[Address]:
        """Addresses in the order to try them; resumable.

        Args:
            peer: whose name it is, for the message.
        Raises: UpstreamUnavailableError where the name does not resolve.
        """
        while True:
            now = self._clock()
            if now < self._fresh_until:
                return self._in_order(now)
            if now < self._failed_until and now >= self._stale_until:
                raise UpstreamUnavailableError(f"{peer}'s name does not resolve.")
            if now >= self._failed_until and self._lookup is None:
                self._lookup, self._began_at = trio.Event(), now
                self._resolver.start(self._host, self._port, self._learn)
            patience_ends = self._began_at + PATIENCE_S
            if now < self._stale_until and (self._lookup is None or now >= patience_ends):
                return self._in_order(now)
            assert self._lookup is not None
            until = patience_ends if now < self._stale_until else math.inf
            with trio.CancelScope(deadline=until):
                await self._lookup.wait()

    def _learn(self, found: list[Address]) -> None:
        """The lookup is over; nothing found: it failed."""
        now = self._clock()
        if found:
            self._known = found
            self._fresh_until = now + FRESH_S
            self._stale_until = self._fresh_until + STALE_S
        else:
            self._failed_until = now + FAILED_S
        assert self._lookup is not None
        self._lookup.set()
        self._lookup = None

    def won(self, family: int) -> None:
        """A connection was made to an address of this family: begin with it for a while."""
        if family != self._first:
            self._first, self._first_until = family, self._clock() + FAMILY_S

    def _in_order(self, now: Seconds) -> list[Address]:
        if now >= self._first_until:
            self._first, self._first_until = int(socket.AF_INET6), math.inf
        return interleaved(self._known, self._first)


def interleaved(addresses: list[Address], first: int) -> list[Address]:
    """Families in turn, beginning with `first`; within one, the resolver's order. RFC 8305, 4."""
    preferred = [address for address in addresses if address[0] == first]
    others = [address for address in addresses if address[0] != first]
    pairs = zip_longest(preferred, others)
    return [address for pair in pairs for address in pair if address is not None][:ADDRESSES_MAX]


def _of_literal(host: str, port: int) -> list[Address]:
    """The address that is written down, without asking anybody; empty where `host` is a name."""
    try:
        return ask_system(host, port, socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return []
