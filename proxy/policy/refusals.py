"""What a client is told when nothing may serve its request: one message, and the reason for each endpoint.

The messages are those that clients of OpenRouter look for (reference: its errors page, 2026-08).
"""

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from proxy.errors import (
    HedgerowError,
    InvalidRequestError,
    NoEndpointError,
    UpstreamCredentialError,
    UpstreamRateLimitError,
)
from proxy.model.document import Document, Json
from proxy.model.endpoint import Endpoint, Provider
from proxy.model.preferences import Preferences
from proxy.policy.planner import Survey
from proxy.policy.situation import Present

EXPLAINED_MAX = 50
"""Endpoints whose reasons an error tells."""
NEAR = 0.8
"""Likeness from which a name is taken for a slip of another (difflib's ratio)."""
NEAR_CACHED_MAX = 4_096
"""Names remembered: clients send the same lists all day, and comparing one costs 0.1 ms."""


def refusal(surveys: Sequence[Survey], wanted: Preferences, present: Present) -> HedgerowError:
    """The error for a request that no endpoint may serve."""
    names = ", ".join(found.roster.model.id for found in surveys)
    if all(found.missing for found in surveys):
        missing = sorted(set().union(*(found.missing for found in surveys)))
        return _error(f"No endpoints found that support {' and '.join(missing)} input.",
                      "constraint_filtered", surveys, present)  # fmt: skip
    if (resting := _resting(surveys, present)) is not None:
        return resting
    codes = _decisive(surveys)
    if codes == {"context_length"}:
        return _too_long(surveys, present)
    if "allowed_providers" in codes:
        return _error(_only(names, surveys, wanted), "constraint_filtered", surveys, present)
    if any(code.startswith("data_policy") for code in codes):
        return _error(f"No endpoints found matching your data policy for {names}.",
                      "privacy_restricted", surveys, present)  # fmt: skip
    if not codes:
        return _error(f"No endpoints found for {names}.", "no_endpoints", surveys, present)
    said = ", ".join(sorted(codes))
    return _error(f"No endpoints found for {names} that meet: {said}.", "constraint_filtered",
                  surveys, present)  # fmt: skip


def reasons(found: Survey, endpoint: Endpoint, present: Present) -> list[str]:
    """Why one endpoint of the roster is no candidate; empty: it is one."""
    if found.missing:
        return [f"the model takes no {kind} input" for kind in sorted(found.missing)]
    why = [rule.why(endpoint) for rule in found.filters if not rule.passes(endpoint)]
    if endpoint not in found.admitted:
        why.append(f"its service tier {endpoint.tier or 'default'} was not asked for")
    why += [
        f"does not support {name}, others do"
        for name in found.features
        if endpoint.supported_parameters and name not in endpoint.supported_parameters
    ]
    rest = present.snapshot.rest_of(endpoint, present.now)
    if rest is not None and rest.reason != "breaker":
        why.append(f"rests for {rest.until - present.now:.0f} s ({rest.reason})")
    return why


LISTS = frozenset(("allowed_providers", "ignored_providers"))
"""Rules about who is wanted; all others are about what is wanted of them."""


def _failed(surveys: Sequence[Survey]) -> list[tuple[Endpoint, set[str]]]:
    """Every endpoint that is open to the request, and the rules that leave it out."""
    return [
        (endpoint, {rule.code for rule in found.filters if not rule.passes(endpoint)})
        for found in surveys
        if not found.missing
        for endpoint in found.admitted
    ]


def _listed(surveys: Sequence[Survey]) -> list[tuple[Endpoint, set[str]]]:
    """Those of them that the request's lists of providers let through, if there are any."""
    failed = _failed(surveys)
    return [(endpoint, codes) for endpoint, codes in failed if codes.isdisjoint(LISTS)] or failed


def _decisive(surveys: Sequence[Survey]) -> set[str]:
    """Rules without which somebody might serve."""
    return set[str]().union(*(codes for _, codes in _listed(surveys)))


def _error(message: str, code: str, surveys: Sequence[Survey], present: Present) -> NoEndpointError:
    return NoEndpointError(message, metadata=_metadata(code, surveys, present))


