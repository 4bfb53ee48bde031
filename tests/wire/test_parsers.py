"""Every parser makes the same of the table in `conformance`, whole and in pieces."""

import subprocess
import sys

import pytest

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.http1 import ResponseHeadReader
from proxy.wire.parsers import FAST, STRICT, Parser, parser_named
from tests.wire.conformance import (
    ACCEPTED_BODIES,
    ACCEPTED_REQUESTS,
    ACCEPTED_RESPONSES,
    PARSERS,
    REFUSED_BODIES,
    REFUSED_RESPONSES,
    refused_requests,
    told,
)

each_parser = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)


def short(value: object) -> str | None:
    """A name for a table's row; the default one repeats kilobytes."""
    return repr(value)[-60:] if isinstance(value, bytes) else ""


def read(reader: BodyReader, pieces: list[bytes]) -> bytes:
    """The payload, whatever the pieces."""
    payload = b""
    for piece in pieces:
        data, spans = reader.feed(piece)
        assert all(0 <= start < end <= len(data) for start, end in spans)
        payload += b"".join(data[start:end] for start, end in spans)
    return payload


def test_a_parser_is_found_by_its_name() -> None:
    assert ("fast", "strict") == (parser_named("fast").name, parser_named("strict").name)
    assert (FAST, STRICT) == (parser_named("fast"), parser_named("strict"))
    assert FAST.request_head is not STRICT.request_head
    assert FAST.response_head is not STRICT.response_head
    assert FAST.body is not STRICT.body


@each_parser
@pytest.mark.parametrize(("raw", "said"), ACCEPTED_REQUESTS, ids=short)
def test_a_request_head_is_read(parser: Parser, raw: bytes, said: dict[str, object]) -> None:
    head = parser.request_head(raw, 100)

    assert said == {name: getattr(head, name) for name in said}
    assert head == PARSERS[0].request_head(raw, 100)


