"""What a plan is made from, besides the call: the models asked for, and the present."""

import msgspec

from proxy.model.standing import NOTHING_KNOWN, Snapshot
from proxy.policy.balancing import Balancer, by_price
from proxy.policy.roster import Roster
from proxy.policy.suffixes import Sorting
from proxy.units import Seconds


class Target(msgspec.Struct, frozen=True):
    """One model that a request may be served by."""

    roster: Roster
    sorting: Sorting | None = None
    """Of the name's suffix."""


class Present(msgspec.Struct, frozen=True):
    """What is known at this moment."""

    now: Seconds = Seconds(0.0)
    snapshot: Snapshot = NOTHING_KNOWN
    draw: float = 0.0
    """A random number of [0, 1)."""
    sticky: str | None = None
    """Id of the endpoint that served this conversation last."""
    balance: Balancer = by_price
