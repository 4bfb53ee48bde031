"""POST /explain: a chat request in, its plan out, endpoint by endpoint; no provider is asked.

Rule 1: where there are keys, only who has one is told. Rule 2: what would be refused is told as `error`,
with the same reasons, and is no failure of this route.
"""

from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.key import require_key
from proxy.console.api.replies import JSON
from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError
from proxy.gateway import Gateway
from proxy.model.envelope import error_object
from proxy.policy.inquiry import explanation, refused
from proxy.stages.plan import at_present, inquiry_of
from proxy.stages.receive import parse

DIALECT = "openai-chat"
"""The request is a chat request."""
NO_STORE = {"cache-control": "no-store"}


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix."""
    return [Route("/explain", partial(show_explanation, gateway), methods=["POST"])]


async def show_explanation(gateway: Gateway, request: Request) -> Response:
    """The explanation. Raises: AuthenticationError, InvalidRequestError, UnknownModelError."""
    if gateway.keys:
        require_key(gateway.keys, request.headers.get("authorization"))
    body = await request.body()
    call = DIALECTS[DIALECT].decode_request(parse(body), "chat")
    call.prompt_bytes = len(body)
    attempts_max = gateway.settings.limits.attempts_max
    error: HedgerowError | None = None
    inquiry = inquiry_of(call, gateway)
    present = at_present(inquiry, gateway)
    found = explanation(inquiry, present, attempts_max=attempts_max)
    if not any(candidate.selected for candidate in found.candidates):
        error = refused(inquiry, present)
    told = {
        **msgspec.to_builtins(found),
        "error": None if error is None else error_object(error),
    }
    return Response(msgspec.json.encode({"data": told}), media_type=JSON, headers=NO_STORE)
