"""HTTP/1.1 heads and bodies: strict about framing, since two readings of one message are an attack.

Rule 1: a head is found, bounded and checked here before a parser sees it.
Rule 2: a body's end is known from the head alone, or from strictly read chunks; never guessed.
Source: RFC 9112; what llhttp lets pass and we do not is listed at `HEAD_SHAPE`.
"""

import re

import httptools

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.model.head import RequestHead

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD = TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*\r\n"

HEAD_SHAPE = re.compile(
    rb"[A-Z]{1,32} [\x21-\x7e]{1,8192} HTTP/1\.[01]\r\n(?:" + FIELD + rb")*\r\n", re.ASCII
)
"""A request head. Beyond llhttp: no bare LF, no obs-fold, no space before the colon, no control
byte, no byte >= 0x80 in names or target, no lower-case method, no HTTP/2.0 or /9.9."""

RESPONSE_SHAPE = re.compile(
    rb"HTTP/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:" + FIELD + rb")*\r\n"
)
HOST_SHAPE = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
SHADOWING = frozenset(
    {b"content_length", b"transfer_encoding", b"content_type", b"x_api_key", b"x_forwarded_for"}
)
"""Names that turn into a framing or identity field where "_" and "-" are taken for the same."""
SINGLE = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-type"}
)