def _metadata(code: str, surveys: Sequence[Survey], present: Present) -> Document:
    """`availability` as OpenRouter has it, and, ours, why each endpoint is out."""
    out: Document = {}
    for found in surveys:
        for endpoint in found.roster.every:
            if len(out) < EXPLAINED_MAX:
                why: list[Json] = [*reasons(found, endpoint, present)]
                out[endpoint.id] = why
        if not found.roster.every and found.roster.model.endpoints:
            out[found.roster.model.id] = ["the operator's policy leaves none of its endpoints"]
    models: list[Json] = [found.roster.model.id for found in surveys]
    rules = set[str]().union(*(codes for _, codes in _failed(surveys)))
    excluded: list[Json] = [*sorted(rules)]
    availability: Document = {
        "code": code,
        "retryable": code == "capacity_exhausted",
        "requested_models": models,
        "excluded_by": excluded,
    }
    return {"availability": availability, "endpoints": out}


def _only(names: str, surveys: Sequence[Survey], wanted: Preferences) -> str:
    serving = sorted({e.provider.id for found in surveys for e in found.roster.model.endpoints})
    message = (
        "No allowed providers are available for the selected model. "
        f"Providers serving {names}: {', '.join(serving)}"
    )
    key, named = ("order", wanted.order) if wanted.only is None else ("only", wanted.only)
    permits = ", ".join(named) or "nobody"
    message += f", but your request's provider.{key} preference permits only: {permits}"
    near = [
        match for name in named if name not in serving for match in near_names(name, serving)
    ]  # fmt: skip
    return message + (f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ".")


def _too_long(surveys: Sequence[Survey], present: Present) -> InvalidRequestError:
    longest = max(endpoint.context_length for endpoint, _ in _listed(surveys))
    error = InvalidRequestError(
        f"This endpoint's maximum context length is {longest} tokens, which the request exceeds.",
        metadata=_metadata("constraint_filtered", surveys, present),
    )
    error.error_type = "context_length_exceeded"
    return error


def _resting(surveys: Sequence[Survey], present: Present) -> HedgerowError | None:
    """The error if somebody could serve, did they not all rest."""
    waiting = [
        (endpoint.provider.name, rest)
        for found in surveys
        for endpoint in found.fit
        if (rest := present.snapshot.rest_of(endpoint, present.now)) is not None
    ]
    rests = [rest for _, rest in waiting]
    if not rests:
        return None
    metadata = _metadata("capacity_exhausted", surveys, present)
    if len({name for name, _ in waiting}) == 1:
        metadata["provider_name"] = waiting[0][0]
    first = min(rests, key=lambda rest: rest.until)
    seconds = str(max(math.ceil(first.until - present.now), 1))
    if all(rest.reason == "credential" for rest in rests):
        return UpstreamCredentialError(
            "Provider refused the gateway's key lately; it is tried again soon.",
            metadata=metadata, headers=(("retry-after", seconds),),
        )  # fmt: skip
    return UpstreamRateLimitError(
        "Every provider that may serve this request asked us to wait.",
        metadata=metadata, headers=(("retry-after", seconds),),
    )  # fmt: skip


def check_ignored(names: Sequence[str], providers: Mapping[str, Provider]) -> None:
    """Refuse a name in `ignore` that is almost one we use: a slip would send data where it must not go.

    Other unknown names pass: clients carry lists of providers that are not ours.

    Args:
        providers: ours, by id.
    Raises: InvalidRequestError.
    """
    known: tuple[str, ...] = ()
    for index, name in enumerate(names):
        provider = name.partition("/")[0]
        if provider in providers:
            continue
        known = known or (*providers, *(one.name.lower() for one in providers.values()))
        if provider not in known and (near := near_names(provider, known)):
            raise InvalidRequestError(
                f"No provider {name!r}; the nearest known one is {near[0]!r} - "
                f"at `$.provider.ignore[{index}]`",
                metadata={"field": f"provider.ignore[{index}]"},
            )


def near_names(name: str, known: Collection[str]) -> list[str]:
    """The known name that `name` was probably meant to be, if any."""
    return _near_names(name, tuple(known))


@lru_cache(maxsize=NEAR_CACHED_MAX)
def _near_names(name: str, known: tuple[str, ...]) -> list[str]:
    return difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
