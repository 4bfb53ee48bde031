"""The body: read within its limit, parsed strictly, decoded to a call."""

import msgspec
import orjson

from proxy.dialects.registry import DIALECTS
from proxy.errors import InvalidRequestError
from proxy.gateway import Gateway
from proxy.model.call import Call, Surface
from proxy.model.document import Document, Json
from proxy.model.downstream import Downstream

SESSION_BYTES_MAX = 256
"""Longest name of a conversation."""


async def receive(downstream: Downstream, gateway: Gateway, dialect: str, surface: Surface) -> Call:
    """Read and decode the request.

    Raises: PayloadTooLargeError, RequestTimeoutError, InvalidRequestError with the position.
    """
    body = await downstream.body(gateway.settings.limits.body_bytes_max)
    received_at = gateway.clock()
    headers = downstream.head.headers
    call = DIALECTS[dialect].decode_request(parse(body), surface, headers)
    if not call.session and b"x-session-id" in headers:
        call.session = headers[b"x-session-id"][:SESSION_BYTES_MAX].decode("latin-1")
    call.explained = headers.get(b"x-openrouter-metadata", b"").lower() == b"enabled"
    call.prompt_bytes = len(body)
    call.received_at = received_at
    return call


def parse(body: bytes) -> Document:
    """Parse a JSON object; of duplicate keys the last wins. Raises: InvalidRequestError."""
    try:
        value: Json = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidRequestError("JSON nests deeper than 254 levels.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"Malformed JSON: {_position(body, str(error))}") from None
    if not isinstance(value, dict):
        raise InvalidRequestError("Malformed request: the body must be a JSON object (byte 0).")
    return value


def _position(body: bytes, reason: str) -> str:
    """What a second parser says, since it knows line and column of bad strings as well."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return str(error)
    return reason
