"""GET /model/{author}/{slug} and /models/{author}/{slug}/endpoints: one model in detail. Public.

A slug may carry a variant (":nitro"): where the catalogue does not know the variant, the model itself
is shown, since a variant changes routing and not what a model is.

Status and uptime are public; latency and throughput are for those who may use the gateway.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.catalog.catalog import Catalog
from proxy.console.api.key import require_key
from proxy.console.api.presentation import (
    HEALTHY,
    RESTING,
    TROUBLED,
    Present,
    present_endpoints,
    present_model,
)
from proxy.console.api.replies import json_reply
from proxy.errors import AuthenticationError, NoEndpointError, NotFoundError, UnknownModelError
from proxy.gateway import Gateway
from proxy.model.endpoint import Endpoint, Model
from proxy.model.standing import Snapshot
from proxy.units import Seconds


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix."""
    return [
        Route("/model/{author}/{slug}", partial(show_model, gateway)),
        Route("/models/{author}/{slug}/endpoints", partial(list_endpoints, gateway)),
    ]


async def show_model(gateway: Gateway, request: Request) -> Response:
    """One model as in the list."""
    model = find_model(gateway.catalog, _name(request))
    if not model.endpoints:
        raise NoEndpointError(f"No endpoints found for {model.id}.")
    return json_reply({"data": present_model(model)})


async def list_endpoints(gateway: Gateway, request: Request) -> Response:
    """All that can serve one model, and how it does."""
    model = find_model(gateway.catalog, _name(request))
    now, board, snapshot = gateway.clock(), gateway.live.board, gateway.live.snapshot
    figures = may_see_figures(gateway.keys, request.headers.get("authorization"))
    present = {
        endpoint.id: Present(
            status_of(endpoint, snapshot, now), board.report(endpoint.id, now), figures
        )
        for endpoint in model.endpoints
    }
    return json_reply({"data": present_endpoints(model, present)})


def may_see_figures(keys: frozenset[str], authorization: str | None) -> bool:
    """Whether the caller has a key, or none is needed."""
    if not keys:
        return True
    try:
        require_key(keys, authorization)
    except AuthenticationError:
        return False
    return True


def status_of(endpoint: Endpoint, snapshot: Snapshot, now: Seconds) -> int:
    """RESTING: it or its whole provider is left alone; TROUBLED: it had trouble lately; HEALTHY."""
    rests = (snapshot.resting.get(name) for name in (endpoint.id, endpoint.provider.id))
    if any(rest is not None and now < rest.until for rest in rests):
        return RESTING
    return TROUBLED if now < snapshot.troubled.get(endpoint.id, now) else HEALTHY


def find_model(catalog: Catalog, name: str) -> Model:
    """The model called `name`, with or without its variant.

    Raises: NotFoundError: a page about an unknown model is missing, the request is not malformed.
    """
    try:
        return catalog.resolve(name)
    except UnknownModelError as error:
        plain, _, variant = name.partition(":")
        if variant:
            return find_model(catalog, plain)
        raise NotFoundError(error.message) from None


def _name(request: Request) -> str:
    author: str = request.path_params["author"]
    slug: str = request.path_params["slug"]
    return f"{author}/{slug}"
