"""What a head must be, whoever reads it: the shape before the parser, and the checks after it.

Both parsers share this file, so that a choice of parser is no choice of rules. Nothing that two
readers could take differently passes: it costs its sender the connection.

Rule 1: framing is known from the head alone; never guessed.
Rule 2: no message repeats a header's value, a target or a method: any of them may hold a secret.
Source: RFC 9112 and RFC 9110; where they leave a choice, the refusal.
"""

import re
from itertools import product
from typing import NoReturn

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.model.head import RequestHead

METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE")
"""RFC 9110 and PATCH. CONNECT is for proxies that tunnel; others are unknown to every route."""
TARGET_BYTES_MAX = 8192

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD = TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n"
TRIMMED_FIELD = FIELD.replace(rb"\r\n", rb"(?<![ \t])\r\n")
"""One without white space behind its value; `trim` takes that away."""

PATH = rb"/(?!/)(?:[!\"$&->@-\[\]-~]++|%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]|[89A-Fa-f][0-9A-Fa-f]))*+"
r"""A path: no "//" at its start (an authority to many readers), no "\" (a "/" to some), no "#", no
control character behind a "%" (a decoder would bring NUL, CR and LF back), no "%" that encodes
nothing. "..", "%2F" and "//" further on are kept as sent, and never resolved."""
HOST = rb"(?:[0-9A-Za-z._~-]++|\[[0-9A-Fa-f:.]++\])(?::\d{1,5})?"
"""An authority without user information; never empty (RFC 9110 4.2.1); no "%" and no ","."""

REQUEST = (
    rb"(?:%b) (?=[!-~]{1,%d}+ )" % (b"|".join(METHODS), TARGET_BYTES_MAX)
    + rb"(?:(?:%b|[Hh][Tt][Tt][Pp][Ss]?://%b(?:%b)?+)(?:\?[!\"$-~]*+)?+|\*)" % (PATH, HOST, PATH)
    + rb" HTTP/1\.([01])\r\n"
)
RESPONSE = rb"HTTP/1\.([01]) (?!101)[1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*+)?+\r\n"

HEAD_SHAPE = re.compile(rb"%b(?:%b)*+\r\n" % (REQUEST, FIELD))
"""A request head: no bare LF or CR, no obs-fold, no space before the colon, no control byte, no byte
>= 0x80 in names or target, no unknown or lower-case method, no HTTP/1.2, /2.0 or /9.9."""
RESPONSE_SHAPE = re.compile(rb"%b(?:%b)*+\r\n" % (RESPONSE, FIELD))
"""A response head. Nobody asks for an upgrade, so 101 is no answer to anything."""
HEAD_TRIMMED = re.compile(rb"%b(?:%b)*+\r\n" % (REQUEST, TRIMMED_FIELD))
RESPONSE_TRIMMED = re.compile(rb"%b(?:%b)*+\r\n" % (RESPONSE, TRIMMED_FIELD))
"""What nearly every head is: the same without white space behind any value."""
HOST_SHAPE = re.compile(HOST)
PADDING = re.compile(rb"(?<=[^\r\n\t ])[ \t]++\r\n")

IDENTITY = (b"x-api-key", b"authorization", b"content-type", b"proxy-authorization")
FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip")
FRAMING = (b"host", b"content-length", b"transfer-encoding")
SINGLE = frozenset({*FRAMING, *IDENTITY})
"""Request fields that may stand once; a list of them would be read as its first or its last."""
END_TO_END = frozenset({*FRAMING, *IDENTITY, *FORWARDED})
"""Never an option of Connection: whoever drops what it names would drop framing or identity."""
SHADOWING = frozenset(
    b"".join(part for pair in zip(name.split(b"-"), (*joints, b""), strict=True) for part in pair)
    for name in END_TO_END | {b"content-encoding", b"idempotency-key"}
    for joints in product((b"-", b"_"), repeat=name.count(b"-"))
    if b"_" in joints
)
"""Names that turn into a framing or identity field where "_" and "-" are taken for the same."""

CONTENT_LENGTH_DIGITS_MAX = 15
RESPONSE_FIELDS_MAX = 200
"""Header fields of a response head; Hedgerow reads a handful of them."""


