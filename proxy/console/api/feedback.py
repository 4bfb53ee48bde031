"""POST /generation/feedback: what a client thinks of an answer it got; counted for the answer's arm.

Rule 1: only answers of experiments are known here, and only the key that asked may judge them; others
are 404. Rule 2: what a comment says is not kept.
Source: the public OpenRouter API, POST /generation/feedback, as of 2026-08; `score` is our addition.
"""

import hashlib
from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.key import require_key
from proxy.console.api.replies import json_reply
from proxy.errors import InvalidRequestError, NotFoundError
from proxy.gateway import Gateway
from proxy.stages.authorize import OPEN
from proxy.stages.receive import parse

Category = Literal[
    "latency", "incoherence", "incorrect_response", "formatting", "billing", "api_error", "other"
]


class Feedback(msgspec.Struct, frozen=True):
    """The body; other fields are ignored."""

    generation_id: Annotated[str, Meta(min_length=1, max_length=128)]
    category: Category | None = None
    comment: Annotated[str, Meta(max_length=4096)] | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix."""
    return [Route("/generation/feedback", partial(take_feedback, gateway), methods=["POST"])]


async def take_feedback(gateway: Gateway, request: Request) -> Response:
    """Count it. Raises: AuthenticationError, InvalidRequestError, NotFoundError."""
    account = account_of(gateway, request)
    feedback = read_feedback(await request.body())
    known = gateway.live.arms.feedback(
        feedback.generation_id,
        account=account,
        category=feedback.category,
        score=feedback.score,
        comment=bool(feedback.comment),
    )
    if not known:
        raise NotFoundError(f"Generation {feedback.generation_id} not found")
    return json_reply({"data": {"success": True}})


def account_of(gateway: Gateway, request: Request) -> str:
    """The ledger's name for who calls. Raises: AuthenticationError."""
    if not gateway.keys:
        return OPEN.account
    key = require_key(gateway.keys, request.headers.get("authorization"))
    return hashlib.sha256(key.encode()).hexdigest()


def read_feedback(body: bytes) -> Feedback:
    """Check the body. Raises: InvalidRequestError with the field's path."""
    try:
        feedback = msgspec.convert(parse(body), Feedback)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None
    if feedback.category is None and feedback.score is None:
        raise _refused("Say a category, a score, or both - at `$.category`")
    return feedback


def _refused(message: str) -> InvalidRequestError:
    path = message.rpartition("`$.")[2] if "`$" in message else message.partition("`")[2]
    return InvalidRequestError(message, metadata={"field": path.rstrip("`")})
