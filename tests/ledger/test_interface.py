"""The ledger's contract: values that cannot be changed, and no waiting between check and hold."""

import inspect

import pytest

from proxy.ledger.interface import Entry, Hold, Ledger, Receipt
from proxy.ledger.memory import MemoryLedger
from proxy.units import NanoDollars


def test_money_moves_synchronously_and_only_durability_is_waited_for() -> None:
    for name in ("hold", "post", "void", "attempts"):
        assert not inspect.iscoroutinefunction(getattr(Ledger, name))
    assert inspect.iscoroutinefunction(Receipt.durable)


def test_holds_and_entries_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Hold(1, "a", NanoDollars(1), None).amount = NanoDollars(0)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Entry("g", "e", NanoDollars(1), "v", {}, False).amount = NanoDollars(0)  # type: ignore[misc]


def test_the_forgetful_ledger_keeps_the_contract() -> None:
    ledger: Ledger = MemoryLedger()

    assert isinstance(ledger.hold("a", NanoDollars(1), None), Hold)
