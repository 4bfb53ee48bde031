"""Which endpoint served a conversation last, so that its prompt cache is used again.

Rule 1: entries stand in the order in which they were kept last, which is the order in which they expire.
Rule 2: constant time: whoever keeps one entry lets go of two at most, so old ones go faster than new
ones come. Rule 3: nothing is written down; after a restart conversations find their way anew.
"""

from collections import OrderedDict

from proxy.units import Seconds

IDLE_S = Seconds(600.0)
"""Providers keep a prompt for 5 minutes to an hour after its last use; OpenRouter has 10 minutes."""
ENTRIES_MAX = 100_000
"""Some 25 MB."""
DROPPED_MAX = 2


class StickyRoutes:
    """Endpoints by conversation; forgotten after 10 idle minutes."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._max = entries_max
        self._entries: OrderedDict[str, tuple[str, Seconds]] = OrderedDict()
        """Endpoint id, and when it served; by key, oldest first."""

    def __len__(self) -> int:
        """Entries, those included that have expired and are not dropped yet."""
        return len(self._entries)

    def find(self, key: str, now: Seconds) -> str | None:
        """Id of the endpoint that served last; None: not known. Looking refreshes nothing."""
        found = self._entries.get(key)
        if found is None or now - found[1] >= IDLE_S:
            return None
        return found[0]

    def keep(self, key: str, endpoint: str, now: Seconds) -> None:
        """It served again; the oldest entries go where there is no room, or their time is over."""
        entries = self._entries
        entries[key] = (endpoint, now)
        entries.move_to_end(key)
        for _ in range(DROPPED_MAX):
            _, served_at = entries[next(iter(entries))]
            if len(entries) <= self._max and now - served_at < IDLE_S:
                break
            entries.popitem(last=False)
