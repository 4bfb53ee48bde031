r"""Attacks that are more than one request, or no HTTP at all; see `framing_attacks` for the marks.

`<size>` is the length of `<chat>`, a good body.
"""

Table = dict[str, bytes]
"""What it is -> the bytes."""
Statuses = frozenset[int]

LIVE = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n"
POSTED = b"POST /api/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
CHAT = POSTED + b"Content-Length: <size>\r\n\r\n<chat>"
WEBSOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
H2C = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
HELLO = (
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(32)) + b"\0\0\x02\x13\x01\x01\0"
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FOREIGN: Table = {
    "a ClientHello": HELLO, "a hello of SSL 2": b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10\x01\0\x80", "a TLS alert": b"\x15\x03\x01\0\x02\x02\x28",
    "the preface of HTTP/2": PREFACE, "preface and SETTINGS": PREFACE + b"\0\0\0\x04\0\0\0\0\0", "SOCKS 5": b"\x05\x01\0", "SOCKS 4": b"\x04\x01\0P\x7f\0\0\x01\0",
    "PROXY 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02", "redis": b"*1\r\n$4\r\nPING\r\n", "PostgreSQL": b"\0\0\0\x08\x04\xd2\x16\x2f",
    "MQTT": b"\x10\x0c\0\x04MQTT\x04\0\0\x3c\0\0", "AJP": b"\x12\x34\0\x01\x0a", "FastCGI": b"\x01\x01\0\x01\0\x08\0\0", "JSON": b'{"model":"a/m"}\r\n\r\n',
    "every byte": bytes(range(256)), "NULs": b"\0" * 1000, "0xff": b"\xff" * 1000, "only LFs": b"\n" * 50, "only CRs": b"\r" * 50, "a mail": b"From: a@b\r\nTo: c@d\r\n\r\n",
    "no Host": b"GET /healthz/live HTTP/1.1\r\n\r\n", "LF for CRLF": b"GET /healthz/live HTTP/1.1\nHost: localhost\n\n", "a shell": b"$(id);`id`|id\r\n\r\n",
    "HTTP/1.0 in chunks": b"POST /api/v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "0.9 at its barest": b"GET /\r\n",
}  # fmt: skip

