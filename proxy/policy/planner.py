"""Which endpoints may serve a call, and in what order; several models are candidates in turn.

Candidates -> hard filters -> soft filters -> who rests -> order -> offers. Nothing here waits, draws or
reads a clock. Rule 1: the operator's ceilings are in the rosters already and hold whatever is asked.
Rule 2: `survey` decides for plans and for explanations alike, so that these never differ.
"""

import math
from collections.abc import Sequence

import msgspec

from proxy.config.settings import HedgingSettings
from proxy.model.call import Call
from proxy.model.endpoint import Endpoint, OwnKey
from proxy.model.plan import Plan
from proxy.model.preferences import ANYTHING, HedgeTerms, Preferences
from proxy.policy.demands import features_of, modalities_of
from proxy.policy.filters import Filter, demand_filters, preference_filters
from proxy.policy.hedge_rules import asks_for_reasoning, delay_s, unhedgeable, unrepeatable
from proxy.policy.ordering import demote, sort_endpoints
from proxy.policy.pricing import worst_case
from proxy.policy.roster import Roster, supports
from proxy.policy.sequence import in_sequence
from proxy.policy.situation import Present, Target
from proxy.policy.tiers import by_tier, tier_wanted
from proxy.units import Seconds

NEVER = Seconds(math.inf)
HEDGING = HedgingSettings()
"""What holds where nobody says otherwise."""
NO_TERMS = HedgeTerms()
SPARES_MAX = 3
"""Enough for half of six endpoints to be unreachable; more would make holds dearer for nothing."""
OWN_KEYS: dict[OwnKey | None, int] = {"first": 0, None: 1, "last": 2}
"""Places of endpoints with callers' own keys around ours."""


class Survey(msgspec.Struct, frozen=True):
    """What became of one model's endpoints."""

    roster: Roster
    ordered: list[Endpoint]
    """Who may be asked, best first."""
    last: Sequence[Endpoint] = ()
    """Whom breakers rest, best first: asked when nobody else is left, of whatever model."""
    fit: Sequence[Endpoint] = ()
    """Who might serve, were nobody at rest."""
    admitted: Sequence[Endpoint] = ()
    """All but those of service tiers that the request did not opt into."""
    filters: Sequence[Filter] = ()
    features: tuple[str, ...] = ()
    """Parameters for whose sake endpoints were left out; others have them."""
    lacking: tuple[str, ...] = ()
    """Parameters that no endpoint of the model has; they are not sent."""
    missing: frozenset[str] = frozenset()
    """Kinds of input that the model does not take; then nobody is left."""
    why: str = ""
    """What the order is by; empty: there is one candidate, or none."""


NOT_DISTILLABLE = Filter(
    "distillable", lambda _: False, lambda _: "its author does not allow output to be distilled"
)


def make_plan(
    call: Call, targets: Sequence[Target], wanted: Preferences, present: Present, *,
    attempts_max: int, hedging: HedgingSettings = HEDGING,
) -> Plan | None:  # fmt: skip
    """Order the endpoints that may serve `call`, and take the best; None: there are none.

    Args:
        targets: the models asked for, best first.
        hedging: what the operator allows.
    """
    if len(targets) == 1:
        surveys = [survey(call, targets[0], wanted, present)]
    else:
        surveys = [survey(call, target, wanted, present) for target in targets]
    ordered = across(surveys, wanted, present)
    if not ordered:
        return None
    if len(targets) == 1:
        offers, spares = ordered[:attempts_max], ordered[attempts_max : attempts_max + SPARES_MAX]
    else:
        offers = _offers(ordered, attempts_max)
        taken = {endpoint.id for endpoint in offers}
        spares = [endpoint for endpoint in ordered if endpoint.id not in taken][:SPARES_MAX]
    cost_max = worst_case(call, *offers, *spares)
    everybody = [*offers, *spares] if len(offers) > 1 else offers  # spares only stand in
    at_once, skipped = (1, "") if wanted.race == 1 else _together(call, offers, wanted.race)
    skipped = skipped or unhedgeable(call, everybody, wanted, hedging, sticky=present.sticky)
    terms = wanted.hedge
    own = terms if isinstance(terms, HedgeTerms) else NO_TERMS
    after_s = NEVER if skipped else own.after_s or delay_s(
        offers[0], everybody, present.snapshot, hedging, reasoning=asks_for_reasoning(call.body)
    )  # fmt: skip
    return Plan(
        tuple(offers), after_s, cost_max, call.output_tokens_max, tuple(spares),
        at_once, own.cost_max, skipped, own.after_s is not None,
    )  # fmt: skip


