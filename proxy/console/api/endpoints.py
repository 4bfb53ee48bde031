"""GET /model/{author}/{slug} and /models/{author}/{slug}/endpoints: one model in detail. Public.

A slug may carry a variant (":nitro"): where the catalogue does not know the variant, the model itself
is shown, since a variant changes routing and not what a model is.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.catalog.catalog import Catalog
from proxy.console.api.presentation import present_endpoints, present_model
from proxy.console.api.replies import json_reply
from proxy.errors import NoEndpointError, NotFoundError, UnknownModelError
from proxy.gateway import Gateway
from proxy.model.endpoint import Model


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
    """All that can serve one model."""
    model = find_model(gateway.catalog, _name(request))
    return json_reply({"data": present_endpoints(model)})


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
