"""The head of a request as an ASGI server tells it, held to the rules of `wire.rules`.

Pure. Rule 1: what two readers of HTTP could take for two different requests is refused, whoever
stands in front: the head is written down as HTTP/1.1 and read like any other. Rule 2: HTTP/2 and
HTTP/3 are held to their own rules besides (RFC 9113 8.2, 8.3).
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

from proxy.config.settings import LimitSettings
from proxy.doors.bridge import Message
from proxy.errors import InvalidRequestError
from proxy.model.head import RequestHead
from proxy.wire.http1 import parse_request_head

NAME_SHAPE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE_SHAPE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
TARGET_SHAPE = re.compile(rb"[\x21-\x7e]+")
CONNECTION_SPECIFIC = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
"""What a message of HTTP/2 or 3 may not have (RFC 9113 8.2.2)."""
FIELD_BYTES = 4
"""Colon, blank and CRLF: what a field takes in a head besides name and value."""
TOO_LARGE = 431
Fields = Iterable[tuple[bytes, bytes]]


def read_head(scope: Message, limits: LimitSettings) -> RequestHead:
    """Check and collect the head. Raises: InvalidRequestError, of status 431 for size."""
    version = str(scope["http_version"])
    fields = _checked(scope["headers"], limits)
    if version in {"2", "3"}:
        _refuse_connection_specific(fields)
    target = _target(scope)
    if not TARGET_SHAPE.fullmatch(target):
        raise InvalidRequestError("Malformed request target.")
    start = b"%b %b HTTP/%b" % (
        str(scope["method"]).encode("latin-1", "replace"), target,
        b"1.0" if version == "1.0" else b"1.1",
    )  # fmt: skip
    lines = [start, *(b"%b: %b" % field for field in fields), b"\r\n"]
    return parse_request_head(b"\r\n".join(lines), limits.headers_max)


def _checked(fields: Fields, limits: LimitSettings) -> list[tuple[bytes, bytes]]:
    """Fields that can be written down without becoming others; crumbs of a cookie joined."""
    checked: list[tuple[bytes, bytes]] = []
    crumbs: list[bytes] = []
    size = 0
    for count, (raw_name, raw_value) in enumerate(fields, 1):
        name, value = bytes(raw_name), bytes(raw_value)
        size += len(name) + len(value) + FIELD_BYTES
        if count > limits.headers_max or size > limits.head_bytes_max:
            error = InvalidRequestError(
                f"The request's head exceeds {limits.headers_max} fields or "
                f"{limits.head_bytes_max} bytes."
            )
            error.status = TOO_LARGE
            raise error
        if not NAME_SHAPE.fullmatch(name) or not VALUE_SHAPE.fullmatch(value):
            raise InvalidRequestError("Malformed header field.")
        if name == b"cookie":
            crumbs.append(value)
        else:
            checked.append((name, value))
    if crumbs:  # RFC 9113 8.2.3
        checked.append((b"cookie", b"; ".join(crumbs)))
    return checked


def _refuse_connection_specific(fields: list[tuple[bytes, bytes]]) -> None:
    for name, value in fields:
        if name in CONNECTION_SPECIFIC or (name == b"te" and value.strip().lower() != b"trailers"):
            raise InvalidRequestError("A header field that belongs to one connection of HTTP/1.1.")


def _target(scope: Message) -> bytes:
    """Path and query as sent, percent-encoding kept."""
    raw = scope.get("raw_path")
    path = quote(scope["path"]).encode() if raw is None else bytes(raw).partition(b"?")[0]
    query = bytes(scope.get("query_string", b""))
    return b"%b?%b" % (path, query) if query else path
