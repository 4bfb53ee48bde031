"""What GET /live shows: its nouns, and how an endpoint's line is made of reports; pure.

Rule 1: what is not known is null, never zero. Rule 2: shares are 0..1; uptimes are percent, as the
public API has them; times are seconds; prices are USD per million tokens.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from proxy.live.arm import ArmResult
from proxy.model.endpoint import Endpoint
from proxy.model.standing import Quantiles, Report, Snapshot
from proxy.net.key import KeyReport
from proxy.policy.intervals import Interval
from proxy.units import NANO, Seconds

State = Literal["healthy", "troubled", "resting", "probing"]
TELLING = ("none", "endpoint", "rate_limit", "credential")
"""Ends that say something of an endpoint; callers who leave and requests that nobody could serve do not."""


class Resting(msgspec.Struct, frozen=True):
    """An endpoint that is left alone."""

    reason: str
    """ "breaker", "rate_limit" or "credential"."""
    seconds: float
    """Until it may be tried again."""


class Line(msgspec.Struct, frozen=True):
    """One endpoint, now."""

    id: str
    model: str
    provider: str
    tag: str
    state: State = "healthy"
    rest: Resting | None = None
    requests_5m: int = 0
    """Attempts that ended within the last five minutes."""
    share_5m: float | None = None
    """Of those of its model; null: it had none."""
    ttft: Quantiles | None = None
    """Of the last five minutes, as all percentiles here; seconds."""
    throughput: Quantiles | None = None
    """Output tokens per second."""
    total: Quantiles | None = None
    success_5m: float | None = None
    """Of the attempts whose end says something of the endpoint; null: none did."""
    uptime_5m: float | None = None
    """Percent, as the next two."""
    uptime_30m: float | None = None
    uptime_1d: float | None = None
    ends: Mapping[str, int] = {}
    """Attempts since the start, by whose fault their end was; "none": they succeeded."""
    prompt_usd_per_million: float | None = None
    """Really paid within the last 30 minutes, caches included; null: no traffic."""
    completion_usd_per_million: float | None = None


class Requests(msgspec.Struct, frozen=True):
    """Requests of this process, since its start."""

    total: int = 0
    by_status: Mapping[str, int] = {}
    """By class: "2xx"."""
    streams_open: int = 0
    connections_open: int = 0


class RetriesLeft(msgspec.Struct, frozen=True):
    """The budget of attempts beyond the first."""

    left: int = 0
    """Attempts that are affordable now."""
    share: float = 0.0
    """Of the requests of the last 10 s, as set."""
    per_s: float = 0.0
    """Besides, as set."""


class Hedging(msgspec.Struct, frozen=True):
    """Second attempts that silence started, since the start."""

    fired: int = 0
    won: int = 0
    cost_usd: float = 0.0
    """Owed for attempts that lost."""
    saved_s: float = 0.0
    """A lower bound of the waiting that they spared clients."""
    skipped: Mapping[str, int] = {}
    """By reason."""


class Warned(msgspec.Struct, frozen=True):
    """Something that the operator was told."""

    ago_s: float
    kind: str
    """ "breaker" or "credential"."""
    text: str


class Credential(msgspec.Struct, frozen=True):
    """One key of a provider; of the key itself nothing is shown."""

    label: str
    """ "provider#1"."""
    in_progress: int | None = None
    """Requests; null: not counted, as the next two, where it has no limit."""
    requests_60s: int | None = None
    tokens_60s: int | None = None
    rest: Resting | None = None


class ArmLine(msgspec.Struct, frozen=True):
    """One arm of an experiment, since the start; intervals hold the truth 95 times out of 100."""

    experiment: str
    arm: str
    requests: int = 0
    """All that were drawn."""
    errors: int = 0
    error_share: Interval | None = None
    """Of `requests`, 0..1."""
    answers: int = 0
    """Requests that somebody began to answer: the basis of costs."""
    departures: int = 0
    """Clients that left before the end."""
    ttft: Quantiles | None = None
    """Seconds."""
    total: Quantiles | None = None
    """Seconds."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    """Of all answers."""
    usd_per_answer: Interval | None = None
    scores: int = 0
    """Answers that were judged."""
    score_mean: float | None = None
    """0..1."""
    score: Interval | None = None
    """Of that mean."""
    categories: Mapping[str, int] = {}
    """Complaints."""


class Overview(msgspec.Struct, frozen=True):
    """The `data` of GET /live."""

    uptime_s: float = 0.0
    requests: Requests = Requests()
    endpoints: tuple[Line, ...] = ()
    experiments: tuple[ArmLine, ...] = ()
    alerts: tuple[Warned, ...] = ()
    """The newest first."""
    retry_budget: RetriesLeft = RetriesLeft()
    credentials: tuple[Credential, ...] = ()
    hedging: Hedging = Hedging()


class Answer(msgspec.Struct, frozen=True):
    """The whole body."""

    data: Overview


def line(endpoint: Endpoint, report: Report | None, snapshot: Snapshot, now: Seconds) -> Line:
    """One endpoint, but for its share of the traffic."""
    state, rest = standing_of(endpoint, snapshot, now)
    bare = Line(
        id=endpoint.id,
        model=endpoint.model,
        provider=endpoint.provider.name,
        tag=endpoint.tag,
        state=state,
        rest=rest,
    )
    if report is None:
        return bare
    recent = report.recent
    return msgspec.structs.replace(
        bare,
        requests_5m=sum(report.recent_ends.values()),
        ttft=recent.ttft,
        throughput=recent.throughput,
        total=recent.total,
        success_5m=success(report.recent_ends),
        uptime_5m=report.uptime_5m,
        uptime_30m=report.uptime_30m,
        uptime_1d=report.uptime_1d,
        ends=report.ends,
        prompt_usd_per_million=_usd(recent.prompt_price),
        completion_usd_per_million=_usd(recent.completion_price),
    )


def standing_of(
    endpoint: Endpoint, snapshot: Snapshot, now: Seconds
) -> tuple[State, Resting | None]:
    """How it stands, and for how long it, or its provider, rests; then a breaker lets a probe through."""
    own, its_provider = (snapshot.resting.get(name) for name in (endpoint.id, endpoint.provider.id))
    rests = [rest for rest in (own, its_provider) if rest is not None]
    rest = max(rests, key=lambda one: one.until, default=None)
    if rest is not None and rest.until > now:
        return "resting", Resting(rest.reason, rest.until - now)
    if own is not None and own.reason == "breaker":
        return "probing", None
    if snapshot.troubled.get(endpoint.id, now) > now:
        return "troubled", None
    return "healthy", None


def credential(report: KeyReport, now: Seconds) -> Credential:
    """One key."""
    rest = None
    if report.reason is not None and report.until is not None and report.until > now:
        rest = Resting(report.reason, report.until - now)
    return Credential(
        report.label, report.in_progress, report.requests_60s, report.tokens_60s, rest
    )


def arm(result: ArmResult) -> ArmLine:
    """One arm."""
    cost = result.cost
    return ArmLine(
        experiment=result.experiment,
        arm=result.arm,
        requests=result.requests,
        errors=result.errors,
        error_share=result.error_share,
        answers=result.answers,
        departures=result.departures,
        ttft=result.ttft,
        total=result.total,
        prompt_tokens=result.prompt_tokens,
        completion_tokens=result.completion_tokens,
        cost_usd=result.cost_nanodollars / NANO,
        usd_per_answer=None if cost is None else Interval(cost.low / NANO, cost.high / NANO),
        scores=result.scores,
        score_mean=result.score_sum / result.scores if result.scores else None,
        score=result.score,
        categories=result.categories,
    )


def success(ends: Mapping[str, int]) -> float | None:
    """Share of successes (0..1) among the ends that say something; None: there is none."""
    telling = sum(ends.get(fault, 0) for fault in TELLING)
    return ends.get("none", 0) / telling if telling else None


def shared(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines with each endpoint's share of its model's traffic; busiest first within a model."""
    every = sorted(lines, key=lambda one: (one.model, -one.requests_5m, one.id))
    totals: dict[str, int] = {}
    for one in every:
        totals[one.model] = totals.get(one.model, 0) + one.requests_5m
    return tuple(
        msgspec.structs.replace(one, share_5m=one.requests_5m / totals[one.model])
        if totals[one.model]
        else one
        for one in every
    )


def _usd(nano_per_million: float | None) -> float | None:
    return None if nano_per_million is None else nano_per_million / NANO
