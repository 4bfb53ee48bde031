"""The ledger's contract: money is held before a provider is asked, then posted or voided, once."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from proxy.model.document import Document
from proxy.model.meter import Tried
from proxy.units import NanoDollars

HEDGE_LOSS = "house:hedge_loss"
"""Our own account: what attempts cost that no client pays for."""


class Hold(msgspec.Struct, frozen=True):
    """Money pending on an account."""

    id: int
    account: str
    amount: NanoDollars
    """Never less than what is posted later."""
    output_tokens_max: int | None
    """The output cap that `amount` pays for; None: no cap needed."""


class Entry(msgspec.Struct, frozen=True):
    """What a posted hold was for."""

    generation_id: str
    endpoint: str
    amount: NanoDollars
    price_version: str
    usage: Document
    """As the provider sent it."""
    estimated: bool
    """True: counted by us."""


class Ledger(Protocol):
    """Hold -> post | void, exactly once each."""

    def hold(self, account: str, amount: NanoDollars, output_tokens_max: int | None) -> Hold:
        """Reserve money; synchronous, so that check and hold cannot be interleaved.

        Raises: PaymentRequiredError.
        """
        ...

    def post(self, hold: Hold, entry: Entry) -> "Receipt | None":
        """Charge; synchronous, so that nothing can come between a reply and its charge.

        Returns: what to wait for until the entry is durable; None: there is nothing to wait for.
        Raises: AlreadySettledError.
        """
        ...

    def void(self, hold: Hold, reason: str) -> "Receipt | None":
        """Release without a charge. Raises: AlreadySettledError."""
        ...

    def attempts(self, generation_id: str, account: str, records: Sequence[Tried]) -> None:
        """Book every attempt of a request, once, before its hold is settled; synchronous.

        Args:
            account: whose request it was.
            records: in the order in which they ended. All but the one that won are owed by HEDGE_LOSS.
        """
        ...


class Receipt(Protocol):
    """An entry on its way to the disk."""

    async def durable(self) -> None:
        """Return when the entry survives a crash."""
        ...
