"""What a lane of the bench is, and everything that lanes need: targets, cores, seconds, what replies must have.

Rule 1: within a lane the targets take turns, direct first, so that a noisy minute hits all. Rule 2: a target
takes part in the lanes whose kind of request it can serve. Rule 3: a slow target is no error: what
came late, or not at all, goes into the notes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from bench.checks import Expected
from bench.machine import Pinning
from bench.metrics import Part, Reading
from bench.posts import Kind
from bench.servers import Target

CLIENT_START_S = 0.4
"""What starting a Python client costs, about."""

Notes: TypeAlias = dict[str, list[str]]
"""Target -> what went wrong or is special, in words."""


@dataclass(frozen=True, slots=True)
class Step:
    """A point on a target's ladder."""

    connections: int
    rate: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything lanes need: who is measured, how long, on which cores, and what goes on from round to round."""

    mock: Target
    proxies: tuple[Target, ...]
    seconds: int
    pins: Pinning
    parts: tuple[Part, ...]
    expected: dict[str, dict[Kind, Expected]]
    """Target -> what its replies must have."""
    wrk: bool = True
    """Whether there is one."""
    brief: bool = False
    """Fewer steps and starts: to see whether all is well, not to quote."""
    notes: Notes = field(default_factory=lambda: defaultdict(list))
    ladders: dict[str, list[list[Step]]] = field(default_factory=lambda: defaultdict(list))
    """Target -> a ladder per round."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """The mock itself first."""
        return (self.mock, *self.proxies)

    def able(self, kind: Kind) -> tuple[Target, ...]:
        """Those that serve `kind`."""
        return tuple(t for t in self.targets if kind in self.expected[t.name])

    def note(self, target: Target, words: str) -> None:
        """Remember something, once."""
        if words not in self.notes[target.name]:
            self.notes[target.name].append(words)


@dataclass(frozen=True, slots=True)
class Lane:
    """One thing that is done to several targets in turn."""

    title: str
    seconds: float
    """What it takes for each of them, about."""
    targets: tuple[Target, ...]
    run: "Run"


Run: TypeAlias = Callable[[Target], Iterator[Reading]]
"""Measure one target."""
