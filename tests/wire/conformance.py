"""What every parser must make of HTTP/1.1: one table, run over each of them.

A refused head comes with a part of the message, which names the place and the reason.
"""

from proxy.wire.parsers import FAST, STRICT, Parser
from proxy.wire.rules import ResponseHead

PARSERS: list[Parser] = [FAST, STRICT]

GET, POST = b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"

# --- requests -----------------------------------------------------------------------------------
ACCEPTED_REQUESTS: list[tuple[bytes, dict[str, object]]] = [
    (GET + HOST + b"\r\n", {"method": "GET", "path": "/", "query": b"", "keep_alive": True}),
    (b"GET /v1/a?b=1&c=/%00?d\\ HTTP/1.1\r\n" + HOST + b"\r\n",
     {"path": "/v1/a", "query": b"b=1&c=/%00?d\\"}),
    (b'GET /%41%7E%c3%a9//..;x="{|}^` HTTP/1.1\r\n' + HOST + b"\r\n",
     {"path": '/%41%7E%c3%a9//..;x="{|}^`'}),
    (b"GET http://B.example:80/v1?x HTTP/1.1\r\nHost: b.EXAMPLE:80\r\n\r\n",
     {"path": "/v1", "query": b"x"}),
    (b"GET https://a HTTP/1.1\r\n" + HOST + b"\r\n", {"path": "/"}),
    (b"GET HTTP://a?x HTTP/1.1\r\n" + HOST + b"\r\n", {"path": "/", "query": b"x"}),
    (b"GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", {"path": "/"}),
    (b"GET http://a/ HTTP/1.0\r\n\r\n", {"path": "/", "http_10": True}),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {"method": "OPTIONS", "path": "*"}),
    *[(b"%b / HTTP/1.1\r\n" % method + HOST + b"\r\n", {"method": method.decode()})
      for method in (b"HEAD", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"OPTIONS")],
    (b"GET /" + b"x" * 8191 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {"path": "/" + "x" * 8191}),
    # fields
    (GET + b"hOsT:a_b.example-1:8080 \t\r\nX:\r\nY: \t \r\nx-a:\t1 \r\nX-A: \xe9\t2\r\n\r\n",
     {"headers": {b"host": b"a_b.example-1:8080", b"x": b"", b"y": b"", b"x-a": b"1, \xe9\t2"}}),
    (GET + HOST + b"!#$%&'*+-.^_`|~09Az: \"(),/:;<=>?@[\\]{}\r\n\r\n",
     {"headers": {b"host": b"a", b"!#$%&'*+-.^_`|~09az": b'"(),/:;<=>?@[\\]{}'}}),
    (GET + HOST + b"X_Trace_Id: 1\r\n\r\n", {"headers": {b"host": b"a", b"x_trace_id": b"1"}}),
    # bodies
    (GET + HOST + b"Content-Length: 5\r\n\r\n", {"content_length": 5, "chunked": False}),
    (POST + HOST + b"content-length:007 \r\n\r\n", {"content_length": 7}),
    (POST + HOST + b"Content-Length: 999999999999999\r\n\r\n", {"content_length": 999999999999999}),
    (POST + HOST + b"Transfer-Encoding: CHUNKED\t\r\n\r\n",
     {"chunked": True, "headers": {b"host": b"a", b"transfer-encoding": b"chunked"}}),
    # connections
    (GET + HOST + b"Connection: close\r\n\r\n", {"keep_alive": False}),
    (GET + HOST + b"Connection: x , CLOSE\r\n\r\n", {"keep_alive": False}),
    (GET + HOST + b"Connection: x\r\nConnection: close\r\n\r\n", {"keep_alive": False}),
    (GET + HOST + b"Connection: keep-alive\r\n\r\n", {"keep_alive": True}),
    (POST + HOST + b"Connection: close\r\nContent-Length: 5\r\n\r\n", {"keep_alive": False}),
    (POST + HOST + b"Connection: close\r\nContent-Length: 0\r\n\r\n", {"keep_alive": False}),
    (b"GET / HTTP/1.0\r\n\r\n", {"http_10": True, "keep_alive": False}),
    (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", {"keep_alive": True}),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", {"keep_alive": False}),
    (GET + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", {"path": "/"}),
    (POST + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n"
     b"Content-Length: 5\r\n\r\n", {"content_length": 5, "keep_alive": True}),
    (POST + HOST + b"Expect: 100-Continue\r\n\r\n", {"expects_continue": True}),
    (b"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", {"expects_continue": False}),
    (b"POST / HTTP/1.0\r\nExpect: a-miracle\r\n\r\n", {"expects_continue": False}),
]  # fmt: skip

