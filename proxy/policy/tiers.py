"""Service tiers: dearer and faster, or cheaper and slower, endpoints of the same model.

Rule 1: a tier serves only who opted in: by `service_tier`, by naming it, or by :nitro and :floor.
Rule 2: flex never falls back to the usual tier, as its user counts on the price; the fast ones do.
Source: OpenRouter, "Service tiers", 2026-08.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from proxy.model.call import Call
from proxy.model.endpoint import Endpoint
from proxy.model.preferences import Preferences
from proxy.policy.roster import Roster
from proxy.policy.suffixes import Sorting

Wanted: TypeAlias = Literal["flex", "priority", "ultrafast", "default"]

WORDS: dict[object, Wanted] = {
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
    "ultrafast": "ultrafast",
    "default": "default",
    "standard_only": "default",
}
"""What clients say; "auto", "scale" and all else say nothing."""
ADMITTED: dict[Sorting, str] = {"nitro": "priority", "floor": "flex"}
"""The tier that competes where a name has this suffix."""


def tier_wanted(call: Call) -> Wanted | None:
    """The tier that a request asks for; Anthropic's clients say `speed`."""
    for said in (call.body.get("service_tier"), call.body.get("speed")):
        if isinstance(said, str) and said in WORDS:
            return WORDS[said]
    return None


def by_tier(
    roster: Roster, wanted: Wanted | None, sorting: Sorting | None, preferences: Preferences
) -> Sequence[Endpoint]:
    """Endpoints that this request may be served by, as far as tiers are concerned."""
    tiers: set[str | None] = {None}
    if wanted == "flex" and any(e.tier == "flex" for e in roster.every):
        tiers = {"flex"}
    elif wanted == "priority":
        tiers = {"priority", None}
    elif wanted == "ultrafast":
        tiers = {"ultrafast", "priority", None}
    elif wanted is None and sorting in ADMITTED and not preferences.order:
        tiers = {ADMITTED[sorting], None}
    named = {*preferences.order, *(preferences.only or ())}
    return [
        e for e in roster.every
        if e.tier in tiers or (e.tier is not None and not named.isdisjoint(e.names))
    ]  # fmt: skip
