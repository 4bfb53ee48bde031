"""Heads: what is let in, and what costs its sender the connection."""

import pytest

from proxy.errors import InvalidRequestError, UpstreamUnavailableError
from proxy.wire.http1 import (
    INTERIM_MAX,
    RESPONSE_LINES_MAX,
    ResponseHeadReader,
    parse_request_head,
    parse_response_head,
)

GOOD = b"POST /v1/x?a=1#f HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def test_a_good_head_is_read() -> None:
    head = parse_request_head(GOOD, 100)

    assert ("POST", "/v1/x", b"a=1") == (head.method, head.path, head.query)
    assert b"1, 2" == head.headers[b"x-a"]
    assert (5, False, True, False) == (
        head.content_length,
        head.chunked,
        head.keep_alive,
        head.http_10,
    )


def test_the_wish_for_a_sign_to_go_on_is_noticed() -> None:
    raw = (
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    head = parse_request_head(raw, 100)

    assert head.expects_continue
    assert head.chunked


def test_an_absolute_target_is_taken_for_its_path() -> None:
    assert "/v1/x" == parse_request_head(b"GET http://b/v1/x HTTP/1.1\r\nHost: b\r\n\r\n", 9).path
    assert "/" == parse_request_head(b"GET http://b HTTP/1.1\r\nHost: b\r\n\r\n", 9).path
    assert "*" == parse_request_head(b"OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n", 9).path


def test_an_upgrade_is_ignored() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

    assert "/" == parse_request_head(raw, 100).path


def test_an_old_client_needs_no_host_and_closes() -> None:
    head = parse_request_head(b"GET / HTTP/1.0\r\n\r\n", 100)

    assert head.http_10
    assert not head.keep_alive


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: u@a?x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a:999999\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\xff: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
        b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_request_head(raw, 100)


def test_too_many_header_fields_are_refused() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 10 + b"\r\n"

    with pytest.raises(InvalidRequestError, match="More than 10"):
        parse_request_head(raw, 10)
    assert "/" == parse_request_head(raw, 11).path


def test_a_good_reply_head_is_read() -> None:
    head = parse_response_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    assert (200, 5, False, True) == (
        head.status,
        head.content_length,
        head.chunked,
        head.keep_alive,
    )
    assert parse_response_head(b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n").chunked


def test_a_reply_without_framing_ends_with_its_connection() -> None:
    assert not parse_response_head(b"HTTP/1.1 200 OK\r\n\r\n").keep_alive


def test_a_reply_that_has_no_body_has_none() -> None:
    assert (
        0
        == parse_response_head(
            b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        ).content_length
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * RESPONSE_LINES_MAX + b"\r\n",
    ],
)
def test_a_reply_head_that_cannot_be_trusted_is_the_providers_fault(raw: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError):
        parse_response_head(raw)


def test_a_reply_head_may_come_in_pieces_behind_interim_ones() -> None:
    reader = ResponseHeadReader(1000)
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert not reader.started
    found = None
    for index in range(len(raw) - 1):
        found = found or reader.feed(raw[index : index + 1])
        assert reader.started or found
    assert found is not None
    assert 200 == found[0].status


def test_a_flood_of_interim_replies_is_cut_off() -> None:
    with pytest.raises(UpstreamUnavailableError):
        ResponseHeadReader(1000).feed(b"HTTP/1.1 103 Hints\r\n\r\n" * (INTERIM_MAX + 1))
    with pytest.raises(UpstreamUnavailableError):
        ResponseHeadReader(1000).feed(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")


def test_a_reply_head_without_end_is_bounded() -> None:
    with pytest.raises(UpstreamUnavailableError):
        ResponseHeadReader(100).feed(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200)
    with pytest.raises(UpstreamUnavailableError):
        ResponseHeadReader(100).feed(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200 + b"\r\n\r\n")