LINE = "first line: "
WORDS = LINE + "not method, target and version with one space between them"
VERSION = LINE + "a version other than HTTP/1.0 and HTTP/1.1"
METHOD = LINE + "a method that is not known"
TARGET = LINE + "a target that is no path and no URL"

REFUSED_LINES: list[tuple[bytes, str]] = [
    (b"POST / HTTP/1.1 ", WORDS), (b"POST /  HTTP/1.1", WORDS), (b" POST / HTTP/1.1", WORDS),
    (b"POST\t/\tHTTP/1.1", WORDS), (b"POST /", WORDS), (b"POST  HTTP/1.1", WORDS),
    (b"POST /a b HTTP/1.1", WORDS), (b"", WORDS),
    (b"POST / HTTP/1.10", VERSION), (b"POST / http/1.1", VERSION), (b"POST / HTTP/0.9", VERSION),
    (b"POST / HTTP/1.2", VERSION), (b"POST / HTTP/2.0", VERSION), (b"POST / HTTP/9.9", VERSION),
    (b"POST / XTTP/1.1", VERSION), (b"POST / HTTP/1,1", VERSION), (b"POST / HTTP/11", VERSION),
    (b"Post / HTTP/1.1", METHOD), (b"get / HTTP/1.1", METHOD), (b"FOO / HTTP/1.1", METHOD),
    (b"P" * 33 + b" / HTTP/1.1", METHOD), (b"CONNECT a.test:443 HTTP/1.1", METHOD),
    (b"PRI * HTTP/2.0", METHOD), (b"GET\x0b / HTTP/1.1", "a control character"),
    (b"P\x00ST / HTTP/1.1", LINE + "a NUL byte"), (b"POST /\x7f HTTP/1.1", "a control character"),
    (b"POST /\n HTTP/1.1", "a line feed without"), (b"POST /\r HTTP/1.1", "a carriage return without"),
    (b"POST /\xc3\xa9 HTTP/1.1", "a character in the target that must be percent-encoded"),
    (b"POST /" + b"/" * 8192 + b" HTTP/1.1", "a target that is too long"),
    (b"POST /a#b HTTP/1.1", "a fragment in the target"),
    (b"POST /a?b#c HTTP/1.1", "a fragment in the target"),
    (b"POST //evil.example/ HTTP/1.1", 'a path that begins with "//"'),
    (b"POST http://a//b HTTP/1.1", "a malformed target"),
    (b"POST /\\evil.example/ HTTP/1.1", "a backslash in the path"),
    (b"POST http://a\\@b/ HTTP/1.1", "a backslash in the path"),
    (b"POST /a%00b HTTP/1.1", "a percent-encoded control character in the path"),
    (b"POST /%0d%0aX:%20y HTTP/1.1", "a percent-encoded control character"),
    (b"POST /%7F HTTP/1.1", "a percent-encoded control character"),
    (b"POST /% HTTP/1.1", "a percent sign that encodes nothing"),
    (b"POST /%4 HTTP/1.1", "a percent sign that encodes nothing"),
    (b"POST /%zz HTTP/1.1", "a percent sign that encodes nothing"),
    (b"POST a.test:443 HTTP/1.1", TARGET), (b"POST x HTTP/1.1", TARGET), (b"POST ?x HTTP/1.1", TARGET),
    (b"POST ws://a/ HTTP/1.1", TARGET), (b"POST file:///etc/passwd HTTP/1.1", TARGET),
    (b"POST http:/a HTTP/1.1", TARGET), (b"POST **  HTTP/1.1", WORDS), (b"POST *a HTTP/1.1", TARGET),
    (b"POST http:///a HTTP/1.1", "a malformed authority"),
    (b"POST http://a:/ HTTP/1.1", "a malformed authority"),
    (b"POST http://u:p@a/ HTTP/1.1", "user information in the target"),
    (b"POST http://a@b/ HTTP/1.1", "user information in the target"),
    (b"POST http://b/ HTTP/1.1", "The target's authority and the Host header field differ."),
    (b"POST http://a:80/ HTTP/1.1", "The target's authority and the Host header field differ."),
    (b"POST http://ab/ HTTP/1.1", "The target's authority and the Host header field differ."),
    (b"POST * HTTP/1.1", 'The target "*" is for OPTIONS only.'),
]  # fmt: skip
"""A request line, before a good Host field."""

