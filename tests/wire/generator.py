"""HTTP/1.1 at random: by the grammar, by what attackers are known to send, and with bytes changed.

Everything is drawn from the `random.Random` that is given, so that a seed repeats a case.
"""

from random import Random

ODD = [bytes([n]) for n in (0, 9, 10, 11, 12, 13, 27, 32, 127, 128, 160, 255)] + [
    b":", b",", b";", b"_", b"#", b"\\", b"%", b"/", b"@", b"A", b"0", b"\r\n", b"\r\n ", b'"',
]  # fmt: skip
RATES = (0.0, 0.0, 0.02, 0.1, 0.4)
"""How often a place of one case is odd."""

METHODS = [b"GET", b"POST", b"PUT", b"OPTIONS", b"HEAD", b"DELETE", b"PATCH", b"TRACE"]
ODD_METHODS = [
    b"get", b"PROPFIND", b"FOO", b"CONNECT", b"PRI", b"M-SEARCH", b"A_B", b"DESCRIBE", b"QUERY", b"POS",
]  # fmt: skip
TARGETS = [
    b"/",
    b"/v1/chat/completions",
    b"/a?b=c",
    b"http://a/b",
    b"https://a?x",
    b"/a%2f..%2F",
    b'/"<>^`{|}',
    b"/?/%",
]
ODD_TARGETS = [
    b"*", b"http://b/", b"/a#b", b"//b", b"/%00", b"/\\", b"a:80", b"HTTP://A", b"http://u@a/", b"http://a//b",
    b"ftp://a/", b"x", b"?", b"/\xe9", b"http://", b"/%", b"http://[::1]/", b"h1://a/", b"http:/a", b"http://a@b@c/",
    b"http://a:1", b"/\x7f", b"http://a\\b/", b"/a?b#c?d", b"http://%41/",
]  # fmt: skip
VERSIONS = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0"]
ODD_VERSIONS = [
    b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.10", b"HTTP/9.9", b"RTSP/1.0", b"HTTP/2", b"HTTP/01.1",
]  # fmt: skip
STATUSES = [b"200", b"200", b"200", b"204", b"304", b"100", b"103", b"429", b"600"]
ODD_STATUSES = [b"101", b"999", b"099", b"20", b"2000", b"", b"000", b"2_0"]
REASONS = [b" OK", b" OK", b"", b" ", b" a b", b" \xe9"]
ODD_REASONS = [b"\tOK", b"  ", b" O\x00K", b"OK", b" \x01"]

FIELDS = [
    (b"Content-Length", [b"5", b"0", b"05", b"9" * 15]), (b"Transfer-Encoding", [b"chunked", b"Chunked"]),
    (b"Connection", [b"close", b"keep-alive", b"upgrade", b"Upgrade, close", b"x,,y"]),
    (b"Upgrade", [b"websocket", b"h2c"]), (b"Expect", [b"100-continue", b"100-Continue"]),
    (b"Authorization", [b"Bearer x"]), (b"Content-Type", [b"application/json", b"a/b"]), (b"X_A", [b"1"]),
    (b"X", [b"", b"1", b"\xc3\xa9", b"a b\tc", b'(),/:;<=>?@[\\]{}"']), (b"!#$%&'*+-.^_`|~", [b"1"]),
    (b"X", [b"2"]),
]  # fmt: skip
ODD_FIELDS = [
    (b"Host", [b"a", b"", b"a b", b"b"]),
    (b"Content-Length", [b"5, 5", b"5,6", b"+5", b"0x5", b"-1", b"", b"9" * 16, b"9" * 20, b"9" * 21, b"1e1", b"5 5", b"5,",
                         b"18446744073709551615", b"18446744073709551616"]),
    (b"Transfer-Encoding", [b"identity", b"gzip, chunked", b"chunked, gzip", b"", b"chunked,", b"chunked, chunked",
                            b"xchunked", b"chunked;a=b", b",chunked", b"gzip"]),
    (b"Connection", [b"Content-Length", b"", b"Keep-Alive, close"]), (b"Upgrade", [b""]), (b"Expect", [b"x"]),
    (b"Content_Length", [b"5"]), (b"X-Api_Key", [b"k"]), (b"X", [b"\x01", b"\x7f", b"\x00"]), (b"X Y", [b"1"]),
    (b"X(", [b"1"]), (b"\xe9", [b"1"]), (b"", [b"1"]),
]  # fmt: skip

PAYLOAD = bytes(range(0x67, 0x7B)) + b"\x00\xe9\xff"
"""Bytes of most payloads: none that a line of framing is made of, so that lines can be told apart."""


