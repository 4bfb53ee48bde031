"""In which order the endpoints of one model are asked: who decides it, from the strongest word down.

Callers' own keys, `order`, `sort`, a suffix, a service tier, the conversation's last endpoint, a draw.
"""

from collections.abc import Sequence
from typing import TypeAlias

from proxy.model.call import Call
from proxy.model.endpoint import Endpoint
from proxy.model.preferences import Preferences, SortKey
from proxy.policy.ordering import named_first, sort_endpoints
from proxy.policy.situation import Present, Target
from proxy.policy.suffixes import Sorting
from proxy.policy.tiers import tier_wanted

Ordered: TypeAlias = tuple[list[Endpoint], str]
"""Endpoints, best first, and what the order is by."""

SORTS: dict[Sorting, SortKey] = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
STICKY = "it served this conversation last and has its prompt cached; then by price"
DRAWN = "drawn, cheap ones more often; then by price"


def in_sequence(
    fit: Sequence[Endpoint], call: Call, target: Target, wanted: Preferences, present: Present
) -> Ordered:
    """Order `fit` (cheapest first).

    With `allow_fallbacks: false` only who would come first is left, or those that `order` lists.
    """
    if not target.roster.own_keys:
        return _within(fit, call, target, wanted, present)
    found: list[Endpoint] = []
    for key in ("first", None, "last"):
        group = [e for e in fit if e.own_key == key]
        if group and (wanted.allow_fallbacks or wanted.order or not found):
            found += _within(group, call, target, wanted, present)[0]
    return found, "callers' own keys around ours"


def _within(
    fit: Sequence[Endpoint], call: Call, target: Target, wanted: Preferences, present: Present
) -> Ordered:
    if not wanted.order:
        found, why = _by_figures(fit, call, target, wanted, present)
        return (found if wanted.allow_fallbacks else found[:1]), why
    named, others = named_first(fit, wanted.order)
    if not wanted.allow_fallbacks:  # a filter has left out the others
        return named, "provider.order, without fallbacks"
    rest = sort_endpoints(others, "price", present.snapshot, present.now)
    return [*named, *rest], "provider.order; then by price"


def _by_figures(
    fit: Sequence[Endpoint], call: Call, target: Target, wanted: Preferences, present: Present
) -> Ordered:
    snapshot, now = present.snapshot, present.now
    if wanted.sort is not None:
        by = wanted.sort.by
        return sort_endpoints(fit, by, snapshot, now), f"provider.sort: {by}"
    if target.sorting is not None:
        by = SORTS[target.sorting]
        return sort_endpoints(fit, by, snapshot, now), f":{target.sorting}, by {by}"
    if len(target.roster.usual) < len(target.roster.every):
        tier = tier_wanted(call)
        if tier == "flex" and fit[0].tier == "flex":
            return sort_endpoints(fit, "price", snapshot, now), "service tier flex, by price"
        if tier in {"priority", "ultrafast"}:
            return _fast_tiers(fit, present), f"service tier {tier}, by throughput"
    found = present.balance(fit, target.roster, snapshot, now, present.draw)
    served = [e for e in found if e.id == present.sticky] if present.sticky is not None else []
    if not served or snapshot.troubled.get(served[0].id, now) > now:  # after trouble, look anew
        return found, DRAWN
    return [*served, *(e for e in found if e.id != present.sticky)], STICKY


def _fast_tiers(fit: Sequence[Endpoint], present: Present) -> list[Endpoint]:
    """Ultrafast ones, priority ones, then the usual: each by throughput."""
    found: list[Endpoint] = []
    for tier in ("ultrafast", "priority", "flex", None):
        group = [e for e in fit if e.tier == tier]
        found += sort_endpoints(group, "throughput", present.snapshot, present.now)
    return found
