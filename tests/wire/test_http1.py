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


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked;q=1\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding:\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Transfer-Encoding\x00: chunked\r\n",
        b"Transfer-Encoding\t: chunked\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: 5\r\ncontent-length: 6\r\n",
        b"Content-Length: 1e1\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length: 5.0\r\n",
        b"Content-Length: \xb25\r\n",
        b"Content-Length: 5,\r\n",
        b"Content-Length: 18446744073709551617\r\n",
        b"Content\x00-Length: 5\r\n",
        b"content_length: 5\r\n",
        b"CONTENT_LENGTH: 5\r\n",
        b"Transfer_encoding: chunked\r\n",
        b"X_Api_Key: k\r\n",
        b"Content_Type: text/plain\r\n",
        b"X_Forwarded_For: 127.0.0.1\r\n",
        b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        b"Content-Type: a/b\r\nContent-Type: c/d\r\n",
        b"host: b\r\n",
        b"X: \x7f\r\n",
        b"X: \x1b[0m\r\n",
        b"X\r\n",
        b"X(: y\r\n",
        b"\xc3\xa9: y\r\n",
    ],
)
def test_a_field_that_two_readers_may_take_differently_is_refused(lines: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_request_head(HEAD % lines, 100)


@pytest.mark.parametrize(
    "line",
    [
        b"POST / HTTP/1.1 ", b"POST /  HTTP/1.1", b" POST / HTTP/1.1", b"POST\t/\tHTTP/1.1", b"POST /",
        b"POST / HTTP/1.10", b"POST / http/1.1", b"POST / HTTP/0.9", b"POST / HTTP/1.2",
        b"POST / HTTP/2.0", b"POST / XTTP/1.1", b"Post / HTTP/1.1", b"P\x00ST / HTTP/1.1",
        b"POST /a b HTTP/1.1", b"POST /\x7f HTTP/1.1", b"POST /\xc3\xa9 HTTP/1.1", b"POST  HTTP/1.1",
        b"\r\nPOST / HTTP/1.1", b"POST " + b"/" * 8193 + b" HTTP/1.1", b"P" * 33 + b" / HTTP/1.1",
        b"POST a.test:443 HTTP/1.1", b"CONNECT a.test:443 HTTP/1.1", b"POST * HTTP/1.1",
        b"POST ws://a/ HTTP/1.1", b"POST file:///etc/passwd HTTP/1.1", b"POST http:/a HTTP/1.1",
        b"POST ?x HTTP/1.1", b"POST \\ HTTP/1.1",
    ],
)  # fmt: skip
def test_a_request_line_that_is_not_quite_one_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_request_head(line + b"\r\nHost: a\r\n\r\n", 100)


@pytest.mark.parametrize(
    "host", [b"a b", b"a/b", b"a@b", b"[::1", b"::1", b"a:", b"a:b", b"a\\b", b"\xc3\xa9", b"a#b", b"a?b"]
)  # fmt: skip
def test_a_host_that_is_no_authority_is_refused(host: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_request_head(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host, 100)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", True),
    ],
)
def test_a_connection_is_kept_unless_the_client_says_otherwise(raw: bytes, kept: bool) -> None:
    assert kept == parse_request_head(raw, 100).keep_alive


def test_a_head_without_its_end_or_with_more_behind_it_is_refused() -> None:
    for raw in (GOOD[:-2], GOOD + b"x", b"", b"\r\n\r\n", GOOD + GOOD):
        with pytest.raises(InvalidRequestError):
            parse_request_head(raw, 100)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 099 X\r\n\r\n",
        b"HTTP/1.1 20 X\r\n\r\n",
        b"HTTP/1.1 +200 X\r\n\r\n",
        b"HTTP/1.1  200 X\r\n\r\n",
        b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_a_reply_head_that_says_two_things_is_the_providers_fault(raw: bytes) -> None:
    with pytest.raises(UpstreamUnavailableError):
        parse_response_head(raw)


def test_reply_fields_are_read_whatever_their_case_and_joined() -> None:
    head = parse_response_head(
        b"HTTP/1.1 200 OK\r\nRetry-After: 5\r\nX-A: 1\r\nx-a: \xe9\r\nContent-Length: 0\r\n\r\n"
    )

    assert (b"5", b"1, \xe9") == (head.headers[b"retry-after"], head.headers[b"x-a"])


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none_whatever_its_fields_say(status: int) -> None:
    head = parse_response_head(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status)

    assert (False, 0) == (head.chunked, head.content_length)


def test_a_reply_head_comes_with_what_follows_it_whatever_the_cut() -> None:
    raw = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    for place in range(len(raw) + 1):
        reader = ResponseHeadReader(1000)
        found = reader.feed(raw[:place]) if place else None
        rest = b"" if found else raw[place:]
        found = found or reader.feed(rest)
        assert found is not None
        head, behind = found
        assert (200, True) == (head.status, b"hi".startswith(behind))


def test_interim_replies_up_to_the_limit_are_read_over() -> None:
    found = ResponseHeadReader(1000).feed(
        b"HTTP/1.1 102 Wait\r\n\r\n" * INTERIM_MAX + b"HTTP/1.1 200 OK\r\n\r\n"
    )

    assert found is not None
    assert 200 == found[0].status


def test_each_interim_head_is_bounded_too() -> None:
    with pytest.raises(UpstreamUnavailableError):
        ResponseHeadReader(50).feed(b"HTTP/1.1 103 Hints\r\nX: " + b"x" * 50 + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    ],
)
def test_a_providers_connection_is_kept_unless_it_says_otherwise(raw: bytes, kept: bool) -> None:
    assert kept == parse_response_head(raw).keep_alive