LENGTH = "Content-Length is no number of at most 15 digits."
CODING = "Transfer-Encoding other than chunked"
SHADOW = "underscore shadows"
OPTION = "Connection names a field that is not of the connection."
FOLDED = "white space at its start (a folded line)"
NO_NAME = "a character that no name may have"

REFUSED_FIELDS: list[tuple[bytes, str]] = [
    *[(b"Content-Length:%b\r\n" % value, LENGTH) for value in (
        b"", b" ", b" -1", b" +5", b" 0x5", b" 5 5", b" 5, 5", b" 5,", b" 1e1", b" 5_0", b" 5.0",
        b" \xb25", b" 9999999999999999", b" 18446744073709551617", b" five", b" 5;a", b' "5"')],
    (b"Content-Length: 5\r\nContent-Length: 5\r\n", "content-length is repeated"),
    (b"Content-Length: 5\r\ncontent-length: 6\r\n", "content-length is repeated"),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length is joined"),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Content-Length is joined"),
    *[(b"Transfer-Encoding:%b\r\n" % value, CODING) for value in (
        b"", b" gzip", b" identity", b" xchunked", b" gzip, chunked", b" chunked, chunked",
        b" chunked, identity", b" chunked;q=1", b" chunked,", b" ,chunked", b' "chunked"',
        b" \xa0chunked", b" chunked chunked")],
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding is repeated"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "transfer-encoding is repeated"),
    (b"Transfer-Encoding: \x0bchunked\r\n", 'field 2 ("Transfer-Encoding"): a control character'),
    (b"Transfer-Encoding: \x0cchunked\r\n", "a control character"),
    (b"Transfer-Encoding : chunked\r\n", 'field 2 ("Transfer-Encoding "): a space before the colon'),
    (b"Transfer-Encoding\t: chunked\r\n", '("Transfer-Encoding\\x09"): a space before the colon'),
    (b" Transfer-Encoding: chunked\r\n", "field 2: " + FOLDED),
    (b"Transfer-Encoding:\r\n chunked\r\n", "field 3: " + FOLDED),
    (b"X: a\r\n\tb\r\n", "field 3: " + FOLDED),
    (b"X: a\r\n \r\n", "field 3: " + FOLDED),
    (b"Transfer-Encoding\x00: chunked\r\n", '("Transfer-Encoding\\x00"): a NUL byte'),
    (b"X: y\nTransfer-Encoding: chunked\r\n", '("X"): a line feed without a carriage return'),
    (b"X: y\rTransfer-Encoding: chunked\r\n", '("X"): a carriage return without a line feed'),
    (b"X: y\r\r\n", "a carriage return without a line feed"),
    (b"X: y\n\r\n", "a line feed without a carriage return"),
    (b"X: y\n", "it does not end with an empty line"),
    (b"Content\x00-Length: 5\r\n", "a NUL byte"),
    (b"X: \x00\r\n", '("X"): a NUL byte'), (b"X: \x7f\r\n", "a control character"),
    (b"X: \x1b[0m\r\n", "a control character"), (b"X\r\n", "field 2: no colon"),
    (b"secret\r\n", "field 2: no colon"), (b": x\r\n", "field 2: no name"),
    (b"\r\nGET / HTTP/1.1\r\n", "field 2: an empty line before the end"),
    (b"X(: y\r\n", '("X("): ' + NO_NAME), (b"X Y: z\r\n", '("X Y"): ' + NO_NAME),
    (b"\xc3\xa9: y\r\n", '("\\xc3\\xa9"): ' + NO_NAME),
    (b'"X"\\: y\r\n', '("\\x22X\\x22\\x5c"): ' + NO_NAME),
    (b"@" * 99 + b": y\r\n", '("' + "@" * 64 + '"): ' + NO_NAME),
    (b"\xff" * 99 + b": y\r\n", '("' + "\\xff" * 16 + '"): ' + NO_NAME),
    *[(b"%b: 5\r\n" % name, SHADOW) for name in (
        b"Content_Length", b"CONTENT_LENGTH", b"Transfer_encoding", b"X_Api_Key", b"X-Api_Key",
        b"x_api-key", b"Content_Type", b"X_Forwarded_For", b"x-forwarded_for", b"X_Real_IP")],
    (b"host: b\r\n", "host is repeated"), (b"Host: a\r\n", "host is repeated"),
    (b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "authorization is repeated"),
    (b"Content-Type: a/b\r\nContent-Type: c/d\r\n", "content-type is repeated"),
    (b"X-Api-Key: a\r\nx-api-key: b\r\n", "x-api-key is repeated"),
    *[(b"Connection: %b\r\n" % value, OPTION) for value in (
        b"Content-Length", b"close, transfer-encoding", b"Host", b"keep-alive,authorization")],
    (b"Connection: x\r\nConnection: host\r\n", OPTION),
    (b"Expect: a-miracle\r\n", "Expect other than 100-continue"),
    (b"Expect: 100-continue, 100-continue\r\n", "Expect other than 100-continue"),
    (b"Expect:\r\n", "Expect other than 100-continue"),
]  # fmt: skip
"""Lines behind a good request line and a good Host field."""