FRAMINGS: Table = {
    "by length": b"Content-Length: <len>\r\n\r\n<canary>",
    "in a chunk": b"Transfer-Encoding: chunked\r\n\r\n<lenx>\r\n<canary>\r\n0\r\n\r\n",
}
BAD, FORBIDDEN, NONE_SUCH = frozenset({400}), frozenset({403}), frozenset({404, 405})
CARRIERS: dict[str, tuple[bytes, Statuses]] = {
    "GET": (LIVE, BAD | {200}), "GET of a POST": (b"GET" + POSTED[4:], NONE_SUCH), "HEAD": (b"HEAD" + LIVE[3:], NONE_SUCH | {200, 400}),
    "DELETE": (b"DELETE /nowhere HTTP/1.1\r\nHost: localhost\r\n", NONE_SUCH), "OPTIONS": (b"OPTIONS" + POSTED[4:], NONE_SUCH | {204}),
    "TRACE": (b"TRACE" + LIVE[3:], NONE_SUCH | {501}), "POST of nothing": (b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n", NONE_SUCH),
    "POST of a GET": (b"POST" + LIVE[3:], NONE_SUCH), "PUT": (b"PUT" + POSTED[4:], NONE_SUCH), "PATCH": (b"PATCH" + POSTED[4:], NONE_SUCH),
    "a chat": (POSTED, BAD), "a chat that is expected": (POSTED + b"Expect: 100-continue\r\n", BAD), "a foreign page": (POSTED + b"Origin: https://evil.test\r\n", FORBIDDEN),
    "a foreign host": (POSTED.replace(b"localhost", b"evil.test"), FORBIDDEN), "a form": (POSTED + b"Content-Type: application/x-www-form-urlencoded\r\n", BAD),
    "multipart": (POSTED + b"Content-Type: multipart/form-data; boundary=x\r\n", BAD), "a websocket": (LIVE + b"Upgrade: websocket\r\nConnection: Upgrade\r\n", BAD | {200}),
    "an absolute URL": (LIVE.replace(b" /", b" http://localhost/", 1), BAD | {200}),
}  # fmt: skip
"""Whole requests (behind them one of FRAMINGS) whose body is the canary."""

LEGAL: Table = {
    "a chat": CHAT, "a GET": LIVE + b"\r\n", "a HEAD": b"HEAD" + LIVE[3:] + b"\r\n", "blank lines before": b"\r\n\r\n\r\n" + LIVE + b"\r\n", "a blank line behind a body": CHAT + b"\r\n",
    "an absolute URL": b"GET http://localhost/healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n", "one in capitals": b"GET HTTP://LOCALHOST/healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "Host in capitals": b"GET /healthz/live HTTP/1.1\r\nHOST:LOCALHOST\r\n\r\n", "Host behind blanks": b"GET /healthz/live HTTP/1.1\r\nX: y\r\nHost: \t localhost \t\r\n\r\n",
    "a chat in chunks that is expected": POSTED + b"Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n<n>\r\n<chat>\r\n0\r\n\r\n",
    "a query": b"GET /healthz/live?x=%00&y=/../ HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.0, kept": b"GET /healthz/live HTTP/1.0\r\nHost: localhost\r\nConnection: Keep-Alive\r\n\r\n",
}  # fmt: skip
HUNDRED: Table = {"a hundred in one packet": (LIVE + b"\r\n") * 100}
LAST_ONES: Table = {
    "HTTP/1.0": b"GET /healthz/live HTTP/1.0\r\n\r\n", "HTTP/1.0 and a host": b"GET /healthz/live HTTP/1.0\r\nHost: localhost\r\n\r\n",
    "a chat of HTTP/1.0": CHAT.replace(b"HTTP/1.1", b"HTTP/1.0"), "HTTP/1.0 with an expectation": b"GET /healthz/live HTTP/1.0\r\nExpect: x\r\n\r\n",
    "a chat, then close": CHAT.replace(b"Host", b"Connection: close\r\nHost", 1),
}  # fmt: skip
ODD: Table = {
    "OPTIONS of everything": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "a POST without a length": POSTED + b"\r\n", "TRACE": b"TRACE /healthz/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n",
    "a length with zeros": POSTED + b"Content-Length: 000<size>\r\n\r\n<chat>", "https in clear text": b"GET https://localhost/healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a port of 99999": b"GET /healthz/live HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", "an empty port": b"GET /healthz/live HTTP/1.1\r\nHost: localhost:\r\n\r\n",
    "no path": b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", "only a query": b"GET http://localhost?x HTTP/1.1\r\nHost: localhost\r\n\r\n",
}  # fmt: skip
TOO_LARGE: Table = {
    f"a length of {length} {how}": POSTED + b"%bContent-Length: %d\r\n\r\n<canary>" % (more, length)
    for length in (33_554_433, 4_294_967_301, 99_999_999_999)
    for how, more in (("", b""), ("that is expected", b"Expect: 100-continue\r\n"))
}
TOO_SHORT: Table = {
    "a body that does not come": POSTED + b"Content-Length: 100000\r\n\r\n<chat><canary>", "a chunk that does not come": POSTED + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n<canary>",
    "chunks that do not end": POSTED + b"Transfer-Encoding: chunked\r\n\r\n<lenx>\r\n<canary>\r\nfff\r\n",
}  # fmt: skip
"""What is behind them is their body, and too little of it."""
SECOND_REFUSED: dict[str, tuple[bytes, *tuple[int, ...]]] = {
    "a websocket and frames": (LIVE + WEBSOCKET + b"\x81\x85\0\0\0\0hello\x88\x80\0\0\0\0", 200, 400), "a websocket and NULs": (LIVE + WEBSOCKET + b"\0" * 100, 200, 400),
    "h2c and a preface": (LIVE + H2C + PREFACE, 200, 400), "h2c and frames": (LIVE + H2C + b"\0\0\0\x04\0\0\0\0\0" * 9, 200, 400), "a request and NUL": (LIVE + b"\r\n\0", 200, 400),
    "a request and LF": (LIVE + b"\r\n\n", 200, 400), "a request and CR": (LIVE + b"\r\n\r", 200, 400), "a request and a blank": (LIVE + b"\r\n ", 200, 400), "a request and a hello": (LIVE + b"\r\n" + HELLO, 200, 400),
    "a body longer by one byte": (CHAT + b"\xff", 200, 400), "a body of more than its length": (POSTED + b"Content-Length: 5\r\n\r\n<chat>", 400, 400),
    "a good one and CL.TE": (CHAT + POSTED + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, 400), "two and a bad one": (CHAT + LIVE + b"\r\n" + LIVE + b"X\r\n\r\n", 200, 200, 400),
    "chunks and a byte": (POSTED + b"Transfer-Encoding: chunked\r\n\r\n<n>\r\n<chat>\r\n0\r\n\r\n\0", 200, 400), "a good one and a line of 40 KiB": (LIVE + b"\r\n" + b"G" * 40_000, 200, 431),
}  # fmt: skip
