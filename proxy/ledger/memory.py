"""A ledger that forgets: for sidecars, which have no accounts and no database.

It keeps totals and open holds only, so that every call still goes through hold -> post | void.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from proxy.ledger.interface import Entry, Hold
from proxy.model.meter import Tried
from proxy.units import NanoDollars


class AlreadySettledError(Exception):
    """A hold was to be settled twice: a bug of ours, never shown to a client."""


@dataclass(slots=True)
class MemoryLedger:
    """Totals per process."""

    held: dict[int, Hold] = field(default_factory=dict)
    """Open holds; bounded by the calls in flight."""
    posted: int = 0
    voided: int = 0
    charged: NanoDollars = NanoDollars(0)
    house: NanoDollars = NanoDollars(0)
    """What HEDGE_LOSS owes: attempts that lost, or failed and cost something nevertheless."""
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def hold(self, account: str, amount: NanoDollars, output_tokens_max: int | None) -> Hold:
        """Reserve; an account without money limits can always pay."""
        hold = Hold(next(self._ids), account, amount, output_tokens_max)
        self.held[hold.id] = hold
        return hold

    def post(self, hold: Hold, entry: Entry) -> None:
        """Charge."""
        self._settle(hold)
        self.posted += 1
        self.charged = NanoDollars(self.charged + entry.amount)

    def void(self, hold: Hold, reason: str) -> None:
        """Release."""
        self._settle(hold)
        self.voided += 1

    def attempts(self, generation_id: str, account: str, records: Sequence[Tried]) -> None:
        """Add up what no client pays for."""
        for record in records:
            if record.outcome != "won":
                self.house = NanoDollars(self.house + record.cost)

    def _settle(self, hold: Hold) -> None:
        if self.held.pop(hold.id, None) is None:
            raise AlreadySettledError(f"hold {hold.id} is settled already")
