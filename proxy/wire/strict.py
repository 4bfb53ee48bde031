"""The strict parser: h11, written in Python from the grammar of the RFCs, between the same rules.

It shares no line with llhttp, so what both accept was read by two different hands. A head costs about
eight times as much, and a chunk is never spliced. Nothing here is compiled.
"""

import re
from collections.abc import Iterable

import h11
from typing_extensions import override

from proxy.model.head import RequestHead
from proxy.wire.body import TRAILER_BYTES_MAX, BodyReader, FramingError
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

MERGED = re.compile(
    rb"\r\ncontent-length:(?:(?![\t ]*\d+\r\n)|.*\r\ncontent-length:)", re.IGNORECASE | re.DOTALL
)
"""A Content-Length that is no number or stands twice: h11 makes one "5" of "5, 5" and of two lines."""
BODY_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
QUESTION = h11.Request(method="GET", target="/", headers=[("Host", "x")])
"""What h11 must have sent before it reads a reply; any method with a body in its answer will do."""


def parse_request_head(head: bytes, headers_max: int) -> RequestHead:
    """Read one request head, including its final empty line.

    Raises: InvalidRequestError; the connection must then be closed.
    """
    trimmed = trim(head)
    shape = HEAD_TRIMMED.fullmatch(trimmed)
    if shape is None or MERGED.search(trimmed):
        raise why_not_request(head, headers_max)
    event = _read(h11.Connection(h11.SERVER, len(trimmed)), trimmed)
    if not isinstance(event, h11.Request):
        raise why_not_request(head, headers_max)
    fields = _fields(event.headers)
    fields.on_url(event.target)
    http_10 = event.http_version == b"1.0"
    return checked_request(
        fields, event.method.decode("ascii"), http_10=http_10, headers_max=headers_max
    )


def parse_response_head(head: bytes) -> ResponseHead:
    """Read one response head, including its final empty line. Raises: UpstreamUnavailableError."""
    trimmed = trim(head)
    shape = RESPONSE_TRIMMED.fullmatch(trimmed)
    if shape is None or MERGED.search(trimmed):
        raise why_not_response(head)
    connection = h11.Connection(h11.CLIENT, len(trimmed))
    connection.send(QUESTION)
    connection.send(h11.EndOfMessage())
    event = _read(connection, trimmed)
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        raise why_not_response(head)
    http_10 = event.http_version == b"1.0"
    return checked_response(_fields(event.headers), event.status_code, http_10=http_10)


def _read(connection: h11.Connection, head: bytes) -> object:
    """The event that a head is, or nothing."""
    try:
        connection.receive_data(head)
        return connection.next_event()
    except h11.RemoteProtocolError:
        return None


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    fields = Fields()
    for name, value in headers:
        fields.on_header(name, value)
    return fields


class StrictBodyReader(BodyReader):
    """The same limits and places, while h11 reads along: chunks that it reads differently end the body.

    What has a known length, or none, has nothing to be read in two ways.
    """

    __slots__ = ("_along",)

    def __init__(self, *, chunked: bool, length: int | None) -> None:
        super().__init__(chunked=chunked, length=length)
        # Our limits are narrower, so h11's own never binds: a trailer line has at least 2 bytes.
        self._along = h11.Connection(h11.SERVER, 4 * TRAILER_BYTES_MAX)
        if chunked:
            self._along.receive_data(BODY_HEAD)
            self._along.next_event()

    @property
    @override
    def between_chunks(self) -> bool:
        """Never: whoever splices chunks in place would read them without us."""
        return False

    @override
    def _step_chunked(self, data: bytes, position: int) -> tuple[int, int, int]:
        start, end, following = super()._step_chunked(data, position)
        used = following - len(self._carry)  # what is kept back comes again with the next bytes
        if position < used:
            payload, complete = self._read_along(data[position:used])
            if payload != data[start:end] or complete != self.done:
                raise FramingError("a chunk can be read in two ways")
        return start, end, following

    def _read_along(self, received: bytes) -> tuple[bytes, bool]:
        """What h11 makes of the same bytes: payload, and whether the body is over."""
        pieces = []
        try:
            self._along.receive_data(received)
            while isinstance(event := self._along.next_event(), h11.Data):
                pieces.append(event.data)
        except h11.RemoteProtocolError:
            raise FramingError("malformed chunk") from None
        return b"".join(pieces), isinstance(event, h11.EndOfMessage)
