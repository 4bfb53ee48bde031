r"""Request lines and header fields that are attacks, or look like one; what may be done stands elsewhere.

`<len>` is replaced by the size of what is smuggled behind; see `framing_attacks`.
"""

Table = dict[str, bytes]
"""What is wrong -> the bytes."""

# --- request lines: what stands before "CRLF Host: localhost CRLF CRLF" ---------------------------
STARTS: Table = {
    "no target": b"GET HTTP/1.1", "no method": b"/healthz/live HTTP/1.1", "only a method": b"GET",
    "no version": b"GET /healthz/live", "no version but its space": b"GET /healthz/live ",
    "two spaces": b"GET  /healthz/live HTTP/1.1", "two spaces behind": b"GET /healthz/live  HTTP/1.1",
    "a tab for a space": b"GET\t/healthz/live HTTP/1.1", "tab behind": b"GET /healthz/live\tHTTP/1.1",
    "a vertical tab for a space": b"GET\x0b/healthz/live HTTP/1.1",
    "a no-break space": b"GET\xa0/healthz/live HTTP/1.1",
    "a space at the end": b"GET /healthz/live HTTP/1.1 ", "tab at the end": b"GET / HTTP/1.1\t",
    "a CR at the end": b"GET /healthz/live HTTP/1.1\r", "a word too many": b"GET / HTTP/1.1 HTTP/1.1",
    "a space in the target": b"GET /health z/live HTTP/1.1", "a request in the target": b"GET / HTTP/1.1 GET / HTTP/1.1",
    "a leading space": b" GET /healthz/live HTTP/1.1", "a leading tab": b"\tGET /healthz/live HTTP/1.1",
    "a leading NUL": b"\0GET /healthz/live HTTP/1.1", "a byte order mark": b"\xef\xbb\xbfGET / HTTP/1.1",
    "a leading CR": b"\rGET /healthz/live HTTP/1.1", "CR CR LF before": b"\r\r\nGET / HTTP/1.1",
    "a leading LF": b"\nGET /healthz/live HTTP/1.1", "a lone CR inside": b"GET /\r HTTP/1.1",
    "a NUL in the target": b"GET /\0 HTTP/1.1", "DEL in the target": b"GET /\x7f HTTP/1.1",
    "a control byte in the target": b"GET /\x01 HTTP/1.1", "a byte above ASCII": b"GET /\xff HTTP/1.1",
    "UTF-8 in the target": "GET /né HTTP/1.1".encode(), "a fragment": b"GET /healthz/live#x HTTP/1.1",
    "only a fragment": b"GET #x HTTP/1.1", "only a query": b"GET ?x HTTP/1.1",
    "a relative target": b"GET healthz/live HTTP/1.1", "dots for a target": b"GET ../.. HTTP/1.1",
    "a backslash for a slash": b"GET \\healthz\\live HTTP/1.1", "an asterisk for GET": b"GET * HTTP/1.1",
    "an asterisk for POST": b"POST * HTTP/1.1", "an asterisk and more": b"OPTIONS *x HTTP/1.1",
    "an authority for GET": b"GET localhost:80 HTTP/1.1", "a header for a start": b"Host: localhost",
    "another authority": b"GET http://evil.test/healthz/live HTTP/1.1",
    "userinfo": b"GET http://localhost@evil.test/ HTTP/1.1", "own userinfo": b"GET http://a:b@localhost/ HTTP/1.1",
    "no authority": b"GET http:///healthz/live HTTP/1.1", "one slash": b"GET http:/localhost/ HTTP/1.1",
    "a port twice": b"GET http://localhost:80:80/ HTTP/1.1", "a scheme of files": b"GET file:///etc/passwd HTTP/1.1",
    "a scheme of scripts": b"GET javascript:alert(1) HTTP/1.1", "ftp": b"GET ftp://localhost/ HTTP/1.1",
    "an authority with a backslash": b"GET http://localhost\\@evil.test/ HTTP/1.1",
    "an authority with a percent": b"GET http://localhost%2f.evil.test/ HTTP/1.1",
    "a status line": b"HTTP/1.1 200 OK", "a banner of SSH": b"SSH-2.0-OpenSSH_9.2", "EHLO": b"EHLO localhost",
    "a PROXY line": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1",
    "a PROXY line of unknown": b"PROXY UNKNOWN\r\nGET / HTTP/1.1", "RTSP": b"OPTIONS * RTSP/1.0",
    "SIP": b"INVITE sip:a@localhost SIP/2.0", "ICY": b"GET / ICY/1.1", "HTTPS": b"GET / HTTPS/1.1",
    "a lower-case version": b"GET / http/1.1", "a version of two digits": b"GET / HTTP/1.10",
    "a version with a zero": b"GET / HTTP/01.1", "a version with a comma": b"GET / HTTP/1,1",
    "no minor version": b"GET / HTTP/1.", "no major version": b"GET / HTTP/.1", "no dot": b"GET / HTTP/11",
    "three numbers": b"GET / HTTP/1.1.1", "a signed version": b"GET / HTTP/+1.1", "a spaced version": b"GET / HTTP /1.1",
    "a NUL in the version": b"GET / HTTP/1.1\0", "a vertical tab behind": b"GET / HTTP/1.1\x0b",
    "a path of percent NUL": b"GET /%00 HTTP/1.1", "percent CR LF": b"GET /%0d%0aX:%20y HTTP/1.1",
}  # fmt: skip
VERSIONS: Table = {
    f"HTTP/{version}": f"GET /healthz/live HTTP/{version}".encode()
    for version in ("0.9", "1.2", "1.9", "2.0", "2", "3.0", "9.9", "0.0")
}
METHODS: Table = {
    "a lower-case method": b"get /healthz/live HTTP/1.1", "a mixed method": b"Get /healthz/live HTTP/1.1",
    "an unknown method": b"BREW /healthz/live HTTP/1.1", "a method of WebDAV": b"PROPFIND / HTTP/1.1",
    "CONNECT": b"CONNECT localhost:22 HTTP/1.1", "CONNECT and a path": b"CONNECT /healthz/live HTTP/1.1",
    "a cut method": b"ET /healthz/live HTTP/1.1", "a long method": b"G" * 300 + b" / HTTP/1.1",
    "a method twice": b"GETGET / HTTP/1.1", "no method's token": b"G(T / HTTP/1.1", "NUL": b"G\0T / HTTP/1.1",
    "a method above ASCII": b"G\xc9T / HTTP/1.1", "a quoted method": b'"GET" / HTTP/1.1', "PRI": b"PRI / HTTP/1.1",
}  # fmt: skip
PATHS: Table = {
    "a percent": b"/%", "a percent and one digit": b"/%2", "percent zz": b"/%zz", "percent u": b"/%u0041",
    "dots": b"/../../etc/passwd", "percent dots": b"/%2e%2e/%2e%2e/etc/passwd", "overlong dots": b"/%c0%ae%c0%ae/",
    "dots and a semicolon": b"/..;/healthz/live", "backslashes": b"/..\\..\\", "two slashes": b"//evil.test/healthz",
    "an encoded slash": b"/healthz%2flive", "twice encoded": b"/%252e%252e/", "brackets": b"/[]{}|^`",
    "less and greater": b"/<script>", "quotes": b"/\"'", "a path above ASCII": b"/%ff%fe", "three slashes": b"///",
    "a dot": b"/.", "a slash too many": b"/healthz//live", "a query of queries": b"/nowhere?a?b&&=;",
}  # fmt: skip

