"""GET /healthz/live, /healthz/ready and /metrics: what orchestrators and Prometheus ask.

Rule 1: live never depends on anything; ready is false while starting and while draining.
"""

from functools import partial

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.replies import json_reply
from proxy.gateway import Gateway

NO_STORE = {"cache-control": "no-store"}
UNAVAILABLE = 503


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes at the root, outside the API prefix."""
    return [
        Route("/healthz/live", live),
        Route("/healthz/ready", partial(ready, gateway)),
        Route("/metrics", partial(metrics, gateway)),
    ]


async def live(_request: Request) -> Response:
    """The process answers."""
    return json_reply({"status": "live"}, headers=NO_STORE)


async def ready(gateway: Gateway, _request: Request) -> Response:
    """New requests are welcome; 503 tells a balancer to look elsewhere."""
    if gateway.ready():
        return json_reply({"status": "ready"}, headers=NO_STORE)
    return json_reply({"status": "not ready"}, status=UNAVAILABLE, headers=NO_STORE)


async def metrics(gateway: Gateway, _request: Request) -> Response:
    """All counters in Prometheus' text format."""
    return Response(
        gateway.statistics.render(),
        headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4, **NO_STORE},
    )
