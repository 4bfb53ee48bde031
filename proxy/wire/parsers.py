"""Which implementation reads HTTP/1.1: llhttp ("fast") or h11 ("strict").

Both stand between the same rules (`wire.rules`), accept the same and return equal values; what their
insides would read differently is listed in tests/wire/test_differential.py. Where llhttp is not
installed, "fast" is silently the strict one: slower, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from proxy.model.head import RequestHead
from proxy.wire import llhttp, strict
from proxy.wire.body import BodyReader
from proxy.wire.rules import ResponseHead


@dataclass(frozen=True, slots=True)
class Parser:
    """One way to read HTTP/1.1."""

    name: Literal["fast", "strict"]
    request_head: Callable[[bytes, int], RequestHead]
    """(head with its empty line, most header fields) → what it says; raises InvalidRequestError."""
    response_head: Callable[[bytes], ResponseHead]
    """The same for a provider's reply; raises UpstreamUnavailableError."""
    body: type[BodyReader]
    """Made with `chunked` and `length`, once per body."""


STRICT = Parser(
    "strict", strict.parse_request_head, strict.parse_response_head, strict.StrictBodyReader
)
FAST = (
    Parser("fast", llhttp.parse_request_head, llhttp.parse_response_head, BodyReader)
    if llhttp.AVAILABLE
    else STRICT
)


def parser_named(name: Literal["fast", "strict"]) -> Parser:
    """The parser that the settings name; the strict one where the fast one cannot be had."""
    return FAST if name == "fast" else STRICT
