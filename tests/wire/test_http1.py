"""Heads by the default parser, and reply heads that come in pieces."""

import pytest

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.wire.http1 import (
    INTERIM_MAX,
    RESPONSE_SHAPE,
    ResponseHeadReader,
    parse_request_head,
    parse_response_head,
)
from proxy.wire.parsers import FAST, Parser
from tests.wire.conformance import PARSERS, REFUSED_RESPONSES, told

GOOD = b"POST /v1/x?a=1 HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
HINTS = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

each_parser = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)


def test_the_default_is_the_fast_parser() -> None:
    assert parse_request_head is FAST.request_head
    assert parse_response_head is FAST.response_head
    found = ResponseHeadReader(1000).feed(FINAL)
    assert found is not None
    assert told(FAST.response_head(FINAL)) == told(found[0])


def test_a_good_head_is_read() -> None:
    head = parse_request_head(GOOD, 100)

    assert ("POST", "/v1/x", b"a=1", b"1, 2") == (
        head.method, head.path, head.query, head.headers[b"x-a"],
    )  # fmt: skip
    assert (5, False, True, False, False) == (
        head.content_length, head.chunked, head.keep_alive, head.http_10, head.expects_continue,
    )  # fmt: skip


def test_a_head_without_its_end_or_with_more_behind_it_is_refused() -> None:
    for raw in (GOOD[:-2], GOOD + b"x", GOOD + b"\r\n", b"", b"\r\n\r\n", GOOD + GOOD):
        with pytest.raises(InvalidRequestError):
            parse_request_head(raw, 100)


@pytest.mark.parametrize(("place", "byte"), [(p, b) for p in range(len(GOOD)) for b in b"\0\n\r"])
def test_a_control_byte_anywhere_in_a_head_is_refused(place: int, byte: int) -> None:
    damaged = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    if damaged != GOOD:
        for parser in PARSERS:
            with pytest.raises(InvalidRequestError, match="^Malformed HTTP request head: "):
                parser.request_head(damaged, 100)


def test_the_shape_of_a_reply_is_for_others_as_well() -> None:
    for raw in (FINAL, HINTS, b"HTTP/1.1 200 OK\r\nX: y \r\n\r\n"):
        assert RESPONSE_SHAPE.fullmatch(raw)
    for raw in (b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n"):
        assert not RESPONSE_SHAPE.fullmatch(raw)


@each_parser
def test_a_reply_head_may_come_byte_by_byte_behind_interim_ones(parser: Parser) -> None:
    reader, found = ResponseHeadReader(1000, parser), None
    assert not reader.started
    for byte in HINTS + FINAL:
        assert found is None
        found = reader.feed(bytes([byte]))
        assert reader.started
    assert found is not None
    assert (200, b"") == (found[0].status, found[1])


@each_parser
def test_a_reply_head_comes_with_what_follows_it_whatever_the_cut(parser: Parser) -> None:
    raw = HINTS + FINAL + b"hi"
    for place in range(1, len(raw) + 1):
        reader = ResponseHeadReader(1000, parser)
        found = reader.feed(raw[:place])
        seen = place
        if found is None:
            found, seen = reader.feed(raw[place:]), len(raw)
        assert found is not None
        assert (200, b"hi"[: seen - len(HINTS + FINAL)]) == (found[0].status, found[1])


@each_parser
@pytest.mark.parametrize("raw", [r for r, _ in REFUSED_RESPONSES if r.endswith(b"\r\n\r\n")])
def test_a_bad_reply_head_is_refused_whatever_the_cut(parser: Parser, raw: bytes) -> None:
    for place in range(1, len(raw), 1 + len(raw) // 100):
        reader = ResponseHeadReader(10_000, parser)
        with pytest.raises(UpstreamUnavailableError):
            assert reader.feed(raw[:place]) or reader.feed(raw[place:])


@each_parser
def test_a_flood_of_interim_replies_is_cut_off(parser: Parser) -> None:
    interim = b"HTTP/1.1 102 Wait\r\n\r\n"
    found = ResponseHeadReader(1000, parser).feed(interim * INTERIM_MAX + FINAL)
    assert found is not None
    assert 200 == found[0].status
    with pytest.raises(UpstreamUnavailableError, match="no final reply"):
        ResponseHeadReader(1000, parser).feed(interim * (INTERIM_MAX + 1))


@each_parser
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200 + b"\r\n\r\n",
        b"HTTP/1.1 103 Hints\r\nX: " + b"x" * 200 + b"\r\n\r\n",
        b"x" * 101,
    ],
)
def test_a_reply_head_is_bounded_with_or_without_its_end(parser: Parser, raw: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError, match="exceeds the size limit"):
        ResponseHeadReader(100, parser).feed(raw)
    assert ResponseHeadReader(300, parser).feed(FINAL)
