"""GET /live: what this process sees of its providers now; `?model=M` for all endpoints of one model.

Rule 1: where there are keys, only who has one is told. Rule 2: other requests run between two endpoints:
a report takes up to a millisecond, and there may be hundreds.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.endpoints import find_model
from proxy.console.api.key import require_key
from proxy.console.api.overview import (
    Answer,
    Hedging,
    Line,
    Overview,
    Requests,
    RetriesLeft,
    Warned,
    arm,
    credential,
    line,
    shared,
)
from proxy.console.api.replies import JSON
from proxy.gateway import Gateway
from proxy.live.hedges import HedgeStatistics
from proxy.model.endpoint import Endpoint
from proxy.observe.statistics import Statistics
from proxy.units import Seconds, to_usd

NO_STORE = {"cache-control": "no-store"}


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix. The time that they are made at counts as the gateway's start."""
    return [Route("/live", partial(show_live, gateway, gateway.clock()))]


async def show_live(gateway: Gateway, began_at: Seconds, request: Request) -> Response:
    """The overview. Raises: AuthenticationError, NotFoundError."""
    if gateway.keys:
        require_key(gateway.keys, request.headers.get("authorization"))
    lines: list[Line] = []
    for endpoint in _asked_for(gateway, request.query_params.get("model")):
        now = gateway.clock()
        report = gateway.live.board.report(endpoint.id, now)
        lines.append(line(endpoint, report, gateway.live.snapshot, now))
        await trio.lowlevel.checkpoint()
    overview = gather(gateway, lines, began_at)
    return Response(msgspec.json.encode(Answer(overview)), media_type=JSON, headers=NO_STORE)


def gather(gateway: Gateway, lines: Iterable[Line], began_at: Seconds) -> Overview:
    """All but the endpoints, and these."""
    now, live, retries = gateway.clock(), gateway.live, gateway.settings.retries
    return Overview(
        uptime_s=now - began_at,
        requests=requests_of(gateway.statistics),
        endpoints=shared(lines),
        experiments=tuple(arm(result) for result in live.arms.results()),
        alerts=tuple(
            Warned(now - alert.at, alert.kind, alert.text) for alert in reversed(live.health.alerts)
        ),
        retry_budget=RetriesLeft(
            live.retries.left(now), retries.budget_share, retries.budget_per_s
        ),
        hedging=_hedging(live.hedges.statistics()),
        credentials=tuple(
            credential(report, now)
            for _, keyring in sorted(gateway.upstreams.keyrings().items())
            for report in keyring.statistics()
        ),
    )


def _hedging(seen: HedgeStatistics) -> Hedging:
    return Hedging(seen.fired, seen.won, to_usd(seen.cost), seen.saved_s, seen.skipped)


def requests_of(statistics: Statistics) -> Requests:
    """Counts of requests, as metrics have them."""
    by_status: dict[str, int] = {}
    figures: dict[str, int] = {}
    for family in statistics.collect():
        for sample in family.samples:
            if family.name == REQUESTS:
                group = sample.labels["status_class"]
                by_status[group] = by_status.get(group, 0) + int(sample.value)
            elif family.name in GAUGES:
                figures[GAUGES[family.name]] = int(sample.value)
    seen = {group: count for group, count in by_status.items() if count}
    return Requests(total=sum(seen.values()), by_status=seen, **figures)


def _asked_for(gateway: Gateway, model: str | None) -> Iterator[Endpoint]:
    """The endpoints of one model; or all those of which anything is known."""
    if model is not None:
        yield from find_model(gateway.catalog, model).endpoints
        return
    board, snapshot = frozenset(gateway.live.board), gateway.live.snapshot
    for listed in gateway.catalog.models.values():
        for endpoint in listed.endpoints:
            names = {endpoint.id, endpoint.provider.id}
            if endpoint.id in board or not names.isdisjoint(snapshot.resting):
                yield endpoint


REQUESTS = "hedgerow_requests"
GAUGES: Mapping[str, str] = {
    "hedgerow_open_streams": "streams_open",
    "hedgerow_open_connections": "connections_open",
}
"""Families of the metrics and where their values are shown."""
