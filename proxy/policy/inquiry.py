"""A request for a plan, made ready: names resolved, preferences read, the present at hand.

The gateway plans by it, its console and the command line explain by it.
"""

from collections.abc import Mapping

import msgspec

from proxy.catalog.catalog import Catalog
from proxy.config.settings import HedgingSettings
from proxy.errors import HedgerowError, NoEndpointError, UnknownModelError
from proxy.model.call import Call
from proxy.model.endpoint import Model
from proxy.model.explanation import Explanation
from proxy.model.plan import Plan
from proxy.model.preferences import Preferences
from proxy.policy.explaining import explain
from proxy.policy.planner import HEDGING, make_plan, survey
from proxy.policy.preferences import check_race, read_preferences
from proxy.policy.refusals import check_ignored, refusal
from proxy.policy.roster import Roster
from proxy.policy.situation import Present, Target
from proxy.policy.suffixes import Asked, take_apart

EXACTO = "exacto: the quality of tool calls is not measured here; sorted by price."


class Inquiry(msgspec.Struct, frozen=True):
    """Everything that a plan is made from."""

    call: Call
    targets: tuple[Target, ...]
    wanted: Preferences
    notes: tuple[str, ...] = ()
    """What was asked for and has no effect."""
    hedging: HedgingSettings = HEDGING


def inquire(
    call: Call, catalog: Catalog, rosters: Mapping[str, Roster], hedging: HedgingSettings = HEDGING
) -> Inquiry:
    """Resolve the models that `call` asks for, and read its preferences.

    Args:
        rosters: by model id, one for every model of `catalog`.
    Raises: UnknownModelError, NoEndpointError for a variant that does not exist, InvalidRequestError.
    """
    wanted = read_preferences(call.preferences)
    if wanted.ignore:
        check_ignored(wanted.ignore, catalog.providers)
    if wanted.race > 1:
        check_race(wanted, hedging.race_max)
    notes: list[str] = []
    if wanted.sort is not None and wanted.sort.by == "exacto":
        notes.append(f"provider.sort: {EXACTO}")
    if len(call.models) == 1 and (known := rosters.get(call.models[0])) is not None:
        return Inquiry(call, (Target(known),), wanted, tuple(notes), hedging)
    targets: dict[str, Target] = {}
    for name in call.models:  # two names of one model ask for it once
        target = _target(name, catalog, rosters, notes)
        targets.setdefault(target.roster.model.id, target)
    return Inquiry(call, tuple(targets.values()), wanted, tuple(notes), hedging)


def _target(
    name: str, catalog: Catalog, rosters: Mapping[str, Roster], notes: list[str]
) -> Target:  # fmt: skip
    if name in rosters:
        return Target(rosters[name])
    asked = take_apart(name)
    notes += [f":{suffix} has no effect." for suffix in asked.ignored]
    if asked.sorting == "exacto":
        notes.append(f":{EXACTO}")
    model = _variant(asked, catalog) if asked.variant else catalog.resolve(asked.base)
    return Target(rosters[model.id], asked.sorting)


def _variant(asked: Asked, catalog: Catalog) -> Model:
    """An entry of its own: it may be there without the usual one, or go by that one's other names."""
    try:
        return catalog.resolve(asked.name)
    except UnknownModelError:
        name = f"{catalog.resolve(asked.base).id}:{asked.variant}"
    if name not in catalog.models:
        raise NoEndpointError(f"No endpoints found for {name}.")
    return catalog.models[name]


def decide(inquiry: Inquiry, present: Present, *, attempts_max: int) -> Plan:
    """Make the plan.

    Raises: NoEndpointError, InvalidRequestError; UpstreamRateLimitError and UpstreamCredentialError where
        all that could serve rest; each with the reason for every endpoint.
    """
    call, targets, wanted = inquiry.call, inquiry.targets, inquiry.wanted
    plan = make_plan(
        call, targets, wanted, present, attempts_max=attempts_max, hedging=inquiry.hedging
    )
    if plan is None:
        raise refused(inquiry, present)
    return plan


def refused(inquiry: Inquiry, present: Present) -> HedgerowError:
    """Why there is no plan."""
    surveys = [survey(inquiry.call, one, inquiry.wanted, present) for one in inquiry.targets]
    return refusal(surveys, inquiry.wanted, present)


def explanation(inquiry: Inquiry, present: Present, *, attempts_max: int) -> Explanation:
    """The plan that would be made now, or why there is none, endpoint by endpoint."""
    call, targets, wanted = inquiry.call, inquiry.targets, inquiry.wanted
    plan = make_plan(
        call, targets, wanted, present, attempts_max=attempts_max, hedging=inquiry.hedging
    )
    offers = () if plan is None else plan.offers
    return explain(call, targets, wanted, present, offers=offers, notes=inquiry.notes)
