"""The long-lived services that stages receive: made once by `server`, changed by nobody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxy.catalog.catalog import Catalog
from proxy.config import Settings
from proxy.ledger.interface import Ledger
from proxy.live.live import Live
from proxy.net.clock import Identities
from proxy.net.pool import Upstreams
from proxy.observe.statistics import Statistics
from proxy.policy.roster import Roster
from proxy.units import Seconds


@dataclass(frozen=True, slots=True)
class Gateway:
    """One running gateway."""

    settings: Settings
    catalog: Catalog
    upstreams: Upstreams
    ledger: Ledger
    statistics: Statistics
    live: Live
    """Histograms, health, retry budget, sticky routes, experiments."""
    identities: Identities
    keys: frozenset[str]
    """SHA-256 of every accepted key, hexadecimal; empty in open mode."""
    rosters: Mapping[str, Roster]
    """What `[policy]` leaves of every model's endpoints, by model id."""
    clock: Callable[[], Seconds]
    unix: Callable[[], int]
    ready: Callable[[], bool]
