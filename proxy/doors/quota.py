"""How many client connections there may be, in all and from one address.

Rule 1: where there is no room, the connection that has been idle longest makes way, be it between two
requests, in a handshake or in the middle of a head; a request never does. Rule 2: who is refused is told the number.
"""

import os
import resource
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from proxy.errors import HedgerowError, ShedError

DESCRIPTORS_KEPT = 256
"""For listeners, files and logs."""
CONNECTION_BYTES = 65_536
"""What one connection is taken to need at its busiest; idle ones need a fifth of it (`bench`)."""
MEMORY_SHARE = 0.5
"""Of the machine's, or the container's, memory for client connections."""
UNLIMITED_DESCRIPTORS = 1_048_576
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
SEARCH_MAX = 256
"""Idle connections looked through for one of a crowded address."""


class Idler(Protocol):
    """A client connection, as far as its place is concerned."""

    address: str
    """The peer's, without port; empty for a unix socket."""

    def make_way(self) -> None:
        """End, because another needs the place."""
        ...


class Quota:
    """Places for client connections."""

    def __init__(self, connections_max: int, per_address_max: int) -> None:
        self.connections_max = connections_max
        self.per_address_max = per_address_max
        self.idle: dict[Idler, None] = {}
        """Connections without a whole head, longest idle first; they keep this themselves."""
        self._open = 0
        self._of_address: dict[str, int] = {}

    def refusal(self, address: str) -> HedgerowError | None:
        """Why a connection from `address` has no place now; None: it has one, perhaps just made."""
        if address and self._of_address.get(address, 0) >= self.per_address_max:
            crowd = list(zip(self.idle, range(SEARCH_MAX), strict=False))
            if not self._evict(idler for idler, _ in crowd if idler.address == address):
                return ShedError(f"More than {self.per_address_max} connections from one address.")
        if self._open >= self.connections_max and not self._evict(list(self.idle)[:1]):
            return ShedError(f"More than {self.connections_max} connections.")
        return None

    def _evict(self, candidates: Iterable[Idler]) -> bool:
        for idler in candidates:
            del self.idle[idler]
            idler.make_way()
            return True
        return False

    def enter(self, address: str) -> None:
        """A connection from `address` takes its place."""
        self._open += 1
        self._of_address[address] = self._of_address.get(address, 0) + 1

    def leave(self, address: str) -> None:
        """A connection from `address` is gone."""
        self._open -= 1
        left = self._of_address[address] - 1
        if left:
            self._of_address[address] = left
        else:
            del self._of_address[address]


def connections_for(descriptors: int, memory_bytes: int) -> int:
    """How many client connections a process can bear.

    A busy client connection needs a second descriptor, for its provider.
    """
    by_descriptors = (descriptors - DESCRIPTORS_KEPT) // 2
    by_memory = int(memory_bytes * MEMORY_SHARE) // CONNECTION_BYTES
    return max(min(by_descriptors, by_memory), 16)


def descriptors() -> int:
    """Files that this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def raise_descriptors() -> None:
    """Let this process open as many files as it is allowed to ask for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS says "unlimited" and then refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def memory_bytes(read: Callable[[Path], str] = Path.read_text) -> int:
    """Memory of the machine, or of the container if that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # no cgroup, or "max"
        total = min(total, int(read(CGROUP_LIMIT)))
    return total