TARGETS_TOO_LONG: Table = {
    "a path of 9,000": b"GET /" + b"a" * 9000 + b" HTTP/1.1", "a query of 20,000": b"GET /?" + b"a" * 20_000 + b" HTTP/1.1",
    "a line of 40,000": b"GET /" + b"a" * 40_000 + b" HTTP/1.1", "a URL of 9,000": b"GET http://localhost/" + b"a" * 9000 + b" HTTP/1.1",
    "one line of 40,000": b"G" * 40_000,
}  # fmt: skip

# --- fields of a GET without a body ---------------------------------------------------------------
FIELDS: Table = {
    "no colon": b"X\r\n", "an empty name": b": x\r\n", "a space for a name": b" : x\r\n",
    "a space before the colon": b"X : y\r\n", "a tab before it": b"X\t: y\r\n", "a space in a name": b"X Y: z\r\n",
    "a leading space": b" X: y\r\n", "a leading tab": b"\tX: y\r\n", "a fold": b"X: y\r\n z\r\n",
    "a fold by tab": b"X: y\r\n\tz\r\n", "a fold to nothing": b"X: y\r\n \r\n", "a fold at once": b"X:\r\n y\r\n",
    "a bare LF": b"X: y\nZ: z\r\n", "a bare CR": b"X: y\rZ: z\r\n", "CR CR LF": b"X: y\r\r\n", "LF CR": b"X: y\n\r\n",
    "LF LF and a request": b"X: y\n\nGET /smuggled HTTP/1.1\r\n", "CR CR and a request": b"X: y\r\rGET / HTTP/1.1\r\n",
    "a bare LF at the end": b"X: y\r\n\nGET /smuggled HTTP/1.1\r\n", "a NUL in a value": b"X: \0\r\n",
    "a NUL in a name": b"X\0: y\r\n", "a backspace": b"X: \x08\r\n", "DEL in a value": b"X: \x7f\r\n",
    "an escape": b"X: \x1b[2J\r\n", "a vertical tab": b"X:\x0by\r\n", "a form feed": b"X: y\x0c\r\n",
    "a name in brackets": b"X(y): z\r\n", "a name in quotes": b'"X": y\r\n', "a name with a slash": b"X/y: z\r\n",
    "a name with at": b"X@y: z\r\n", "a name above ASCII": b"X\xe9: y\r\n", "a name in UTF-8": "né: y\r\n".encode(),
    "a name with equals": b"X=y: z\r\n", "a name with a comma": b"X,y: z\r\n", "a name of a no-break space": b"X\xa0: y\r\n",
    "a request line for a field": b"GET /smuggled HTTP/1.1\r\n", "a second start": b"GET /healthz/live HTTP/1.1\r\nX: y\r\n",
    "Host twice": b"Host: localhost\r\n", "Host twice, differing": b"Host: evil.test\r\n", "hOsT": b"hOsT: localhost\r\n",
    "Host and a space": b"Host : evil.test\r\n", "Host and a NUL": b"Host\0: evil.test\r\n",
    "Connection: host": b"Connection: close, host\r\n", "two keys": b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
    "Connection: content-length": b"Connection: content-length\r\n", "a shadowed key": b"X_API_KEY: k\r\n",
    "Connection: Transfer-Encoding": b"Connection: keep-alive, Transfer-Encoding\r\n",
    "Connection: authorization": b"Connection: Authorization\r\nAuthorization: Bearer x\r\n",
    "Connection: x-forwarded-for": b"Connection: X-Forwarded-For\r\nX-Forwarded-For: 127.0.0.1\r\n",
    "content_length": b"Content_Length: 5\r\n", "transfer_encoding": b"Transfer_Encoding: chunked\r\n",
    "content-type twice": b"Content-Type: application/json\r\ncontent-type: text/plain\r\n",
    "a shadowed forward": b"X_Forwarded-For: 127.0.0.1\r\n",
}  # fmt: skip
FIELDS_TOO_MANY: Table = {
    "101 fields": b"".join(b"X-%d: y\r\n" % n for n in range(101)), "a field 500 times": b"X: y\r\n" * 500,
    "200 empty ones": b"X:\r\n" * 200,
}  # fmt: skip
FIELDS_TOO_LONG: Table = {
    "a value of 40 KiB": b"X: " + b"y" * 40_000 + b"\r\n", "a name of 40 KiB": b"X" * 40_000 + b": y\r\n",
    "80 fields of 500 bytes": b"".join(b"X-%d: %b\r\n" % (n, b"y" * 500) for n in range(80)),
    "blanks of 40 KiB": b"X:" + b" " * 40_000 + b"y\r\n", "names that collide": b"X: y\r\n" * 8000,
}  # fmt: skip
FIELDS_LEGAL: Table = {
    "no value": b"X:\r\n", "blanks around a value": b"X: \t y \t \r\n", "a colon in a value": b"X: y: z\r\n",
    "obs-text in a value": b"X: \xe9\xff\r\n", "a name of every sign": b"!#$%&'*+-.^_`|~0: y\r\n",
    "an underscore that shadows nothing": b"X_Y: z\r\n", "hop by hop of nothing": b"Connection: x, y, ,\r\n",
    "Keep-Alive of nonsense": b"Keep-Alive: timeout=-1, max=x\r\n", "Proxy-Connection": b"Proxy-Connection: close\r\n",
    "TE of nonsense": b"TE: chunked;q=9\r\n", "a length of nothing": b"Content-Length: 0\r\n", "100 Continue without a body": b"Expect: 100-continue\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "websocket without a key": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n",
    "h2c": b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "h2c of bad settings": b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: A\r\n",
    "h2c of no base 64": b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: !!\xff\r\n",
    "h2c without settings": b"Upgrade: h2c\r\nConnection: Upgrade\r\n", "TLS as an upgrade": b"Upgrade: TLS/1.2\r\nConnection: Upgrade\r\n",
    "a range beyond": b"Range: bytes=0-,0-,-1,99999999999999999999-\r\n", "a date of nonsense": b"If-Modified-Since: x\r\n",
}  # fmt: skip
FIELDS_LAST: Table = {
    "close": b"Connection: close\r\n", "CLOSE": b"connection:CLOSE\r\n", "close and keep-alive": b"Connection: close, keep-alive\r\n",
    "keep-alive and close": b"Connection: keep-alive,close\r\n", "close in a list": b"Connection: x ,\tclose\t, y\r\n",
    "close in a second field": b"Connection: keep-alive\r\nConnection: close\r\n",
}  # fmt: skip
"""Good, and the last of their connection."""
EXPECTATIONS: Table = {
    f"Expect {value!r}": b"Expect: " + value + b"\r\n"
    for value in (b"x", b"100-continue, x", b"100-continue;q=1", b"200-ok", b'"100-continue"', b"100", b"y 100-continue", b"\r\n 100-continue", b"100-continue\0")
}  # fmt: skip
HOSTS: Table = {
    "empty": b"", "userinfo": b"evil@localhost", "a path": b"localhost/x", "a query": b"localhost?x", "a fragment": b"localhost#x",
    "BadHost": b"a?x=/admin", "a port of letters": b"localhost:abc", "a negative port": b"localhost:-1", "two ports": b"localhost:1:2",
    "a list": b"localhost, evil.test", "a blank": b"localhost evil.test", "a half bracket": b"[::1", "more than brackets": b"[::1]evil.test",
    "a backslash": b"localhost\\evil", "a percent": b"localhost%00.evil.test", "a scheme": b"http://localhost", "quotes": b'"localhost"',
    "above ASCII": b"localhost\xff", "a zone": b"[fe80::1%25eth0]", "a semicolon": b"localhost;evil",
}  # fmt: skip
"""Values of Host that are none; the rest of the request is good."""
HOSTS_FOREIGN: Table = {
    "another": b"evil.test", "one that looks alike": b"localhost.evil.test", "all zeros": b"0.0.0.0", "an octal": b"0177.0.0.1",
    "a number": b"2130706433", "the cloud's": b"169.254.169.254", "a dash": b"-", "1000 letters": b"a" * 1000,
}  # fmt: skip

