"""GET /providers: the companies that can be asked, by name. Public."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.presentation import present_provider
from proxy.console.api.replies import json_reply
from proxy.gateway import Gateway


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix."""
    return [Route("/providers", partial(list_providers, gateway))]


async def list_providers(gateway: Gateway, _request: Request) -> Response:
    """Every provider of the catalogue."""
    providers = sorted(gateway.catalog.providers.values(), key=lambda p: (p.name.lower(), p.id))
    return json_reply({"data": [present_provider(provider) for provider in providers]})
