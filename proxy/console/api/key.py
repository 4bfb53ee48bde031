"""GET /key (also /auth/key): what the calling key may do and has spent.

Every field that official clients require is present (reference section 12, item 4). Spending is zero
until there are accounts: a key of a plain list has neither a limit nor a history.
"""

import hashlib
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.replies import json_reply
from proxy.errors import AuthenticationError
from proxy.gateway import Gateway
from proxy.model.document import Document

NO_CREDENTIALS = "No auth credentials found"
UNKNOWN_KEY = "User not found."
LABEL_BYTES_MIN = 32
"""Shortest key of which a few characters are shown; of a shorter one they would be too many."""
UNLIMITED = -1


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix."""
    show = partial(show_key, gateway)
    return [Route("/key", show), Route("/auth/key", show)]


async def show_key(gateway: Gateway, request: Request) -> Response:
    """The calling key; in open mode a neutral answer that says so."""
    if gateway.keys:
        label = label_of(require_key(gateway.keys, request.headers.get("authorization")))
    else:
        label = "open"
    return json_reply({"data": present_key(label)}, headers={"cache-control": "no-store"})


def require_key(keys: frozenset[str], authorization: str | None) -> str:
    """The bearer's key, if it is one of ours.

    Looking up a digest in a set needs no constant time: who times it learns about digests of guesses,
    from which no key can be built.

    Raises: AuthenticationError.
    """
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise AuthenticationError(NO_CREDENTIALS)
    if hashlib.sha256(key.encode()).hexdigest() not in keys:
        raise AuthenticationError(UNKNOWN_KEY)
    return key


def label_of(key: str) -> str:
    """A key as shown: "sk-hr-v1-au7...890"; nothing of a short one."""
    return f"{key[:12]}...{key[-3:]}" if len(key) >= LABEL_BYTES_MIN else "..."


def present_key(label: str) -> Document:
    """The `data` object: no limit, nothing spent."""
    return {
        "label": label,
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        "include_byok_in_limit": False,
        "usage": 0,
        "usage_daily": 0,
        "usage_weekly": 0,
        "usage_monthly": 0,
        "byok_usage": 0,
        "byok_usage_daily": 0,
        "byok_usage_weekly": 0,
        "byok_usage_monthly": 0,
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "expires_at": None,
        "creator_user_id": None,
        "organization_id": None,
        "workspace_id": None,
        "allowed_data_regions": ["global"],
        "budgets": [],
        "effective_budget": None,
        "free_model_daily_requests": {"used": 0, "limit": UNLIMITED, "remaining": UNLIMITED},
        "rate_limit": {
            "requests": UNLIMITED,
            "interval": "10s",
            "note": "This field is deprecated and safe to ignore.",
        },
    }
