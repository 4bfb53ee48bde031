"""Hostile HTTP/2 as a table: what is sent behind a proper greeting, and what must become of it.

`cut`: the connection ends. `refused`: the stream is reset or answered 4xx, the connection lives.
`bad`: one of the two. `lives`: the connection lives. `served`: stream 1 is answered 200.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = 0, 1, 2, 3, 4, 5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 6, 7, 8, 9, 16
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
WHOLE = END_STREAM | END_HEADERS
Pairs = Iterable[tuple[str | bytes, str | bytes]]


@dataclass(frozen=True)
class Attack:
    """One hostile message."""

    name: str
    data: bytes
    outcome: str
    greeting: bytes = b""
    """Instead of preface and SETTINGS."""


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """One frame; its length is what it says."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


GREETING = PREFACE + frame(SETTINGS)


def request(*pairs: tuple[str | bytes, str | bytes], method: str | bytes = "GET",
            path: str | bytes = "/healthz/live", host: str | bytes = "localhost") -> bytes:  # fmt: skip
    """A header block of an honest request, with further fields."""
    return block(
        [(":method", method), (":scheme", "http"), (":authority", host), (":path", path), *pairs]
    )


def block(pairs: Pairs) -> bytes:
    """A header block, for a decoder that knows nothing yet."""
    encoder = hpack.Encoder()
    return encoder.encode([hpack.NeverIndexedHeaderTuple(name, value) for name, value in pairs])


def get(payload: bytes, flags: int = WHOLE, stream: int = 1) -> bytes:
    """A HEADERS frame, by default a whole request."""
    return frame(HEADERS, payload, flags, stream)


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(increment: int, stream: int = 0) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, struct.pack(">I", increment), 0, stream)


def reset(stream: int = 1) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, struct.pack(">I", 8), 0, stream)


POST = request(("content-length", "3"), method="POST", path="/api/v1/chat/completions")
OPEN = get(request(method="POST", path="/api/v1/chat/completions"), END_HEADERS)
"""A POST whose body is still to come."""


def crashes() -> Iterator[Attack]:
    """What ends the process of a stock server."""
    yield Attack("path of bytes above 0x7f", get(request(path=b"/\xff\xfe")), "refused")
    yield Attack("method of bytes above 0x7f", get(request(method=b"G\xcbT")), "refused")
    tunnel = block([(":method", "CONNECT"), (":authority", "localhost:443")])
    yield Attack("CONNECT without a path", get(tunnel), "bad")
    early = get(request(("content-length", "99999999"), method="POST", path="/v1/chat/completions"), END_HEADERS)  # fmt: skip
    yield Attack(
        "DATA behind an early answer", early + 3 * frame(DATA, b"x" * 9000, 0, 1), "refused"
    )
    priorities = b"".join(
        frame(PRIORITY, struct.pack(">IB", 0, 9), 0, n) for n in range(1, 3001, 2)
    )
    yield Attack("more than 1,000 priorities", priorities, "cut")


