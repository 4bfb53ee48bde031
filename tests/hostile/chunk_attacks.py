r"""Chunked bodies that are attacks, or look like one: what stands behind a POST's head.

`<chat>` is replaced by a good body and `<n>` by its size in hexadecimal; see `framing_attacks`.
"""

Table = dict[str, bytes]
"""What is wrong -> the bytes."""

END = b"\r\n0\r\n\r\n"
"""CRLF of a chunk, the last chunk, no trailers."""


def sized(line: bytes) -> bytes:
    """A good body whose size line is `line` and CRLF."""
    return line + b"\r\n<chat>" + END


SIZES: Table = {
    f"size {line!r}": sized(line)
    for line in (
        b"-<n>", b"+<n>", b"0x<n>", b" <n>", b"\t<n>", b"", b"zz", b"<n>g", b"<n> <n>", b"<n>,<n>", b"<n>.0", b"<n>h", b"\\x<n>", b"<n>_", b"0_<n>",
        b"<n>\0", b"<n>\x0b", b"\0<n>", b"<n>\xa0", b"\xef\xbc\x92", b"FFFFFFFFFFFFFFFF", b"10000000000000002", b"100000000000000000", b"1" * 600,
        b"-0", b"-1", b"<n>\r", b"<n>;\0", b"<n>;x\x01", b"<n>;x=\x08", b"<n>;\x7f", b"<n>;x\n", b"<n>;x\ny", b"<n>;x\ry", b"<n>;x\r", b'<n>;x="\n"', b"<n>#x", b"<n>:x", b"<n>=x",
    )
}  # fmt: skip
ENDINGS: Table = {
    "LF for CRLF throughout": b"<n>\n<chat>\n0\n\n", "LF behind a size": b"<n>\n<chat>" + END, "CR behind a size": b"<n>\r<chat>" + END,
    "LF behind a chunk": b"<n>\r\n<chat>\n0\r\n\r\n", "CR behind a chunk": b"<n>\r\n<chat>\r0\r\n\r\n", "LF CR behind a chunk": b"<n>\r\n<chat>\n\r0\r\n\r\n",
    "nothing behind a chunk": b"<n>\r\n<chat>0\r\n\r\n", "two bytes behind a chunk": b"<n>\r\n<chat>XX0\r\n\r\n", "more than its size": b"5\r\n<chat>" + END,
    "two CRLFs behind a chunk": b"<n>\r\n<chat>\r\n\r\n0\r\n\r\n", "no size line": b"<chat>" + END, "a blank line first": b"\r\n<n>\r\n<chat>" + END,
    "LF behind the last chunk": b"<n>\r\n<chat>\r\n0\n\r\n", "LF LF behind the last chunk": b"<n>\r\n<chat>\r\n0\n\n", "LF for the last line": b"<n>\r\n<chat>\r\n0\r\n\nX: y\r\n\r\n",
    "CR for the last line": b"<n>\r\n<chat>\r\n0\r\n\rX: y\r\n\r\n", "the last chunk with a sign": b"<n>\r\n<chat>\r\n-0\r\n\r\n", "no last chunk": b"<n>\r\n<chat>\r\n",
    "a size of extensions hides a request": b"<n>;x\nX\r\n<chat>\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "half a size and a request": b"<n>\r\n<chat>\r\n0", "no chunks at all": b"<chat>", "a request for a chunk": b"GET /smuggled HTTP/1.1\r\n\r\n",
}  # fmt: skip
TRAILERS: Table = {
    f"trailer {lines!r}": b"<n>\r\n<chat>\r\n0\r\n" + lines + b"\r\n\r\n"
    for lines in (
        b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: evil.test", b"content-length: 0", b"X", b": x", b"X : y", b" X: y", b"X: y\r\n z",
        b"X: y\nZ: z", b"X: \0", b"X: y\rZ: z", b"X\0: y", b"X: \x7f", b"X y: z", b"GET /smuggled HTTP/1.1", b"N\xe9: y", b"TRANSFER-ENCODING: x", b"X: y\r",
    )
}  # fmt: skip
CHUNKS: Table = SIZES | ENDINGS | TRAILERS
"""Refused: the body cannot be delimited, or two readers would delimit it differently."""

TOO_LONG: Table = {
    "an extension of 4 KiB": sized(b"<n>;" + b"x" * 4000), "an extension of 1 MiB": sized(b"<n>;x=" + b"y" * (1 << 20)),
    "trailers of 40 KiB": b"<n>\r\n<chat>\r\n0\r\n" + b"X: y\r\n" * 7000 + b"\r\n", "a trailer of 20 KiB": b"<n>\r\n<chat>\r\n0\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    "zeros of 4 KiB": sized(b"0" * 4000 + b"<n>"), "40,000 chunks of one blank": b"1\r\n \r\n" * 40_000 + sized(b"<n>"),
    "blanks of 4 KiB": sized(b"<n>" + b" " * 4000), "a size of 2 GiB": b"7fffffff\r\n<chat>", "a size of 64 bits": b"7fffffffffffffff\r\n<chat>",
}  # fmt: skip
"""Refused for length; where all of it would have to come first, by time or by size."""

CHUNKS_LEGAL: Table = {
    "one chunk": sized(b"<n>"), "an upper-case size": b"0A\r\n          \r\n" + sized(b"<n>"), "an extension": sized(b"<n>;x=y;z"), "a quoted one": sized(b'<n>;x="a;b\\"c"'),
    "an empty extension": sized(b"<n>;"), "a few zeros": sized(b"00<n>"), "extension of the last chunk": b"<n>\r\n<chat>\r\n0;x=y\r\n\r\n",
    "a trailer": b"<n>\r\n<chat>\r\n0\r\nX-Checksum: y\r\n\r\n", "many chunks": b"1\r\n \r\n" * 300 + sized(b"<n>"), "chunks that look like one": b"5\r\n\r\n\r\n \r\n" + sized(b"<n>"),
}  # fmt: skip
CHUNKS_ODD: Table = {
    "blanks behind a size": sized(b"<n> \t"), "a blank before an extension": sized(b"<n> ;x=y"), "blanks in an extension": sized(b"<n>; x = y"),
    "zeros of 20 digits": sized(b"0" * 20 + b"<n>"), "the last chunk as 000": b"<n>\r\n<chat>\r\n000\r\n\r\n", "a trailer of a key": b"<n>\r\n<chat>\r\n0\r\nAuthorization: x\r\n\r\n",
    "obs-text in an extension": sized(b"<n>;x=\xff"), "a bracket for an extension": sized(b"<n>;{}"), "an extension of 900": sized(b"<n>;" + b"x" * 900),
}  # fmt: skip
"""What a reader may take or refuse, but only as one message."""
