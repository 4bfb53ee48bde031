"""Where llhttp and h11, as they are, read HTTP/1.1 differently: every class of difference by name.

A class comes with an example, with who reads it, and with a repair that takes the cause away and
nothing else. A difference is explained if repairs make the two agree; what they do not explain is
unknown, and a test fails. Our shape and checks stand before all of these but those marked as ours.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Reads = Literal["llhttp", "h11", "both, differently"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One class."""

    name: str
    example: bytes
    reads: Reads
    repair: Callable[[bytes], bytes]


def sub(pattern: bytes, by: bytes, flags: int = 0) -> Callable[[bytes], bytes]:
    """A repair by regular expression."""
    compiled = re.compile(pattern, flags)
    return lambda raw: compiled.sub(by, raw)


def line(pattern: bytes, by: bytes) -> Callable[[bytes], bytes]:
    """A repair of whole field lines, in any case."""
    return sub(rb"(?<=\n)" + pattern + rb"(?=\r?\n)", by, re.IGNORECASE)


def in_values(pattern: bytes) -> Callable[[bytes], bytes]:
    """A repair that takes bytes out of values."""
    value = re.compile(rb"(?<=\n)[^:\n]+:[^\r\n]*")
    return lambda raw: value.sub(lambda found: re.sub(pattern, b"", found[0]), raw)


def one_host(raw: bytes) -> bytes:
    """Exactly one Host field."""
    raw = re.sub(rb"(?<=\n)host:[^\n]*\n", b"", raw, flags=re.IGNORECASE)
    return re.sub(rb"\A([\r\n]*[^\r\n]+\r\n)", rb"\1Host: a\r\n", raw)


LENGTH = re.compile(rb"(?i)(?<=\n)content-length:[ \t]*([^\n]*?)[ \t]*\r\n")


def one_length(raw: bytes) -> bytes:
    """Of several equal Content-Length fields, the first."""
    values = LENGTH.findall(raw)
    return (
        LENGTH.sub(b"", raw, count=len(values) - 1) if len(set(values)) == 1 < len(values) else raw
    )


def one_coding(raw: bytes) -> bytes:
    """Of several equal Transfer-Encoding fields, the last."""
    coding = re.compile(rb"(?i)(?<=\n)transfer-encoding:[ \t]*([^\n]*?)[ \t]*\r\n")
    values = [value.lower() for value in coding.findall(raw)]
    return (
        coding.sub(b"", raw, count=len(values) - 1) if len(set(values)) == 1 < len(values) else raw
    )


def one_framing(raw: bytes) -> bytes:
    """No Content-Length beside Transfer-Encoding."""
    return LENGTH.sub(b"", raw) if re.search(rb"(?i)\ntransfer-encoding:", raw) else raw


def single_spaces(raw: bytes) -> bytes:
    """No two spaces side by side in the first line."""
    first, end, rest = raw.partition(b"\r\n")
    return re.sub(rb" {2,}", b" ", first) + end + rest