class Draw:
    """One case's draws: good pieces, and odd ones at the case's own rate."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.rate = rng.choice(RATES)

    def one(self, good: list[bytes], odd: list[bytes]) -> bytes:
        """A good piece or an odd one."""
        return self.rng.choice(odd if self.rng.random() < self.rate else good)

    def end(self) -> bytes:
        """The end of a line."""
        return self.one(
            [b"\r\n"], [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b" \r\n", b"\r\n ", b"\r\n\t", b""]
        )

    def field(self) -> bytes:
        """A field line."""
        name, values = self.rng.choice(ODD_FIELDS if self.rng.random() < self.rate else FIELDS)
        name = self.one([name], [name.lower(), name.upper(), name.swapcase()])
        separator = self.one(
            [b": ", b": ", b":", b":  ", b":\t"], [b" : ", b"\t:", b"", b": \r\n ", b"::"]
        )
        padding = self.one([b""], [b" ", b"\t", b" \t "])
        return name + separator + self.rng.choice(values) + padding + self.end()

    def fields(self, wanted: bytes) -> bytes:
        """A few field lines."""
        lines = [self.field() for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3, 5)))]
        lines += [self.one([wanted], [b""])]
        self.rng.shuffle(lines)
        return b"".join(lines)

    def size_line(self, size: int) -> bytes:
        """The line that begins a chunk."""
        digits = self.one(
            [b"%x", b"%x", b"%X", b"%02x"],
            [b"%08x", b"%09x", b"%021x", b"0x%x", b"+%x", b" %x", b"%x_"],
        )
        extension = self.one(
            [b"", b"", b"", b";a=b"],
            [b";", b"; a", b" ;a", b" ", b"\t", b';a="\xe9"', b";\x00", b";\x01", b" x", b";a\n", b";" + b"x" * 30, b";\r",
             b";a=b;c", b'; a = "b"', b";a=b ", b";=", b";a;"],
        )  # fmt: skip
        return digits % size + extension + self.end()

    def mutated(self, raw: bytes) -> bytes:
        """The same, or with a few bytes put in, taken out, changed or doubled."""
        rng = self.rng
        while rng.random() < self.rate * 2:
            at = rng.randrange(len(raw) + 1)
            until = at + rng.choice((0, 0, 1, 1, 2, 5))
            middle = rng.choice((b"", rng.choice(ODD), raw[at:until] * 2, rng.randbytes(1)))
            raw = raw[:at] + middle + raw[until:]
        return raw


def request_head(rng: Random) -> bytes:
    """A request head, perhaps a good one."""
    draw = Draw(rng)
    gap = draw.one([b" "], [b"  ", b"\t", b""])
    target = draw.one(TARGETS, ODD_TARGETS)
    line = gap.join([draw.one(METHODS, ODD_METHODS), target, draw.one(VERSIONS, ODD_VERSIONS)])
    start = draw.one([b""], [b"\r\n", b"\n", b" "])
    final = draw.one([b"\r\n"], [b"\n", b"", b" \r\n\r\n", b"\r\nx"])
    return draw.mutated(start + line + draw.end() + draw.fields(b"Host: a\r\n") + final)


def response_head(rng: Random) -> bytes:
    """A response head, perhaps a good one."""
    draw = Draw(rng)
    gap = draw.one([b" "], [b"  ", b"\t", b""])
    line = draw.one(VERSIONS, ODD_VERSIONS) + gap + draw.one(STATUSES, ODD_STATUSES)
    start = draw.one([b""], [b"\r\n", b"\n", b" "])
    final = draw.one([b"\r\n"], [b"\n", b"", b" \r\n\r\n"])
    return draw.mutated(
        start + line + draw.one(REASONS, ODD_REASONS) + draw.end() + draw.fields(b"") + final
    )


def chunked_body(rng: Random) -> bytes:
    """A chunked body, perhaps a good one, perhaps with something behind it."""
    draw = Draw(rng)
    pieces = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        payload = bytes(rng.choices(PAYLOAD, k=rng.choice((1, 2, 5, 16, 40))))
        if rng.random() < 0.2:
            payload = rng.choice((b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"\n", b"\r"))
        pieces.append(draw.size_line(len(payload)) + payload + draw.end())
    pieces += [
        draw.size_line(0),
        *(draw.field() for _ in range(rng.choice((0, 0, 0, 1, 2)))),
        draw.end(),
    ]
    return draw.mutated(b"".join(pieces)) + rng.choice((b"", b"", b"x", b"GET /"))


def cut(rng: Random, data: bytes) -> list[bytes]:
    """The same bytes in pieces; never an empty one."""
    edges = sorted(
        {0, len(data), *(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 1, 3, 9))))}
    )
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]
