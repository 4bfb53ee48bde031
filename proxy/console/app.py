"""The one Starlette app: everything over HTTP that is not inference.

Rule 1: the API stands under "/api/v1" and "/v1" alike. Rule 2: every error is the envelope of the API.
Rule 3: handlers are coroutines that never block and hold no state of their own.
"""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from proxy import __version__
from proxy.console.api import endpoints, explain, feedback, health, key, live, models, providers
from proxy.console.api.presentation import API_PREFIX
from proxy.console.api.replies import error_reply, json_reply
from proxy.console.frontdoor import FrontDoor
from proxy.errors import (
    DownstreamError,
    GatewayError,
    HedgerowError,
    MethodNotAllowedError,
    NotFoundError,
)
from proxy.gateway import Gateway

PREFIXES = (API_PREFIX, "/v1")
INFERENCE = ("/chat/completions", "/completions", "/messages", "/messages/count_tokens")
"""Served by the doors themselves; here only so that a wrong method is answered 405, not 404."""

NOT_FOUND, NOT_ALLOWED, INTERNAL = 404, 405, 500


def build_app(gateway: Gateway) -> Starlette:
    """The app over these services. Building it arranges the catalogue once."""
    api = [
        *models.routes(gateway),
        *endpoints.routes(gateway),
        *providers.routes(gateway),
        *key.routes(gateway),
        *live.routes(gateway),
        *explain.routes(gateway),
        *feedback.routes(gateway),
        *(Route(path, _belongs_to_a_door, methods=["POST"]) for path in INFERENCE),
    ]
    app = Starlette(
        routes=[Route("/", welcome), *health.routes(gateway), *_mounted(api)],
        middleware=[Middleware(FrontDoor, cross_origin=bool(gateway.keys))],
        exception_handlers={HedgerowError: _tell, HTTPException: _tell_http},
    )
    app.router.redirect_slashes = False
    return app


async def welcome(_request: Request) -> Response:
    """What this is, and where to go on."""
    document = {
        "name": "Hedgerow",
        "version": __version__,
        "description": "An OpenRouter-compatible gateway for large language models.",
        "paths": {
            "chat": f"{API_PREFIX}/chat/completions",
            "models": f"{API_PREFIX}/models",
            "key": f"{API_PREFIX}/key",
            "live": "/healthz/live",
            "ready": "/healthz/ready",
            "metrics": "/metrics",
        },
    }
    return json_reply(document)


def _mounted(api: Sequence[BaseRoute]) -> list[BaseRoute]:
    mounts: list[BaseRoute] = []
    for prefix in PREFIXES:
        mount = Mount(prefix, routes=api)
        mounts.append(mount)
    return mounts


async def _belongs_to_a_door(request: Request) -> Response:
    raise NotFoundError(f"{request.url.path} is not served here")


async def _tell(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HedgerowError)
    return error_reply(error)


async def _tell_http(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (unknown path, wrong method, malformed request) as the envelope."""
    assert isinstance(error, HTTPException)
    headers = tuple((error.headers or {}).items())
    method, path = request.method, request.url.path
    told: HedgerowError
    if error.status_code == NOT_FOUND:
        told = NotFoundError(f"Not found: {path}", headers=headers)
    elif error.status_code == NOT_ALLOWED:
        told = MethodNotAllowedError(f"{method} is not allowed for {path}", headers=headers)
    elif error.status_code < INTERNAL:
        told = DownstreamError(error.detail, headers=headers)
        told.status = error.status_code
    else:
        told = GatewayError(error.detail)
        told.status = error.status_code
    return error_reply(told)