@each_parser
@pytest.mark.parametrize(("raw", "why"), refused_requests(), ids=short)
def test_a_request_head_that_may_be_read_in_two_ways_is_refused_with_the_reason(
    parser: Parser, raw: bytes, why: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parser.request_head(raw, 100)

    assert why in caught.value.message
    assert (417 if "Expect" in why else 400) == caught.value.status


@each_parser
def test_header_fields_are_counted(parser: Parser) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\nY: 2\r\n" * 5 + b"\r\n"

    assert b"1, 1, 1, 1, 1" == parser.request_head(raw, 11).headers[b"x"]
    with pytest.raises(InvalidRequestError, match="^More than 10 header fields.$"):
        parser.request_head(raw, 10)


@each_parser
@pytest.mark.parametrize(
    "lines",
    [b"X: S3CRET\x00\r\n", b"X(: S3CRET\r\n", b"X: a\r\n S3CRET: b\r\n", b"S3CRET\r\n", b"X: y\nS3CRET: z\r\n",
     b"X : S3CRET\r\n", b": S3CRET\r\n", b"Content-Length: S3CRET\r\n", b"Transfer-Encoding: S3CRET\r\n",
     b"Expect: S3CRET\r\n", b"Host: S3CRET\r\n", b"Connection: S3CRET, Host\r\n",
     b"Authorization: S3CRET\r\nAuthorization: S3CRET\r\n", b"Content_Length: S3CRET\r\n"],
)  # fmt: skip
def test_no_message_repeats_a_value(parser: Parser, lines: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parser.request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n", 100)
    assert "S3CRET" not in caught.value.message
    assert caught.value.message.isprintable()
    with pytest.raises(InvalidRequestError) as caught:
        parser.request_head(b"GET /?S3CRET=S3CRET#S3CRET HTTP/1.1\r\nHost: a\r\n\r\n", 100)
    assert "S3CRET" not in caught.value.message
    framing = lines.startswith((b"Host", b"Expect", b"Connection", b"Auth", b"Content_"))
    if not framing:
        with pytest.raises(UpstreamUnavailableError) as failed:
            parser.response_head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")
        assert "S3CRET" not in failed.value.message


@each_parser
@pytest.mark.parametrize(("raw", "said"), ACCEPTED_RESPONSES, ids=short)
def test_a_response_head_is_read(parser: Parser, raw: bytes, said: dict[str, object]) -> None:
    head = told(parser.response_head(raw))

    assert said == {name: head[name] for name in said}
    assert head == told(PARSERS[0].response_head(raw))


@each_parser
@pytest.mark.parametrize(("raw", "why"), REFUSED_RESPONSES, ids=short)
def test_a_response_head_that_says_two_things_is_the_providers_fault(
    parser: Parser, raw: bytes, why: str
) -> None:
    with pytest.raises(UpstreamUnavailableError) as caught:
        parser.response_head(raw)

    assert why in caught.value.message


@each_parser
@pytest.mark.parametrize(("raw", "said"), ACCEPTED_RESPONSES[:-1], ids=short)
def test_a_response_head_may_be_cut_at_every_byte(
    parser: Parser, raw: bytes, said: dict[str, object]
) -> None:
    interim = b"HTTP/1.1 102 Wait\r\nX: y\r\n\r\n"
    whole = told(parser.response_head(raw))
    final = raw if whole["status"] not in {100, 103} else raw + b"HTTP/1.1 200 OK\r\n\r\n"
    for place in range(1, len(interim + final) + 1):
        reader, stream = ResponseHeadReader(10_000, parser), interim + final + b"hi"
        found = reader.feed(stream[:place])
        found = found or reader.feed(stream[place:])
        assert found is not None
        assert whole["status"] in {told(found[0])["status"], 100, 103}
        assert b"hi".startswith(found[1])


@each_parser
@pytest.mark.parametrize(("body", "payload", "behind"), ACCEPTED_BODIES, ids=short)
def test_a_chunked_body_is_read_whatever_the_cut(
    parser: Parser, body: bytes, payload: bytes, behind: bytes
) -> None:
    cuts = [[body], [body[i : i + 1] for i in range(len(body))]]
    cuts += [[body[:i], body[i:]] for i in range(1, len(body))]
    for pieces in cuts:
        reader = parser.body(chunked=True, length=None)
        assert payload == read(reader, pieces)
        assert reader.done
        assert behind == reader.leftover


@each_parser
@pytest.mark.parametrize(("body", "why"), REFUSED_BODIES, ids=short)
def test_a_chunked_body_that_cannot_be_delimited_is_refused_whatever_the_cut(
    parser: Parser, body: bytes, why: str
) -> None:
    step = 1 if len(body) < 2000 else 97
    cuts = [[body], [body[i : i + 1] for i in range(len(body))]]
    cuts += [[body[:i], body[i:]] for i in range(1, min(len(body), 100), step)]
    for pieces in cuts:
        with pytest.raises(FramingError, match=why):
            read(parser.body(chunked=True, length=None), pieces)


@each_parser
def test_a_body_of_known_length_or_none_ends_where_it_says(parser: Parser) -> None:
    known = parser.body(chunked=False, length=5)
    assert b"hello" == read(known, [b"he", b"lloGET /"])
    assert (True, b"GET /") == (known.done, known.leftover)
    assert parser.body(chunked=False, length=0).done
    endless = parser.body(chunked=False, length=None)
    assert b"all of it" == read(endless, [b"all ", b"of it"])
    assert (False, True) == (endless.done, endless.close())


@each_parser
def test_a_chunked_body_that_ends_early_is_incomplete(parser: Parser) -> None:
    reader = parser.body(chunked=True, length=None)
    reader.feed(b"5\r\nhel")

    assert not reader.close()


WITHOUT = """
import sys
sys.modules["httptools"] = None
import {module}
from proxy.wire.parsers import FAST, parser_named
from proxy.wire.http1 import ResponseHeadReader, parse_request_head
assert parser_named("fast") is FAST is parser_named("strict"), FAST
assert "/v1" == parse_request_head(b"GET /v1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", 9).path
assert 200 == ResponseHeadReader(99).feed(b"HTTP/1.1 200 OK\\r\\n\\r\\n")[0].status
assert b"5" == FAST.body(chunked=True, length=None).feed(b"1\\r\\n5\\r\\n")[0][3:4]
print(FAST.name)
"""


def without_llhttp(module: str) -> str:
    """What a process says that cannot import llhttp's binding."""
    command = [sys.executable, "-W", "error", "-c", WITHOUT.format(module=module)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return ran.stdout + ran.stderr


def test_without_llhttp_the_strict_parser_takes_its_place() -> None:
    assert "strict\n" == without_llhttp("proxy.wire.http1")


def test_without_llhttp_the_whole_gateway_can_be_imported() -> None:
    assert "strict\n" == without_llhttp("proxy.server")
