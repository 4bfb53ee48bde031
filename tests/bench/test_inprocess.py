"""The bench of the way into the process runs, and what it finds is within reason of its budget."""

from bench.inprocess import BUDGET_US, Costs, describe, measure

REASON = 3.0
"""Times the budget: other work on the machine makes everything dearer, never cheaper."""


def test_the_transport_costs_no_more_than_its_budget_allows() -> None:
    found = measure(requests=50, rounds=3)

    assert 0 < found.added < REASON * BUDGET_US
    assert found.added < found.crossed
    assert 3 == len(found.exchange) == len(found.transport) == len(found.asyncio)


def test_a_breach_is_called_one() -> None:
    assert "pass" in describe(Costs([10.0], [100.0], [200.0]))
    assert "FAIL" in describe(Costs([10.0], [200.0], [200.0]))
    assert "noisy: void" in describe(Costs([10.0], [200.0], [200.0], others=0.5))
