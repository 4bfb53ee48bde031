"""Every hold is settled once; nothing else is remembered."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from proxy.ledger.interface import Entry
from proxy.ledger.memory import AlreadySettledError, MemoryLedger
from proxy.model.meter import Tried
from proxy.units import NanoDollars, Seconds
from tests.fakes.things import an_endpoint


def entry(amount: int) -> Entry:
    return Entry("gen-1", "acme:maker/model", NanoDollars(amount), "2026-01-01", {}, False)


def test_a_hold_is_posted_at_what_it_cost() -> None:
    ledger = MemoryLedger()
    hold = ledger.hold("open", NanoDollars(10), 5)

    assert ("open", 10, 5) == (hold.account, hold.amount, hold.output_tokens_max)
    assert None is ledger.post(hold, entry(7))
    assert ({}, 1, 0, 7) == (ledger.held, ledger.posted, ledger.voided, ledger.charged)


def test_a_voided_hold_costs_nothing() -> None:
    ledger = MemoryLedger()

    assert None is ledger.void(ledger.hold("open", NanoDollars(10), None), "client left")
    assert ({}, 0, 1, 0) == (ledger.held, ledger.posted, ledger.voided, ledger.charged)


@pytest.mark.parametrize("first", ["post", "void"])
def test_a_hold_is_never_settled_twice(first: str) -> None:
    ledger = MemoryLedger()
    hold = ledger.hold("open", NanoDollars(10), None)
    ledger.post(hold, entry(1)) if first == "post" else ledger.void(hold, "")

    with pytest.raises(AlreadySettledError, match="hold 1 "):
        ledger.post(hold, entry(1))
    with pytest.raises(AlreadySettledError):
        ledger.void(hold, "")
    assert 1 == ledger.posted + ledger.voided


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=20), st.randoms())
def test_holds_are_posts_and_voids_in_whatever_order(
    moves: list[tuple[bool, int]], draw: Random
) -> None:
    ledger = MemoryLedger()
    holds = [(ledger.hold("a", NanoDollars(99), None), posts, cost) for posts, cost in moves]
    draw.shuffle(holds)
    assert len({hold.id for hold, _, _ in holds}) == len(holds)
    for hold, posts, cost in holds:
        ledger.post(hold, entry(cost)) if posts else ledger.void(hold, "")

    assert {} == ledger.held
    assert len(moves) == ledger.posted + ledger.voided
    assert sum(cost for posts, cost in moves if posts) == ledger.charged


def test_what_no_client_pays_for_is_added_up() -> None:
    ledger = MemoryLedger()
    for outcome, cost in (("won", 1), ("lost", 20), ("cancelled", 300), ("timeout", 4000)):
        tried = Tried(an_endpoint(), outcome, 200, Seconds(0.0), 1.0, cost=cost)
        ledger.attempts("gen-1", "open", [tried])

    assert (4320, 0) == (ledger.house, ledger.charged)
