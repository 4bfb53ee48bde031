"""Cross-origin access: open for the API where keys are required, absent where they are not.

A key is what a foreign page cannot have by accident. In open mode any page in a browser on this machine
could spend the operator's money, so nothing there may be read across origins.
"""

import re
from collections.abc import Mapping

from proxy.stages.answer import EXPOSED

API_PATHS = ("/api/v1/", "/v1/")
"""Health and metrics are not for browsers."""

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
HEADERS_DEFAULT = "Authorization, Content-Type, *"
"""`*` does not cover Authorization (Fetch standard, CORS protocol)."""
HEADERS_BYTES_MAX = 4096
_NAME = rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
HEADER_NAMES = re.compile(_NAME + rb"(?:[ \t]*,[ \t]*" + _NAME + rb")*")
"""A list of tokens (RFC 9110, 5.6.2); nothing else is sent back."""
PREFLIGHT_AGE_S = 86_400
"""How long browsers may remember a preflight: a day; they cap it (2 h to 24 h) themselves."""

Headers = list[tuple[bytes, bytes]]


def is_api(path: str) -> bool:
    """Does `path` lie under an API prefix?"""
    return path.startswith(API_PATHS)


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Is this a browser's question before a cross-origin request?"""
    return (
        method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers
    )


def reply_headers() -> Headers:
    """What every API reply carries where CORS is open."""
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-expose-headers", EXPOSED.encode()),
    ]


def preflight_headers(headers: Mapping[bytes, bytes]) -> Headers:
    """The answer to a preflight. SDKs send headers no list foresees, so the asked names are granted."""
    asked = headers.get(b"access-control-request-headers", b"").strip()
    granted = len(asked) <= HEADERS_BYTES_MAX and HEADER_NAMES.fullmatch(asked)
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", METHODS.encode()),
        (b"access-control-allow-headers", asked if granted else HEADERS_DEFAULT.encode()),
        (b"access-control-max-age", str(PREFLIGHT_AGE_S).encode()),
        (b"vary", b"Access-Control-Request-Headers"),
    ]
