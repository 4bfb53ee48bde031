"""The ledger's contract: money is held before a provider is asked, then posted or voided, once."""

from dataclasses import dataclass
from typing import Protocol

from proxy.model.document import Document
from proxy.units import NanoDollars


@dataclass(frozen=True, slots=True)
class Hold:
    """Money pending on an account."""

    id: int
    account: str
    amount: NanoDollars
    """Never less than what is posted later."""
    output_tokens_max: int | None
    """The output cap that `amount` pays for; None: no cap needed."""


@dataclass(frozen=True, slots=True)
class Entry:
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

    async def post(self, hold: Hold, entry: Entry) -> None:
        """Charge; returns when the entry is durable. Raises: AlreadySettledError."""
        ...

    async def void(self, hold: Hold, reason: str) -> None:
        """Release without a charge. Raises: AlreadySettledError."""
        ...