def framing() -> Iterator[Attack]:
    """Frames that are not what they must be."""
    yield Attack("bytes that are no preface", b"", "cut", b"\x00" * 64)
    yield Attack("HTTP/1.1", b"", "cut", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    yield Attack(
        "a preface that ends otherwise", b"", "cut", PREFACE[:-2] + b"XX" + frame(SETTINGS)
    )
    yield Attack("a websocket handshake", b"", "cut", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: x\r\n\r\n")  # fmt: skip
    yield Attack("a frame too large", OPEN + frame(DATA, b"x" * 16_385, 0, 1), "cut")
    yield Attack("a frame of 16 MiB announced", b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", "cut")
    yield Attack("HEADERS of stream 0", get(request(), stream=0), "cut")
    yield Attack("DATA of stream 0", frame(DATA, b"x"), "cut")
    yield Attack("a stream of even number", get(request(), stream=2), "cut")
    yield Attack(
        "stream numbers going down", get(request(), stream=5) + get(request(), stream=3), "cut"
    )
    yield Attack("DATA of an idle stream", frame(DATA, b"x" * 99, 0, 1), "cut")
    yield Attack("DATA behind the end", OPEN + frame(DATA, b"{}", END_STREAM, 1) + frame(DATA, b"x" * 99, 0, 1), "bad")  # fmt: skip
    yield Attack("a window of nothing", window(0), "cut")
    yield Attack("a stream's window of nothing", OPEN + window(0, 1), "cut")
    yield Attack("too large a window", window(2**31 - 1), "cut")
    yield Attack("too large a window of a stream", OPEN + window(2**31 - 1, 1), "refused")
    yield Attack("a window of 3 bytes", frame(WINDOW_UPDATE, b"\0\0\1"), "cut")
    yield Attack("a window of an idle stream", window(1, 9), "cut")
    yield Attack("RST_STREAM of an idle stream", reset(7), "cut")
    yield Attack("RST_STREAM of stream 0", reset(0), "cut")
    yield Attack("RST_STREAM of 3 bytes", OPEN + frame(RST_STREAM, b"\0\0\1", 0, 1), "cut")
    yield Attack("PING of 7 bytes", frame(PING, b"1234567"), "cut")
    yield Attack("PING of a stream", frame(PING, b"12345678", 0, 1), "cut")
    yield Attack("SETTINGS of 5 bytes", frame(SETTINGS, b"12345"), "cut")
    yield Attack("SETTINGS of a stream", frame(SETTINGS, b"", 0, 1), "cut")
    yield Attack("acknowledged SETTINGS with content", frame(SETTINGS, b"\0\4\0\0\0\0", ACK), "cut")
    yield Attack("an initial window of 2 GiB", settings((4, 2**31)), "cut")
    yield Attack("frames of 1 byte", settings((5, 1)), "cut")
    yield Attack("frames of 16 MiB", settings((5, 2**24)), "cut")
    yield Attack("push of 2", settings((2, 2)), "cut")
    yield Attack("unknown settings", settings((0x4242, 7)), "lives")
    yield Attack("PUSH_PROMISE", frame(PUSH_PROMISE, struct.pack(">I", 2) + request(), END_HEADERS, 1), "cut")  # fmt: skip
    yield Attack("CONTINUATION of nothing", frame(CONTINUATION, request(), END_HEADERS, 1), "cut")
    yield Attack(
        "PING inside a header block", get(request(), END_STREAM) + frame(PING, b"x" * 8), "cut"
    )
    yield Attack("another stream's CONTINUATION", get(request(), END_STREAM) + frame(CONTINUATION, b"", END_HEADERS, 3), "cut")  # fmt: skip
    yield Attack("DATA of padding only, too much", OPEN + frame(DATA, b"\xff12", PADDED, 1), "cut")
    yield Attack("DATA padded and empty", OPEN + frame(DATA, b"", PADDED, 1), "cut")
    yield Attack("HEADERS with too much padding", get(b"\xff" + request(), WHOLE | PADDED), "cut")
    yield Attack("HEADERS too short for its priority", get(b"\0", WHOLE | PRIORITIZED), "cut")
    yield Attack("a stream that depends on itself", get(struct.pack(">IB", 1, 1) + request(), WHOLE | PRIORITIZED), "cut")  # fmt: skip
    yield Attack("a priority of itself", frame(PRIORITY, struct.pack(">IB", 3, 1), 0, 3), "cut")
    yield Attack("a priority of 4 bytes", frame(PRIORITY, b"1234", 0, 3), "cut")
    yield Attack("GOAWAY of 4 bytes", frame(GOAWAY, b"1234"), "cut")
    yield Attack("GOAWAY, then a request", frame(GOAWAY, bytes(8)) + get(request()), "cut")
    yield Attack("a frame that nobody knows", frame(0x77, b"?" * 99, 0xFF, 0), "lives")
    yield Attack("no SETTINGS first", b"", "lives", PREFACE + frame(PING, b"firstone"))
    yield Attack("HEADERS twice", OPEN + get(request(), END_HEADERS), "cut")
    yield Attack("trailers with pseudo fields", OPEN + get(block([(":path", "/x")])), "cut")
    yield Attack("END_STREAM twice", get(request()) + frame(DATA, b"", END_STREAM, 1), "bad")


def heads() -> Iterator[Attack]:
    """Header fields that must not be."""
    for name, value in (
        ("Upper", "1"), ("connection", "keep-alive"), ("transfer-encoding", "chunked"),
        ("te", "gzip"), ("upgrade", "h2c"), ("keep-alive", "1"), ("proxy-connection", "close"),
        ("x y", "1"), ("", "1"), ("x", "1\r\nhost: evil"), ("x", "\0"), ("x", " padded "),
        ("x:", "1"), (":status", "200"), (":made-up", "1"), (":path", "/other"),
        (":authority", "evil"), ("host", "evil"),
    ):  # fmt: skip
        yield Attack(f"field {name!r}: {value!r}", get(request((name, value))), "bad")
    for name, value in (
        ("content_length", "5"), ("transfer_encoding", "chunked"), ("content-length", "-1"),
        ("content-length", "1e3"), ("content-length", "9" * 30), ("x(", "1"),
    ):  # fmt: skip
        yield Attack(f"field {name!r}: {value!r}", get(request((name, value))), "bad")
    yield Attack("a cookie in crumbs", get(request(("cookie", "a=1"), ("cookie", "b=2"))), "served")
    scheme, path, host = (":scheme", "http"), (":path", "/"), (":authority", "localhost")
    method = (":method", "GET")
    for missing, pairs in (
        ("method", (scheme, path, host)), ("path", (method, scheme, host)),
        ("scheme", (method, path, host)), ("authority", (method, scheme, path)),
        ("everything", ()),
    ):  # fmt: skip
        yield Attack(f"no {missing}", get(block(pairs)), "bad")
    yield Attack("pseudo fields last", get(block([method, scheme, ("x", "1"), path, host])), "bad")
    for path in ("", "x", "//evil/", "/a b", "/a\tb", "/%00", "/#x", "*", "http://evil/", "/" + "a" * 9000):  # fmt: skip
        yield Attack(f"path {path[:20]!r}", get(request(path=path)), "bad")
    for host in ("", "me@localhost", "localhost/x", "local host", "localhost, evil", "localhost:99999999"):  # fmt: skip
        yield Attack(f"authority {host!r}", get(request(host=host)), "bad")
    for method in ("", "get", "G ET", "MADEUP", "PRI", "CONNECT"):
        yield Attack(f"method {method!r}", get(request(method=method)), "bad")
    websocket = request((":protocol", "websocket"), method="CONNECT")
    yield Attack("a websocket by CONNECT", get(websocket, END_HEADERS), "bad")
    twice = request(("content-length", "2"), ("content-length", "3"), method="POST")
    yield Attack(
        "Content-Length twice", get(twice, END_HEADERS) + frame(DATA, b"{}", END_STREAM, 1), "bad"
    )
    yield Attack("less than Content-Length", get(POST, END_HEADERS) + frame(DATA, b"{}", END_STREAM, 1), "bad")  # fmt: skip
    yield Attack("more than Content-Length", get(POST, END_HEADERS) + frame(DATA, b"{   }", END_STREAM, 1), "bad")  # fmt: skip
    yield Attack("Content-Length without a body", get(POST), "bad")
    many = request(*((f"x-{n}", "1") for n in range(150)))
    yield Attack("150 fields", get(many), "refused")
    large = request(("x", "y" * 20_000), ("z", "y" * 14_000))
    yield Attack("40 KB of fields, huffman-coded to less", headers_of(large), "refused")


def headers_of(payload: bytes, stream: int = 1) -> bytes:
    """A header block over as many frames as it needs."""
    pieces = [payload[at : at + 16_000] for at in range(0, len(payload), 16_000)]
    kinds = [HEADERS, *[CONTINUATION] * (len(pieces) - 1)]
    return b"".join(
        frame(kind, piece, END_STREAM * (not n) | END_HEADERS * (n == len(pieces) - 1), stream)
        for n, (kind, piece) in enumerate(zip(kinds, pieces, strict=True))
    )


def packing() -> Iterator[Attack]:
    """Header blocks that decode to nothing, or to too much."""
    for name, payload in (
        ("an index of nothing", b"\xff\x80\x01"), ("index 0", b"\x80"),
        ("an integer without end", b"\xff" + b"\xff" * 40), ("a string cut short", b"\x00\x05ab"),
        ("huffman that cannot be", b"\x00\x84\xff\xff\xff\xff\x01x"),
        ("a table of 1 GB", b"\x3f" + b"\xff\xff\xff\xff\x03"),
        ("a change of the table behind fields", b"\x82\x20"),
    ):  # fmt: skip
        yield Attack(name, get(payload), "cut")
    entry = b"\x40\x01x\x7f\xa1\x1d" + b"y" * 4000  # indexed: 4,000 bytes behind one index
    yield Attack(
        "a bomb of indexes", get(entry) + get(b"\x82\x87\x84" + b"\xbe" * 12_000, stream=3), "cut"
    )


def floods() -> Iterator[Attack]:
    """Too much of something."""
    empty = get(request(), END_STREAM) + frame(CONTINUATION, b"", 0, 1) * 1000
    yield Attack("CONTINUATION without content", empty, "cut")
    yield Attack("CONTINUATION without end", get(request(), END_STREAM) + frame(CONTINUATION, b"\0" * 16_000, 0, 1) * 60, "cut")  # fmt: skip
    yield Attack("PING", frame(PING, b"pingping") * 3000, "cut")
    yield Attack("PING of acknowledgements", frame(PING, b"pingping", ACK) * 3000, "cut")
    yield Attack("SETTINGS", frame(SETTINGS) * 3000, "cut")
    yield Attack("SETTINGS of 2,000 entries", settings(*[(4, 7)] * 2000), "cut")
    yield Attack("unknown frames", frame(0x77) * 3000, "cut")
    yield Attack("PRIORITY_UPDATE", frame(PRIORITY_UPDATE, b"\0\0\0\1u=1") * 3000, "cut")
    yield Attack("GOAWAY", frame(GOAWAY, bytes(8)) * 3000, "cut")
    rapid = b"".join(get(request(), stream=n) + reset(n) for n in range(1, 1001, 2))
    yield Attack("rapid reset", rapid, "cut")
    posts = b"".join(
        get(request(method="POST", path="/api/v1/chat/completions"), END_HEADERS, n) + reset(n)
        for n in range(1, 1001, 2)
    )
    yield Attack("rapid reset of requests with a body", posts, "cut")
    made = b"".join(
        get(request(method="POST", path="/api/v1/chat/completions"), END_HEADERS, n)
        + window(2**31 - 1, n)
        for n in range(1, 1001, 2)
    )
    yield Attack("resets that we are made to send", made, "cut")
    bad = b"".join(get(request(path=b"/\xff"), stream=n) for n in range(1, 1001, 2))
    yield Attack("requests that we reset", bad, "cut")
    yield Attack("DATA without content", OPEN + frame(DATA, b"", 0, 1) * 3000, "cut")
    yield Attack(
        "DATA of padding", OPEN + frame(DATA, b"\x09" + b"\0" * 9, PADDED, 1) * 3000, "cut"
    )
    yield Attack("DATA of 1 byte", OPEN + frame(DATA, b"x", 0, 1) * 5000, "cut")
    yield Attack("WINDOW_UPDATE", window(1) * 5000, "cut")
    yield Attack("WINDOW_UPDATE of a stream", OPEN + window(1, 1) * 5000, "cut")
    streams = b"".join(
        get(request(method="POST", path="/api/v1/chat/completions"), END_HEADERS, n)
        for n in range(1, 301, 2)
    )
    yield Attack("150 streams at a time", streams, "cut")
    dribble = settings((4, 0)) + get(request()) + window(1, 1) * 20
    yield Attack("a window opened byte by byte", dribble, "served")
    yield Attack("a window that stays shut", settings((4, 0)) + get(request()), "served")


ATTACKS = (*crashes(), *framing(), *heads(), *packing(), *floods())
