"""What a plan is made from has defaults that know nothing."""

import pytest

from proxy.model.standing import NOTHING_KNOWN
from proxy.policy.balancing import by_price
from proxy.policy.roster import make_roster
from proxy.policy.situation import Present, Target
from tests.fakes.market import market, seller


def test_a_present_knows_nothing_unless_told() -> None:
    present = Present()

    assert (0.0, NOTHING_KNOWN, 0.0, None, by_price) == (
        present.now, present.snapshot, present.draw, present.sticky, present.balance,
    )  # fmt: skip


def test_a_target_is_sorted_by_its_suffix_only() -> None:
    target = Target(make_roster(market(seller("a", 1))))

    assert None is target.sorting
    with pytest.raises(AttributeError):
        target.sorting = "nitro"  # type: ignore[misc]
