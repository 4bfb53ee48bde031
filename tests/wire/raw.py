"""llhttp and h11 as they are, without our shape and checks: what each makes of the same bytes.

An answer is what was read, or None. Refused and incomplete are the same here: when a parser notices
is no difference in meaning.
"""

import h11
import httptools

BODY_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
Lines = list[tuple[bytes, bytes]]
Head = tuple[bytes, bytes, bytes, Lines]
"""Method or status, target or nothing, version, fields."""


class Sink:
    """What llhttp calls back with, up to the end of the first head."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: Lines = []
        self.head_read = self.body_read = False
        self.payload = b""

    def on_url(self, url: bytes) -> None:
        if not self.head_read:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_read:
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.head_read = True

    def on_body(self, data: bytes) -> None:
        if not self.body_read:
            self.payload += data

    def on_message_complete(self) -> None:
        self.body_read = True


def llhttp_head(raw: bytes, kind: type) -> Head | None:
    """What llhttp reads as the first head of `raw`; fed byte by byte, so as not to read on."""
    sink = Sink()
    parser = kind(sink)
    for place in range(len(raw)):
        try:
            parser.feed_data(raw[place : place + 1])
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            return None
        if sink.head_read:
            version = parser.get_http_version().encode()
            if kind is httptools.HttpRequestParser:
                return parser.get_method(), sink.url, version, sink.fields
            return b"%d" % parser.get_status_code(), b"", version, sink.fields
    return None


def h11_head(raw: bytes, kind: type) -> Head | None:
    """What h11 reads as the first head of `raw`."""
    is_request = kind is httptools.HttpRequestParser
    connection = h11.Connection(h11.SERVER if is_request else h11.CLIENT)
    if not is_request:
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    match event:
        case h11.Request():
            return event.method, event.target, event.http_version, list(event.headers)
        case h11.Response() | h11.InformationalResponse():
            return b"%d" % event.status_code, b"", event.http_version, list(event.headers)
        case _:
            return None


def llhttp_body(raw: bytes, kind: type = httptools.HttpRequestParser) -> bytes | None:
    """The payload that llhttp reads from a chunked body, if it finds its end."""
    sink = Sink()
    parser = kind(sink)
    parser.feed_data(BODY_HEAD)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserError:
        pass
    return sink.payload if sink.body_read else None


def h11_body(raw: bytes, kind: type = httptools.HttpRequestParser) -> bytes | None:
    """The payload that h11 reads from a chunked body, if it finds its end."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(BODY_HEAD)
    connection.next_event()
    connection.receive_data(raw)
    pieces = []
    try:
        while isinstance(event := connection.next_event(), h11.Data):
            pieces.append(event.data)
    except h11.RemoteProtocolError:
        return None
    return b"".join(pieces) if isinstance(event, h11.EndOfMessage) else None