class Fields:
    """Target and header fields as a parser calls them out."""

    __slots__ = ("headers", "repeated", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.repeated: list[tuple[bytes, bytes]] = []
        """Further fields of a name that `headers` holds; joined once their number is checked."""

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        name = name.lower()
        if name in self.headers:
            self.repeated.append((name, value))
        else:
            self.headers[name] = value


def trim(head: bytes) -> bytes:
    """The head without white space behind its values, which is no part of them (RFC 9112 5.1)."""
    line, end, fields = head.partition(b"\r\n")
    return line + end + PADDING.sub(b"\r\n", fields)


def checked_request(fields: Fields, method: str, *, http_10: bool, headers_max: int) -> RequestHead:
    """What a request's head says, if it says one thing. Raises: InvalidRequestError."""
    headers, repeated = fields.headers, fields.repeated
    if len(headers) + len(repeated) > headers_max:
        raise InvalidRequestError(f"More than {headers_max} header fields.")
    for name, value in repeated:
        if name in SINGLE:
            raise InvalidRequestError(f"Header field {name.decode()} is repeated.")
        headers[name] += b", " + value
    if not SHADOWING.isdisjoint(headers):
        raise InvalidRequestError("A header field name with an underscore shadows another field.")
    host = headers.get(b"host")
    if host is None:
        if not http_10:
            raise InvalidRequestError("Header field host is missing.")
    elif not HOST_SHAPE.fullmatch(host):
        raise InvalidRequestError("Header field host is no name or address with or without port.")
    length, chunked = _framing(headers, http_10=http_10)
    path, _, query = fields.target.partition(b"?")
    if path[:1] != b"/":
        path = _path_of(path, method, host)
    expects_continue = False
    if b"expect" in headers and not http_10:  # RFC 9110 10.1.1: HTTP/1.0 has no expectations
        if headers[b"expect"].lower() != b"100-continue":
            _expectation_failed()
        expects_continue = True
    options = connection_options(headers)
    if not END_TO_END.isdisjoint(options):
        raise InvalidRequestError("Connection names a field that is not of the connection.")
    return RequestHead(
        method, path.decode("ascii"), query, headers, http_10,
        keeps_alive(options, http_10=http_10), length, chunked, expects_continue,
    )  # fmt: skip


def _framing(headers: dict[bytes, bytes], *, http_10: bool) -> tuple[int, bool]:
    """How long a request's body is, and whether it comes in chunks. Raises: InvalidRequestError."""
    chunked = b"transfer-encoding" in headers
    length = 0
    if b"content-length" in headers:
        text = headers[b"content-length"]
        if chunked:
            raise InvalidRequestError("Content-Length is joined with Transfer-Encoding.")
        if not text.isdigit() or len(text) > CONTENT_LENGTH_DIGITS_MAX:
            raise InvalidRequestError(
                f"Content-Length is no number of at most {CONTENT_LENGTH_DIGITS_MAX} digits."
            )
        length = int(text)
    elif chunked and (http_10 or not _is_chunked(headers)):
        raise InvalidRequestError(
            "Transfer-Encoding other than chunked on HTTP/1.1 is not supported."
        )
    return length, chunked


def _is_chunked(headers: dict[bytes, bytes]) -> bool:
    """Transfer-Encoding is exactly "chunked"; its case is levelled, as one parser does."""
    coding = headers[b"transfer-encoding"] = headers[b"transfer-encoding"].lower()
    return coding == b"chunked"


def _path_of(target: bytes, method: str, host: bytes | None) -> bytes:
    """The path of a target that does not begin with one.

    An absolute-form target must be accepted and overrules Host (RFC 9112 3.2.2), but the client must
    send the same authority in both: where they differ, somebody before us may have read the other.
    """
    if target == b"*" and method == "OPTIONS":
        return target
    authority, _, path = target.partition(b"://")[2].partition(b"/")
    if not authority:
        raise InvalidRequestError('The target "*" is for OPTIONS only.')
    if host is not None and authority.lower() != host.lower():
        raise InvalidRequestError("The target's authority and the Host header field differ.")
    return b"/" + path


def _expectation_failed() -> NoReturn:
    error = InvalidRequestError("Expect other than 100-continue cannot be met.")
    error.status = 417
    raise error


NO_OPTION: frozenset[bytes] = frozenset()
KEEP_ALIVE = frozenset({b"keep-alive"})


def connection_options(headers: dict[bytes, bytes]) -> frozenset[bytes]:
    """The words of the Connection field, in lower case; none without it."""
    value = headers.get(b"connection")
    if value is None:
        return NO_OPTION
    if value == b"keep-alive":
        return KEEP_ALIVE
    return frozenset(word.strip() for word in value.lower().split(b","))


def keeps_alive(options: frozenset[bytes], *, http_10: bool) -> bool:
    """RFC 9112 9.3. llhttp's own answer is lost once it has seen a message without a body end."""
    return b"close" not in options and (not http_10 or b"keep-alive" in options)


class ResponseHead:
    """Status and header fields of an upstream reply."""

    __slots__ = ("chunked", "content_length", "headers", "keep_alive", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes], *, keep_alive: bool) -> None:
        """Raises: UpstreamUnavailableError where the framing is not one of those we know."""
        self.status = status
        self.headers = headers
        self.keep_alive = keep_alive
        self.chunked = b"transfer-encoding" in headers
        self.content_length: int | None = None
        length = headers.get(b"content-length")
        if self.chunked and (length is not None or not _is_chunked(headers)):
            raise UpstreamUnavailableError("Provider sent contradictory framing.")
        if length is not None:
            if not length.isdigit() or len(length) > CONTENT_LENGTH_DIGITS_MAX:
                raise UpstreamUnavailableError("Provider sent a malformed Content-Length.")
            self.content_length = int(length)
        elif not self.chunked:
            self.keep_alive = False  # the body ends with the connection
        if status in {204, 304}:
            self.chunked, self.content_length = False, 0


def checked_response(fields: Fields, status: int, *, http_10: bool) -> ResponseHead:
    """What a response's head says, if it says one thing. Raises: UpstreamUnavailableError.

    Connection may name Transfer-Encoding here: large delivery networks do so, and nothing is dropped.
    """
    headers, repeated = fields.headers, fields.repeated
    if len(headers) + len(repeated) > RESPONSE_FIELDS_MAX:
        raise UpstreamUnavailableError(f"Provider sent more than {RESPONSE_FIELDS_MAX} fields.")
    for name, value in repeated:
        if name in {b"content-length", b"transfer-encoding"}:
            raise UpstreamUnavailableError("Provider sent contradictory framing.")
        headers[name] += b", " + value
    if http_10 and b"transfer-encoding" in headers:  # RFC 9112 6.1: its framing is faulty
        raise UpstreamUnavailableError("Provider sent Transfer-Encoding on HTTP/1.0.")
    keep_alive = keeps_alive(connection_options(headers), http_10=http_10)
    return ResponseHead(status, headers, keep_alive=keep_alive)