# --- fields of a POST with a body: lengths (behind them 5 bytes), codings (behind them "0 CRLF CRLF") ---
LENGTHS: Table = {
    value.decode("latin-1"): b"Content-Length: " + value + b"\r\n"
    for value in (
        b"+5", b"-5", b"0x5", b"5 5", b"5,5", b"5, 5", b"5;", b"5.0", b"5e0", b"1_0", b"5a", b'"5"', b"", b"-0", b"^5", b"5-5", b"\xb2",
        b"5\0", b"5\x0b", b"\x0c5", b"0,5", b"five", b"18446744073709551621", b"99999999999999999999", b"\xd9\xa5", b"\xef\xbc\x95", b"5\x85",
    )
} | {
    "twice the same": b"Content-Length: 5\r\nContent-Length: 5\r\n", "twice": b"Content-Length: 0\r\ncontent-length: 5\r\n",
    "a space before the colon": b"Content-Length : 5\r\n", "a tab before it": b"Content-Length\t: 5\r\n", "a NUL": b"Content-Length\0: 5\r\n",
    "a leading space": b" Content-Length: 5\r\n", "a fold": b"Content-Length: 5\r\n 0\r\n", "a fold at once": b"Content-Length:\r\n 5\r\n",
    "behind a CR": b"X: y\rContent-Length: 5\r\n", "behind an LF": b"X: y\nContent-Length: 5\r\n", "behind CR CR LF": b"X: y\r\r\nContent-Length: 5\r\n",
    "two and an LF": b"Content-Length: 5\nContent-Length: 0\r\n", "a space in the name": b"Content Length: 5\r\n", "equals": b"Content-Length= 5\r\n",
    "beside its shadow": b"Content-Length: 5\r\nContent_Length: 0\r\n", "three times": b"Content-Length: 5\r\n" * 3,
}  # fmt: skip
CODINGS: Table = {
    value.decode("latin-1"): b"Transfer-Encoding: " + value + b"\r\n"
    for value in (
        b"xchunked", b"chunked, chunked", b"chunked,", b",chunked", b"identity", b"identity, chunked", b"chunked, identity", b"gzip, chunked",
        b"chunked;q=1", b'"chunked"', b"chunk", b"", b"cow", b"\x0bchunked", b"\0chunked", b"chunked\0", b"chunked\x0c", b"chunked\xa0", b"chunked x",
        b"chun\xe2\x84\xaaed", b"\xef\xbd\x83hunked", b"chunked\r\n ", b"\r\n chunked", b"chun\r\n ked", b"chunked\n", b"chunked\r", b"[chunked]", b"chunked_",
    )
} | {
    "CL.TE": b"Content-Length: <len>\r\nTransfer-Encoding: chunked\r\n", "TE.CL": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    "CL.0 and TE": b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "TE and a bad length": b"Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
    "TE twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "TE twice, differing": b"Transfer-Encoding: chunked\r\ntransfer-encoding: x\r\n",
    "TE.TE, cow first": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n", "TE and a space": b"Transfer-Encoding : chunked\r\n",
    "TE and a tab": b"Transfer-Encoding\t: chunked\r\n", "TE behind a space": b" Transfer-Encoding: chunked\r\n", "TE behind a CR": b"X: y\rTransfer-Encoding: chunked\r\n",
    "TE behind an LF": b"X: y\nTransfer-Encoding: chunked\r\n", "TE's shadow": b"Transfer_Encoding: chunked\r\n", "TE and a NUL": b"Transfer-Encoding\0: chunked\r\n",
    "TE, shadow, CL": b"Content-Length: 5\r\nTransfer_Encoding: chunked\r\n", "TE in two words": b"Transfer Encoding: chunked\r\n",
    "TE as an option": b"Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n", "TE quoted, CL": b"Content-Length: 5\r\nTransfer-Encoding: 'chunked'\r\n",
    "TE empty, CL": b"Content-Length: 5\r\nTransfer-Encoding:\r\n", "TE identity, CL": b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
    "TE tabbed, CL": b"Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n", "TE folded, CL": b"Content-Length: 5\r\nX: y\r\n Transfer-Encoding: chunked\r\n",
}  # fmt: skip
CODINGS_LEGAL: Table = {
    "upper case": b"Transfer-Encoding: CHUNKED\r\n", "no blank": b"transfer-encoding:chunked\r\n", "blanks": b"Transfer-Encoding: \t chunked \t\r\n",
    "a coded content": b"Content-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n",
}  # fmt: skip
