"""What a target of the bench is: how it is installed, configured, started and asked.

Rule 1: a peer gets the best honest settings it documents for production, and `about` says which.
Rule 2: one worker, no authentication, no logs, no database, connections to the provider kept.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bench.machine import ROOT, Pinning
from bench.posts import Kind, Post, post, prefix

HOST = "127.0.0.1"
PROVIDER_KEY = "sk-mock-0123456789abcdef"
"""What a gateway that wants a provider's key is given; the mock does not look at it."""
INSTALLED = ROOT / "bench" / ".peers"
"""Where peers are installed, a folder each; ignored by git."""
UPSTREAM_CONNECTIONS = 512
"""How many connections to the provider a peer may hold."""
Say: TypeAlias = Callable[[str], None]
"""Shows a line of progress."""


class BenchError(Exception):
    """The run cannot go on; the text says why and is shown without a traceback."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a peer is to run."""

    upstream: int
    """The mock's port."""
    port: int
    """The one to listen on."""
    folder: Path
    """For its files; removed after the run."""
    pins: Pinning


@dataclass(frozen=True, slots=True)
class Start:
    """How its process is started."""

    argv: list[str]
    ready: str = ""
    """GET of this path is 200 once it serves; empty: `told` is enough."""
    told: Path | None = None
    """It picks its port itself, and writes it into this file once it serves."""
    environment: dict[str, str] = field(default_factory=dict)
    """Added to ours."""
    cwd: Path | None = None
    """None: the site's folder."""


@dataclass(frozen=True)
class Peer(ABC):
    """A target; subclasses say how."""

    name: str
    """In options and in the results."""
    title: str
    about: str
    """One sentence: how it is set up, and what it changes in what it passes on."""
    kinds: frozenset[Kind]
    """What it can serve."""

    def missing(self) -> str:
        """Why it can neither run nor be installed here, in words; empty: it can."""
        return ""

    def installed(self) -> bool:
        """Whether nothing is left to install."""
        return True

    def install(self, say: Say) -> None:  # noqa: B027  most need nothing
        """Bring what is needed, once.

        Raises: BenchError with the reason; nothing half-done counts as installed.
        """

    @abstractmethod
    def version(self) -> str:
        """Of what is installed; `unknown` if it does not say."""

    @abstractmethod
    def start(self, site: Site) -> Start:
        """Write its configuration into `site.folder`; how to start it."""

    def post(self, kind: Kind, upstream: int) -> Post:
        """The request of `kind`: by default with the path that makes the mock answer in its way.

        Args:
            upstream: the provider's port, for peers that are told in each request where it is.
        """
        return post(kind, path=f"{prefix(kind)}/v1/chat/completions", model=model(kind))


def model(kind: Kind) -> str:
    """What clients call the model of a kind."""
    return f"bench/{kind}"
