"""The in-memory ledger is a ledger."""

import inspect

from proxy.ledger.interface import Ledger
from proxy.ledger.memory import MemoryLedger


def test_the_memory_ledger_has_the_interface() -> None:
    for name, method in inspect.getmembers(Ledger, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(method).parameters) == list(
                inspect.signature(getattr(MemoryLedger, name)).parameters
            )
