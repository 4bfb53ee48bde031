"""Hold, then post or void: once."""

import pytest

from proxy.ledger.interface import Entry
from proxy.ledger.memory import AlreadySettledError, MemoryLedger
from proxy.units import NanoDollars

ENTRY = Entry("gen-1", "acme:m", NanoDollars(7), "v1", {}, estimated=False)


def test_a_hold_is_posted_or_voided_exactly_once() -> None:
    ledger = MemoryLedger()
    first, second = (ledger.hold("a", NanoDollars(10), None) for _ in range(2))
    assert {first.id, second.id} == set(ledger.held)

    ledger.post(first, ENTRY)
    ledger.void(second, "left")

    assert ({}, 1, 1, 7) == (ledger.held, ledger.posted, ledger.voided, ledger.charged)
    for settle in (lambda: ledger.post(first, ENTRY), lambda: ledger.void(second, "again")):
        with pytest.raises(AlreadySettledError):
            settle()
