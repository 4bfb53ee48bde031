"""The fast parser: llhttp between the shape of a head and the checks behind it.

Rule 1: no other module imports httptools, and this one only if it is there: it is compiled, and a
machine without a compiler or a wheel gets the strict parser instead (`wire.parsers`).
What llhttp lets pass and we do not is what `wire.rules` refuses before it.
"""

from contextlib import suppress

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


class Heard:
    """What llhttp calls out, into a dict and a list without a Python frame per field: 0.1 us, not 0.35.

    A field whose very name stood there before is not kept; `fields` sees by their number that one is
    missing.
    """

    __slots__ = ("headers", "on_header", "on_url", "urls")

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.urls: list[bytes] = []
        self.on_header = self.headers.setdefault
        self.on_url = self.urls.append

    def fields(self, head: bytes) -> Fields | None:
        """Target and fields of `head`, whose shape is checked: a line each; None: a name is repeated."""
        headers = dict(zip(map(bytes.lower, self.headers), self.headers.values(), strict=True))
        if len(headers) != head.count(b"\r\n") - 2:  # the first line and the empty one
            return None
        return Fields(headers, b"".join(self.urls))


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
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # RFC 9110 7.8: a server may ignore Upgrade, and we always do
    except httptools.HttpParserError:
        raise why_not_request(head, headers_max) from None
    fields = heard.fields(head)
    if fields is None:
        fields = Fields()
        with suppress(httptools.HttpParserUpgrade):
            httptools.HttpRequestParser(fields).feed_data(head)
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
    heard = Heard()
    parser = httptools.HttpResponseParser(heard)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        raise why_not_response(head) from None
    fields = heard.fields(head)
    if fields is None:
        fields = Fields()
        httptools.HttpResponseParser(fields).feed_data(head)
    return checked_response(fields, parser.get_status_code(), http_10=shape[1] == b"0")
