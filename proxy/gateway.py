"""The long-lived services that stages receive: made once by `server`, changed by nobody."""

from collections.abc import Callable
from dataclasses import dataclass

from proxy.catalog.catalog import Catalog
from proxy.config import Settings
from proxy.ledger.interface import Ledger
from proxy.model.document import Document
from proxy.net.clock import Identities
from proxy.net.pool import Upstreams
from proxy.observe.statistics import Statistics
from proxy.units import Seconds


@dataclass(frozen=True, slots=True)
class Gateway:
    """One running gateway."""

    settings: Settings
    catalog: Catalog
    upstreams: Upstreams
    ledger: Ledger
    statistics: Statistics
    identities: Identities
    keys: frozenset[str]
    """SHA-256 of every accepted key, hexadecimal; empty in open mode."""
    ceilings: Document
    """`[policy]` in the form of a request's `provider` object; empty: none."""
    clock: Callable[[], Seconds]
    unix: Callable[[], int]
    ready: Callable[[], bool]
