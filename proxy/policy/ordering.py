"""Orders that a request asks for: by name, price, speed, tier; and wishes that demote.

Rule 1: nothing here removes an endpoint. Rule 2: ties go to the cheaper one, then to the id.
"""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from proxy.model.endpoint import Endpoint
from proxy.model.preferences import Cutoffs, SortKey
from proxy.model.standing import Quantiles, Snapshot, Standing
from proxy.policy.roster import blended
from proxy.units import Seconds

UNKNOWN = Standing()
PERCENTILES = ("p50", "p75", "p90", "p99")


def sort_endpoints(
    endpoints: Iterable[Endpoint], by: SortKey, snapshot: Snapshot, now: Seconds
) -> list[Endpoint]:
    """Sort by live figures, those with trouble behind those without.

    "price": what was really paid lately, where known, else the list price; ties by time to first token.
    "throughput", "latency": the median; who has no figures counts as a typical peer. "exacto" needs the
    quality of tool calls, which nobody measures here: the order is that of prices.
    """
    all_ = sorted(endpoints, key=blended_and_id)
    if by in {"throughput", "latency"}:
        speed = speeds(all_, snapshot, by)
        all_.sort(key=lambda e: speed[e.id])
    elif snapshot.standings:
        all_.sort(key=lambda e: (paid(e, snapshot), first_token(e, snapshot)))
    else:
        all_.sort(key=lambda e: (blended(e), e.expected_ttft_s or 0.0))
    if until := snapshot.troubled:
        all_.sort(key=lambda e: until.get(e.id, now) > now)
    return all_


def blended_and_id(endpoint: Endpoint) -> tuple[int, str]:
    """What breaks ties."""
    return blended(endpoint), endpoint.id


def speeds(endpoints: Sequence[Endpoint], snapshot: Snapshot, by: SortKey) -> dict[str, float]:
    """A number by endpoint id, smaller is better; the unknown get the median of the known."""
    figure = _slowness if by == "throughput" else _latency
    known = {e.id: value for e in endpoints if (value := figure(e, snapshot)) is not None}
    typical = median(known.values()) if known else 0.0
    return {e.id: known.get(e.id, typical) for e in endpoints}


def _slowness(endpoint: Endpoint, snapshot: Snapshot) -> float | None:
    figures = standing_of(endpoint, snapshot, "throughput").throughput
    value = figures.p50 if figures is not None else endpoint.expected_throughput
    return None if value is None else -value


def _latency(endpoint: Endpoint, snapshot: Snapshot) -> float | None:
    figures = standing_of(endpoint, snapshot, "ttft").ttft
    return figures.p50 if figures is not None else endpoint.expected_ttft_s


def first_token(endpoint: Endpoint, snapshot: Snapshot) -> float:
    """Median time to the first token, seconds; 0 where nothing is known."""
    return _latency(endpoint, snapshot) or 0.0


def paid(endpoint: Endpoint, snapshot: Snapshot) -> float:
    """Three prompt tokens and one of output, at what was paid lately; nano-dollars per million."""
    standing = snapshot.standings.get(endpoint.id)
    if standing is None:
        return blended(endpoint)
    prompt, completion = standing.prompt_price, standing.completion_price
    return 3 * (endpoint.prices.prompt if prompt is None else prompt) + (
        endpoint.prices.completion if completion is None else completion
    )


def standing_of(endpoint: Endpoint, snapshot: Snapshot, figure: str) -> Standing:
    """The endpoint's own figures, or those of its provider where it has none of this kind."""
    own = snapshot.standings.get(endpoint.id, UNKNOWN)
    if getattr(own, figure) is not None:
        return own
    throughput = figure == "throughput"
    if (endpoint.expected_throughput if throughput else endpoint.expected_ttft_s) is not None:
        return own  # what the catalogue knows of this very endpoint says more than its siblings do
    return snapshot.standings.get(endpoint.provider.id, own)


def named_first(
    endpoints: Sequence[Endpoint], order: Sequence[str]
) -> tuple[list[Endpoint], list[Endpoint]]:
    """(those named in `order`, as named; the others as they come)."""
    ranks: list[tuple[int, int, Endpoint]] = []
    others: list[Endpoint] = []
    wanted = frozenset(order)
    for place, endpoint in enumerate(endpoints):
        called = endpoint.names & wanted
        if called:
            ranks.append((min([order.index(name) for name in called]), place, endpoint))
        else:
            others.append(endpoint)
    return [endpoint for *_, endpoint in sorted(ranks)], others


def demote(
    endpoints: list[Endpoint],
    snapshot: Snapshot,
    throughput: Cutoffs | None,
    latency: Cutoffs | None,
) -> list[Endpoint]:
    """Endpoints that are known to miss a cut-off go to the end; of whom nothing is known stays."""

    def misses(endpoint: Endpoint) -> bool:
        if throughput is not None:
            figures = standing_of(endpoint, snapshot, "throughput").throughput
            expected = endpoint.expected_throughput
            if _missed(throughput, figures, expected, lambda value, wanted: value < wanted):
                return True
        if latency is not None:
            figures = standing_of(endpoint, snapshot, "ttft").ttft
            expected = endpoint.expected_ttft_s
            return _missed(latency, figures, expected, lambda value, wanted: value > wanted)
        return False

    return sorted(endpoints, key=misses)


def _missed(
    cutoffs: Cutoffs, figures: Quantiles | None, expected: float | None,
    worse: Callable[[float, float], bool],
) -> bool:  # fmt: skip
    if figures is None:
        wanted = cutoffs.p50
        return wanted is not None and expected is not None and worse(expected, wanted)
    return any(
        wanted is not None and worse(getattr(figures, name), wanted)
        for name in PERCENTILES
        if (wanted := getattr(cutoffs, name)) is not None
    )