def in_trailers(repair: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A repair behind the last chunk only: payload is not to be touched."""
    size = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[^\n]*)?[ \t]*\r\n")

    def repaired(raw: bytes) -> bytes:
        place = 0
        while (found := size.match(raw, place)) is not None and int(found[1], 16):
            place = found.end() + int(found[1], 16) + 2
        if found is None:
            return raw
        end = found.end() - 2
        return raw[:end] + repair(raw[end:])

    return repaired


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n"
KNOWN = (
    rb"(?:DELETE|GET|HEAD|POST|PUT|CONNECT|OPTIONS|TRACE|COPY|LOCK|MKCOL|MOVE|PROPFIND|PROPPATCH|SEARCH|UNLOCK|BIND|REBIND"
    rb"|UNBIND|ACL|REPORT|MKACTIVITY|CHECKOUT|MERGE|M-SEARCH|NOTIFY|SUBSCRIBE|UNSUBSCRIBE|PATCH|PURGE|MKCALENDAR|LINK|UNLINK"
    rb"|SOURCE|QUERY)"
)
TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"

LINES = (
    Difference(
        "blank lines before the head",
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "llhttp",
        sub(rb"\A[\r\n]+", b""),
    ),
    Difference(
        "a line feed alone ends a line",
        HEAD % b"X: 1\nY: 2\r\n",
        "h11",
        sub(rb"(?<!\r)\n", b"\r\n"),
    ),
    Difference(
        "a line of white space", HEAD % b"X: 1\r\n \r\n", "h11", sub(rb"\r\n[ \t]+(?=\r\n)", b"")
    ),
    Difference(
        "a folded line", HEAD % b"X: 1\r\n 2\r\n", "h11", sub(rb"\r\n[ \t]+(?=[^ \t\r\n])", b" ")
    ),
    Difference(
        "white space behind a value is part of it",
        HEAD % b"X: 1 \r\n",
        "both, differently",
        sub(rb"(?<=[^\n])[ \t]+(?=\r\n)", b""),
    ),
    Difference(
        "a control character in a value",
        HEAD % b"X: \x01\r\n",
        "h11",
        in_values(rb"[\x01-\x08\x0e-\x1f\x7f]"),
    ),
)
FRAMING = (
    Difference(
        "Transfer-Encoding in lower case",
        HEAD % b"Transfer-Encoding: Chunked\r\n",
        "both, differently",
        lambda raw: re.sub(rb"(?i)\ntransfer-encoding:[^\n]*", lambda found: found[0].lower(), raw),
    ),
    Difference(
        "Transfer-Encoding other than chunked",
        HEAD % b"Transfer-Encoding: gzip, chunked\r\n",
        "llhttp",
        line(rb"(transfer-encoding:)(?![ \t]*chunked\r)[^\r\n]*", rb"\1chunked"),
    ),
    Difference(
        "Content-Length twice, the same",
        HEAD % b"Content-Length: 5\r\nContent-Length: 5\r\n",
        "h11",
        one_length,
    ),
    Difference(
        "Content-Length as a list of the same",
        HEAD % b"Content-Length: 5, 5\r\n",
        "h11",
        line(rb"(content-length:[ \t]*)(\d+)(?:[ \t]*,[ \t]*\2)+", rb"\1\2"),
    ),
    Difference(
        "Content-Length beyond 64 bits",
        HEAD % b"Content-Length: 18446744073709551616\r\n",
        "h11",
        line(rb"(content-length:[ \t]*)\d{20}", rb"\g<1>5"),
    ),
    Difference(
        "Content-Length with Transfer-Encoding",
        HEAD % b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "h11",
        one_framing,
    ),
)
REQUESTS = (
    *LINES,
    Difference(
        "several spaces between words",
        b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "llhttp",
        single_spaces,
    ),
    Difference(
        "an unknown method",
        b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
        "h11",
        sub(rb"\A(?!%b )%b (?=\S)" % (KNOWN, TOKEN), b"GET "),
    ),
    Difference(
        "a version that does not exist",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "h11",
        sub(rb"\A(\S+ \S+ HTTP/)\d\.\d(?=\r\n)", rb"\g<1>1.1"),
    ),
    Difference(
        "no version",
        b"GET /\r\nHost: a\r\n\r\n",
        "llhttp",
        sub(rb"\A(\S+ \S+)(?=\r\n)", rb"\1 HTTP/1.1"),
    ),
    Difference(
        "RTSP",
        b"OPTIONS / RTSP/1.0\r\nHost: a\r\n\r\n",
        "llhttp",
        sub(rb"\A(\S+ \S+) RTSP/", rb"\1 HTTP/"),
    ),
    Difference(
        "a target that is no URL",
        b"GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n",
        "h11",
        sub(rb"\A(\S+) (?!/|\*|[A-Za-z]+://[^\\#?/ ][^\\ ]* )[!-~]+ (?=HTTP)", rb"\1 / "),
    ),
    Difference("no Host, or several", b"GET / HTTP/1.1\r\n\r\n", "llhttp", one_host),
    *FRAMING,
)
RESPONSES = (
    *(
        replace(
            each, example=each.example.replace(b"GET / HTTP/1.1\r\nHost: a", b"HTTP/1.1 200 OK")
        )
        for each in (*LINES, *FRAMING)
    ),
    Difference("RTSP", b"RTSP/1.0 200 OK\r\n\r\n", "llhttp", sub(rb"\ARTSP/", b"HTTP/")),
    Difference(
        "a version that does not exist",
        b"HTTP/9.9 200 OK\r\n\r\n",
        "h11",
        sub(rb"\AHTTP/\d\.\d(?= )", b"HTTP/1.1"),
    ),
    Difference(
        "a status below 100",
        b"HTTP/1.1 099 X\r\n\r\n",
        "llhttp",
        sub(rb"\A(HTTP/\S+ )0\d\d(?=[ \r])", rb"\g<1>200"),
    ),
    Difference(
        "a control character in the reason",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        "llhttp",
        lambda raw: re.sub(
            rb"\A[^\r\n]+", lambda found: re.sub(rb"[\x00\x0b\x0c]", b"", found[0]), raw
        ),
    ),
    Difference(
        "a switch of protocols that nobody asked for",
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "llhttp",
        sub(rb"\A(HTTP/\S+) 101(?=[ \r])", rb"\1 200"),
    ),
    Difference(
        "Transfer-Encoding twice",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "llhttp",
        one_coding,
    ),
)

CHUNKS = b"5%b\r\nhello\r\n0\r\n%b\r\n"
BODIES = (
    Difference(
        "a size of more than 20 digits",
        b"000000000000000000005\r\nhello\r\n0\r\n\r\n",
        "llhttp",
        sub(rb"(?:(?<=\n)|\A)0+([0-9A-Fa-f]{1,8})(?=[^0-9A-Fa-f])", rb"\1"),
    ),
    Difference(
        "white space behind a size",
        CHUNKS % (b" ", b""),
        "h11",
        sub(rb"((?:\n|\A)[0-9A-Fa-f]{1,20})[ \t]+(?=\r\n)", rb"\1"),
    ),
    Difference(
        "an extension that is none",
        CHUNKS % (b"; a", b""),
        "h11",
        sub(rb"((?:\n|\A)[0-9A-Fa-f]{1,20});[^\n]*(?=\r\n)", rb"\1"),
    ),
    Difference(
        "a line feed alone ends a trailer",
        CHUNKS % (b"", b"A: b\n"),
        "h11",
        in_trailers(sub(rb"(?<!\r)\n", b"\r\n")),
    ),
    Difference(
        "a line of white space in trailers",
        CHUNKS % (b"", b"A: b\r\n \r\n"),
        "h11",
        in_trailers(sub(rb"\r\n[ \t]+(?=\r\n)", b"")),
    ),
    Difference(
        "a folded trailer",
        CHUNKS % (b"", b"A: b\r\n c\r\n"),
        "h11",
        in_trailers(sub(rb"\r\n[ \t]+(?=[^ \t\r\n])", b" ")),
    ),
    Difference(
        "a control character in a trailer",
        CHUNKS % (b"", b"A: \x01\r\n"),
        "h11",
        in_trailers(in_values(rb"[\x01-\x08\x0e-\x1f\x7f]")),
    ),
    Difference(
        "framing fields in trailers",
        CHUNKS % (b"", b"Content-Length: 5\r\n"),
        "h11",
        in_trailers(line(rb"(?:content-length|transfer-encoding):[^\n]*", b"A: b\r")),
    ),
)


def explain(
    raw: bytes, classes: tuple[Difference, ...], differs: Callable[[bytes], bool]
) -> list[str] | None:
    """Names of the classes that explain a difference; None: it is unknown."""
    for known in classes:
        repaired = known.repair(raw)
        if repaired != raw and not differs(repaired):
            return [known.name]
    names = []
    for known in classes * 2:  # one repair may bring the cause of another to light
        repaired = known.repair(raw)
        if repaired != raw:
            raw = repaired
            names.append(known.name)
            if not differs(raw):
                return names
    return None