NO_HOST = "host is no name or address"
REFUSED_HEADS: list[tuple[bytes, str]] = [
    (GET + b"\r\n", "Header field host is missing."),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", CODING),
    *[(GET + b"Host:%b\r\n\r\n" % host, NO_HOST) for host in (
        b"", b" ", b" a b", b" a/b", b" a@b", b" u@a?x", b" [::1", b" ::1", b" a:", b" a:b", b" :80",
        b" a:999999", b" a\\b", b" \xc3\xa9", b" a#b", b" a?b", b" a,b", b" a%00b", b" http://a")],
    (b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", NO_HOST),
    (GET + b"Host : a\r\n\r\n", 'header field 1 ("Host "): a space before the colon'),
    (b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", "first line: a line feed without"),
    (GET + HOST, "it does not end with an empty line"), (b"", "it does not end with an empty line"),
    (b"\r\n\r\n", WORDS), (b"\r\n" + GET + HOST + b"\r\n", WORDS),
    (GET + HOST + b"\r\nx", "it does not end with an empty line"),
    ((GET + HOST + b"\r\n") * 2, "an empty line before the end"),
    (GET + HOST + b"X: 1\r\n" * 100 + b"\r\n", "More than 100 header fields."),
]  # fmt: skip


def refused_requests() -> list[tuple[bytes, str]]:
    """Every request head that must be refused, with a part of the message."""
    lines = [(line + b"\r\n" + HOST + b"\r\n", why) for line, why in REFUSED_LINES]
    fields = [(POST + HOST + field + b"\r\n", why) for field, why in REFUSED_FIELDS]
    return lines + fields + REFUSED_HEADS


# --- responses ----------------------------------------------------------------------------------
OK = b"HTTP/1.1 200 OK\r\n"
ACCEPTED_RESPONSES: list[tuple[bytes, dict[str, object]]] = [
    (OK + b"Content-Length: 5\r\n\r\n",
     {"status": 200, "content_length": 5, "chunked": False, "keep_alive": True}),
    (b"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n",
     {"content_length": None, "chunked": True, "keep_alive": True,
      "headers": {b"transfer-encoding": b"chunked"}}),
    (b"HTTP/1.1 200 \r\n\r\n", {"content_length": None, "chunked": False, "keep_alive": False}),
    (b"HTTP/1.1 599 \xe9\t~\r\nContent-Length: 0\r\n\r\n", {"status": 599, "content_length": 0}),
    (OK + b"Retry-After: 5 \r\nX-A: 1\t\r\nx-a: \xe9\r\nContent-Length:0 \r\n\r\n",
     {"headers": {b"retry-after": b"5", b"x-a": b"1, \xe9", b"content-length": b"0"}}),
    *[(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status,
       {"status": status, "content_length": 0, "chunked": False}) for status in (204, 304)],
    (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", {"content_length": 0, "chunked": False}),
    (OK + b"Content-Length: 5\r\nConnection: close\r\n\r\n", {"keep_alive": False}),
    (OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n", {"keep_alive": False}),
    (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", {"keep_alive": False}),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", {"keep_alive": False}),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", {"keep_alive": True}),
    (OK + b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding, keep-alive\r\n\r\n",
     {"chunked": True, "keep_alive": True}),  # as a large delivery network sends it
    (OK + b"Connection: upgrade\r\nUpgrade: h2,h2c\r\nContent-Length: 2\r\n\r\n",
     {"content_length": 2, "keep_alive": True}),
    (b"HTTP/1.1 100 Continue\r\n\r\n", {"status": 100}),
    (b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n", {"status": 103}),
    (OK + b"X: 1\r\n" * 200 + b"\r\n", {"headers": {b"x": b", ".join([b"1"] * 200)}}),
]  # fmt: skip

CONTRADICTION = "Provider sent contradictory framing."
BAD_LENGTH = "Provider sent a malformed Content-Length."
STATUS = LINE + "no status of three digits"
REFUSED_RESPONSES: list[tuple[bytes, str]] = [
    (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", CONTRADICTION),
    (OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", CONTRADICTION),
    (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", CONTRADICTION),
    (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", CONTRADICTION),
    *[(OK + b"Transfer-Encoding:%b\r\n\r\n" % value, CONTRADICTION)
      for value in (b"", b" gzip", b" gzip, chunked", b" chunked, gzip", b" chunked;x")],
    *[(OK + b"Content-Length:%b\r\n\r\n" % value, BAD_LENGTH)
      for value in (b"", b" five", b" -5", b" +5", b" 5, 5", b" 9999999999999999")],
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding on HTTP/1.0"),
    (b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", CONTRADICTION),
    *[(b"HTTP/1.1 %b\r\n\r\n" % line, STATUS) for line in (
        b"2000 OK", b"099 X", b"20 X", b"+200 X", b" 200 X", b"200\tOK", b"200OK", b"", b"OK")],
    *[(line + b"\r\n\r\n", VERSION) for line in (
        b"HTTP/2 200", b"HTTP/1.2 200 OK", b"SSH-2.0-x", b"", b"http/1.1 200 OK", b"ICY 200 OK")],
    (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "that nobody asked for"),
    (b"HTTP/1.1 101 Switching\r\n\r\n", "that nobody asked for"),
    (b"HTTP/1.1 200 O\x00K\r\n\r\n", LINE + "a NUL byte"),
    (b"HTTP/1.1 200 O\x7fK\r\n\r\n", LINE + "a control character"),
    (b"HTTP/1.1 200 OK\nContent-Length: 5\n\n\r\n\r\n", LINE + "a line feed without"),
    (OK + b"X: a\r\n b\r\n\r\n", "header field 2: " + FOLDED),
    (OK + b"Content-Length : 5\r\n\r\n", '("Content-Length "): a space before the colon'),
    (OK + b"X: y\nContent-Length: 5\r\n\r\n", '("X"): a line feed without'),
    (OK + b"X\r\n\r\n", "header field 1: no colon"),
    (OK + b"X: 1\r\n" * 201 + b"\r\n", "more than 200 fields"),
]  # fmt: skip

# --- chunked bodies -----------------------------------------------------------------------------
ACCEPTED_BODIES: list[tuple[bytes, bytes, bytes]] = [
    (b"0\r\n\r\n", b"", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
    (b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n", b"hello!", b""),
    (b"A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", b"0123456789" * 2, b""),
    *[(line + b"\r\nhello\r\n0\r\n\r\nGET /", b"hello", b"GET /") for line in (
        b"05", b"00000005", b"5 ", b"5 \t", b"5;", b"5;a=b", b'5;a="\xe9" ; c', b"5; \t=;")],
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", b""),
    (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n0\r\n\r\n", b"0\r\n\r\n", b"0\r\n\r\n"),
    (b"0;last\r\nA:\r\nB: \xe9 \t\r\nc_d: x:y\r\nX-Content-Length: 5\r\n\r\n\r\n", b"", b"\r\n"),
    (b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n", b"x" * 1024, b""),
]  # fmt: skip
"""A body, its payload, and what is left behind it."""

REFUSED_BODIES: list[tuple[bytes, str]] = [
    *[(line + b"\r\nhello\r\n0\r\n\r\n", "malformed chunk size") for line in (
        b"+5", b"0x5", b"5_0", b" 5", b"-1", b"zz", b"", b"123456789", b"000000005", b"5;\x00",
        b"5\n", b"5 x", b"5 ;a", b"5\t;", b"5;a\n", b"5;\x7f", b"5\r", b"\n5", b"5h", b"\xff")],
    *[(body + b" " * 8192, "malformed chunk size|too long|longer than its size") for body in (
        b"5\nhello\n0\n\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"3\r\nhello\r\n",
        b"5\r\nhello\r\r\n", b"5\r\nhell\r\n0\r\n\r\n")],
    (b"5;" + b"x" * 1023 + b"\r\nhello\r\n0\r\n\r\n", "too long"),
    *[(b"0\r\n" + line + b"\r\n\r\n", "malformed trailer") for line in (
        b"garbage", b": x", b"A : x", b" A: x", b"A: x\r\n y", b"A: \x00", b"A: x\ny: z", b"A\xff: x",
        b"Content-Length: 5", b"transfer-encoding: chunked", b"HOST: a")],
    (b"0\r\n" + b"x: y\r\n" * 2049 + b"\r\n", "the trailers are too long"),
]  # fmt: skip


def told(head: ResponseHead) -> dict[str, object]:
    """What a response head says, as a value that can be compared."""
    return {name: getattr(head, name) for name in ResponseHead.__slots__}
