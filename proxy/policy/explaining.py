"""Why a plan is as it is, told endpoint by endpoint; the same survey that plans decide by."""

from collections.abc import Sequence

from proxy.model.call import Call
from proxy.model.endpoint import Endpoint
from proxy.model.explanation import Candidate, Explanation, State
from proxy.model.preferences import Preferences
from proxy.policy.ordering import standing_of
from proxy.policy.planner import Survey, across, survey
from proxy.policy.refusals import reasons
from proxy.policy.situation import Present, Target
from proxy.units import usd_per_million

EVERYTHING_OUT = "the operator's policy ([policy]) excludes it"
LAST = "it keeps failing: the last resort"


def explain(
    call: Call, targets: Sequence[Target], wanted: Preferences, present: Present, *,
    offers: Sequence[Endpoint], notes: Sequence[str] = (),
) -> Explanation:  # fmt: skip
    """Explain the plan that was made from the same arguments.

    Args:
        offers: what the plan took; empty where there is none.
    """
    surveys = [survey(call, target, wanted, present) for target in targets]
    ordered = across(surveys, wanted, present)
    # not by their ids: an endpoint with a caller's own key is called as the one with ours
    places = {id(endpoint): place for place, endpoint in enumerate(ordered, 1)}
    chosen = {id(endpoint) for endpoint in offers}
    found = [
        _candidate(one, endpoint, places.get(id(endpoint)), present, chosen=id(endpoint) in chosen)
        for one in surveys
        for endpoint in one.roster.model.endpoints
    ]
    found.sort(key=lambda c: (c.place is None, c.place or 0, c.endpoint))
    selected = offers[0].provider.name if offers else "none"
    return Explanation(
        requested=call.requested or call.models[0],
        strategy=_strategy(call),
        summary=f"available={len(ordered)}, selected={selected}",
        notes=[*notes, *_notes(surveys)],
        candidates=found,
    )


def _strategy(call: Call) -> str:
    if call.arm:
        return "split"
    if len(call.models) > 1:
        return "fallback"
    return "free" if ":free" in call.models[0] else "direct"


def _notes(surveys: Sequence[Survey]) -> list[str]:
    return [
        f"No endpoint of {found.roster.model.id} that may serve this is known to support {name}: "
        "it may have no effect."
        for found in surveys
        for name in found.lacking
    ]


def _candidate(
    found: Survey,
    endpoint: Endpoint,
    place: int | None,
    present: Present,
    *,
    chosen: bool,
) -> Candidate:
    standing = standing_of(endpoint, present.snapshot, "ttft")
    speed = standing_of(endpoint, present.snapshot, "throughput").throughput
    out: list[str] = []
    if place is None:
        within = endpoint in found.roster.every
        out = reasons(found, endpoint, present) if within else [EVERYTHING_OUT]
        out = out or ["fallbacks are not allowed, and another one comes first"]
    return Candidate(
        endpoint=endpoint.id,
        model=endpoint.model,
        provider=endpoint.provider.name,
        tag=endpoint.tag,
        place=place,
        selected=chosen,
        out=out,
        why="" if place is None else _why(found, endpoint),
        prompt_usd_per_million=usd_per_million(endpoint.prices.prompt),
        completion_usd_per_million=usd_per_million(endpoint.prices.completion),
        ttft_p50=standing.ttft.p50 if standing.ttft else endpoint.expected_ttft_s,
        throughput_p50=speed.p50 if speed else endpoint.expected_throughput,
        state=_state(endpoint, present),
    )


def _why(found: Survey, endpoint: Endpoint) -> str:
    if endpoint in found.last:
        return LAST
    return found.why or "the only one"


def _state(endpoint: Endpoint, present: Present) -> State:
    if present.snapshot.rest_of(endpoint, present.now) is not None:
        return "resting"
    until = present.snapshot.troubled.get(endpoint.id, present.now)
    return "troubled" if until > present.now else "healthy"