class _Fields:
    """Collects what llhttp calls back with."""

    __slots__ = ("headers", "repeated", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.repeated: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in self.headers:
            self.repeated.append(name)
            self.headers[name] += b", " + value
        else:
            self.headers[name] = value


def parse_request_head(head: bytes, headers_max: int) -> RequestHead:
    """Read one request head, including its final empty line.

    Raises: InvalidRequestError; the connection must then be closed.
    """
    if not HEAD_SHAPE.fullmatch(head):
        raise InvalidRequestError("Malformed HTTP request head.")
    if head.count(b"\r\n") - 2 > headers_max:
        raise InvalidRequestError(f"More than {headers_max} header fields.")
    fields = _Fields()
    parser = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # RFC 9110 7.8: a server may ignore Upgrade, and we always do
    except httptools.HttpParserError:
        raise InvalidRequestError("Malformed HTTP request head.") from None
    return _checked(parser, fields)


def _checked(parser: httptools.HttpRequestParser, fields: _Fields) -> RequestHead:
    headers = fields.headers
    http_10 = parser.get_http_version() == "1.0"
    for name in fields.repeated:
        if name in SINGLE:
            raise InvalidRequestError(f"Header field {name.decode()} is repeated.")
    if not SHADOWING.isdisjoint(headers):
        raise InvalidRequestError("A header field name with an underscore shadows another field.")
    host = headers.get(b"host")
    if (host is None and not http_10) or (host is not None and not HOST_SHAPE.fullmatch(host)):
        raise InvalidRequestError("Missing or malformed Host header field.")
    chunked = b"transfer-encoding" in headers
    length = 0
    if b"content-length" in headers:
        text = headers[b"content-length"]
        if chunked or not text.isdigit() or len(text) > CONTENT_LENGTH_DIGITS_MAX:
            raise InvalidRequestError(
                "Content-Length is malformed or joined with Transfer-Encoding."
            )
        length = int(text)
    if chunked and (http_10 or headers[b"transfer-encoding"].strip().lower() != b"chunked"):
        raise InvalidRequestError(
            "Transfer-Encoding other than chunked on HTTP/1.1 is not supported."
        )
    path, _, query = fields.target.partition(b"?")
    if path[:1] != b"/" and not (path == b"*" and parser.get_method() == b"OPTIONS"):
        path = _origin_form(path)
    return RequestHead(
        method=parser.get_method().decode("ascii"),
        path=path.decode("ascii"),
        query=query.partition(b"#")[0],
        headers=headers,
        http_10=http_10,
        keep_alive=keeps_alive(headers, http_10=http_10),
        content_length=length,
        chunked=chunked,
        expects_continue=headers.get(b"expect", b"").lower() == b"100-continue",
    )


def keeps_alive(headers: dict[bytes, bytes], *, http_10: bool) -> bool:
    """RFC 9112 9.3. llhttp's own answer is lost once it has seen a message without a body end."""
    options = headers.get(b"connection")
    if options is None:
        return not http_10
    words = {word.strip() for word in options.lower().split(b",")}
    return b"keep-alive" in words if http_10 else b"close" not in words


CONTENT_LENGTH_DIGITS_MAX = 15


def _origin_form(target: bytes) -> bytes:
    """The path of an absolute-form target (RFC 9112 3.2.2), which a server must accept."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise InvalidRequestError("Malformed request target.")
    return b"/" + rest.partition(b"/")[2]


class ResponseHead:
    """Status and header fields of an upstream reply."""

    __slots__ = ("chunked", "content_length", "headers", "keep_alive", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes], *, keep_alive: bool) -> None:
        self.status = status
        self.headers = headers
        self.keep_alive = keep_alive
        coding = headers.get(b"transfer-encoding")
        self.chunked = coding is not None
        self.content_length: int | None = None
        length = headers.get(b"content-length")
        if coding is not None and (coding.strip().lower() != b"chunked" or length is not None):
            raise UpstreamUnavailableError("Provider sent contradictory framing.")
        if length is not None:
            if not length.isdigit() or len(length) > CONTENT_LENGTH_DIGITS_MAX:
                raise UpstreamUnavailableError("Provider sent a malformed Content-Length.")
            self.content_length = int(length)
        elif coding is None:
            self.keep_alive = False  # the body ends with the connection
        if status in {204, 304}:
            self.chunked, self.content_length = False, 0


def parse_response_head(head: bytes) -> ResponseHead:
    """Read one response head, including its final empty line. Raises: UpstreamUnavailableError."""
    if not RESPONSE_SHAPE.fullmatch(head) or head.count(b"\r\n") > RESPONSE_LINES_MAX:
        raise UpstreamUnavailableError("Provider sent a malformed reply.")
    fields = _Fields()
    parser = httptools.HttpResponseParser(fields)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        raise UpstreamUnavailableError("Provider sent a malformed reply.") from None
    if b"content-length" in fields.repeated or b"transfer-encoding" in fields.repeated:
        raise UpstreamUnavailableError("Provider sent contradictory framing.")
    keep_alive = keeps_alive(fields.headers, http_10=parser.get_http_version() == "1.0")
    return ResponseHead(parser.get_status_code(), fields.headers, keep_alive=keep_alive)


RESPONSE_LINES_MAX = 200
"""Lines of a response head; Hedgerow reads a handful of them."""
INTERIM_MAX = 10
"""1xx responses accepted before the final one."""


class ResponseHeadReader:
    """Finds the final response head in received bytes, within a limit."""

    __slots__ = ("_interim", "_max", "_received")

    def __init__(self, head_bytes_max: int) -> None:
        self._max = head_bytes_max
        self._received = b""
        self._interim = 0

    @property
    def started(self) -> bool:
        """A byte was received."""
        return bool(self._received) or self._interim > 0

    def feed(self, data: bytes) -> tuple[ResponseHead, bytes] | None:
        """Take received bytes; the head and what follows it, once complete.

        Raises: UpstreamUnavailableError.
        """
        received = self._received + data if self._received else data
        while True:
            end = received.find(b"\r\n\r\n") + 4
            if end > self._max or (end < 4 and len(received) > self._max):
                raise UpstreamUnavailableError("Provider's reply head exceeds the size limit.")
            if end < 4:
                self._received = received
                return None
            head, received = parse_response_head(received[:end]), received[end:]
            if head.status >= 200:
                return head, received
            self._interim += 1
            if head.status == 101 or self._interim > INTERIM_MAX:
                raise UpstreamUnavailableError("Provider sent no final reply.")
