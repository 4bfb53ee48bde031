"""The fast parser: llhttp between the shape of a head and the checks behind it.

Rule 1: no other module imports httptools, and this one only if it is there: it is compiled, and a
machine without a compiler or a wheel gets the strict parser instead (`wire.parsers`).
What llhttp lets pass and we do not is what `wire.rules` refuses before it.
"""

from proxy.model.head import RequestHead
from proxy.wire.diagnosis import why_not_request, why_not_response
from proxy.wire.rules import (
    HEAD_TRIMMED,
    RESPONSE_TRIMMED,
    Fields,
    ResponseHead,
    checked_request,
    checked_response,
    trim,
)

try:
    import httptools
except ImportError:
    httptools = None  # type: ignore[assignment]  # nobody calls us then

AVAILABLE = httptools is not None
"""llhttp can be used here."""


def parse_request_head(head: bytes, headers_max: int) -> RequestHead:
    """Read one request head, including its final empty line.

    Raises: InvalidRequestError; the connection must then be closed.
    """
    shape = HEAD_TRIMMED.fullmatch(head)
    if shape is None:
        head = trim(received := head)
        shape = HEAD_TRIMMED.fullmatch(head)
        if shape is None:
            raise why_not_request(received, headers_max)
    fields = Fields()
    parser = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # RFC 9110 7.8: a server may ignore Upgrade, and we always do
    except httptools.HttpParserError:
        raise why_not_request(head, headers_max) from None
    method = parser.get_method().decode("ascii")
    return checked_request(fields, method, http_10=shape[1] == b"0", headers_max=headers_max)


def parse_response_head(head: bytes) -> ResponseHead:
    """Read one response head, including its final empty line. Raises: UpstreamUnavailableError."""
    shape = RESPONSE_TRIMMED.fullmatch(head)
    if shape is None:
        head = trim(received := head)
        shape = RESPONSE_TRIMMED.fullmatch(head)
        if shape is None:
            raise why_not_response(received)
    fields = Fields()
    parser = httptools.HttpResponseParser(fields)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        raise why_not_response(head) from None
    return checked_response(fields, parser.get_status_code(), http_10=shape[1] == b"0")