def _together(call: Call, offers: Sequence[Endpoint], race: int) -> tuple[int, str]:
    """(how many attempts start together, why there is no hedge because of that)."""
    if skipped := unrepeatable(call):
        return 1, skipped
    at_once = min(race, sum(one.model == offers[0].model for one in offers))
    return at_once, "race" if at_once > 1 else ""


def across(surveys: Sequence[Survey], wanted: Preferences, present: Present) -> list[Endpoint]:
    """All models' candidates in one order: model by model, or all together; the last resort behind.

    Callers' own keys come first, or last, among all models where these are sorted together.
    """
    if len(surveys) == 1:
        ordered = surveys[0].ordered
    else:
        ordered = [endpoint for found in surveys for endpoint in found.ordered]
        if wanted.sort is not None and wanted.sort.partition == "none" and not wanted.order:
            ordered = sort_endpoints(ordered, wanted.sort.by, present.snapshot, present.now)
            ordered.sort(key=lambda e: OWN_KEYS[e.own_key])
    if wanted.throughput_min is not None or wanted.latency_max is not None:
        ordered = demote(ordered, present.snapshot, wanted.throughput_min, wanted.latency_max)
    if not present.snapshot.resting:
        return ordered
    return ordered + [endpoint for found in surveys for endpoint in found.last]


def survey(call: Call, target: Target, wanted: Preferences, present: Present) -> Survey:
    """Decide on every endpoint of one model."""
    roster, body = target.roster, call.body
    missing = modalities_of(body) - roster.modalities
    if missing:
        return Survey(roster, [], admitted=roster.every, missing=missing)
    admitted: Sequence[Endpoint] = roster.usual
    if len(roster.usual) < len(roster.every):
        admitted = by_tier(roster, tier_wanted(call), target.sorting, wanted)
    filters = _filters(call, roster, wanted)
    fit = admitted
    for rule in filters:
        fit = [endpoint for endpoint in fit if rule.passes(endpoint)]
    features: list[str] = []
    lacking: list[str] = []
    if roster.silent_on:
        fit = _with_features(fit, roster, features_of(body), features, lacking)
    usable: Sequence[Endpoint] = fit
    last: list[Endpoint] = []
    if present.snapshot.resting:
        usable, last = awake(fit, present)
    if len(usable) > 1:
        ordered, why = in_sequence(usable, call, target, wanted, present)
    else:
        ordered, why = list(usable), ""
    if last and ordered and not (wanted.allow_fallbacks or wanted.order):
        last = []
    elif len(last) > 1:
        last, _ = in_sequence(last, call, target, wanted, present)
    return Survey(
        roster, ordered, last, fit, admitted, filters, tuple(features), tuple(lacking), why=why
    )


def _filters(call: Call, roster: Roster, wanted: Preferences) -> list[Filter]:
    demands = demand_filters(call, wanted, roster.context_min, roster.output_min)
    if wanted is ANYTHING:
        return demands
    filters = preference_filters(wanted) + demands
    if wanted.distillable and roster.model.distillable is not True:
        filters.append(NOT_DISTILLABLE)
    return filters


def _with_features(
    fit: Sequence[Endpoint], roster: Roster, asked: Sequence[str], features: list[str],
    lacking: list[str],
) -> Sequence[Endpoint]:  # fmt: skip
    """Only endpoints with the parameters asked for, as long as there are any; notes which."""
    for feature in asked:
        if feature in roster.silent_on:
            able = [e for e in fit if supports(e, feature)]
            (features if able else lacking).append(feature)
            fit = able or fit
    return fit


def awake(
    endpoints: Sequence[Endpoint], present: Present
) -> tuple[Sequence[Endpoint], list[Endpoint]]:
    """(who does not rest, whom a breaker rests: the last resort).

    A rest that a provider asked for, or that its refusal of our key brought about, is kept: who rests so
    is in neither.
    """
    snapshot, now = present.snapshot, present.now
    usable: list[Endpoint] = []
    last: list[Endpoint] = []
    for endpoint in endpoints:
        rest = snapshot.rest_of(endpoint, now)
        if rest is None:
            usable.append(endpoint)
        elif rest.reason == "breaker":
            last.append(endpoint)
    return (endpoints if len(usable) == len(endpoints) else usable), last


def _offers(ordered: Sequence[Endpoint], attempts_max: int) -> list[Endpoint]:
    """The best, with a place for every model: a fallback that is never tried is of no use."""
    unseen = dict.fromkeys(endpoint.model for endpoint in ordered)
    offers: list[Endpoint] = []
    for endpoint in ordered:
        free = attempts_max - len(offers)
        if free > 0 and (endpoint.model in unseen or free > len(unseen)):
            offers.append(endpoint)
            unseen.pop(endpoint.model, None)
    return offers
