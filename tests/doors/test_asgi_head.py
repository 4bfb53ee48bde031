"""What a foreign server lets pass is held to the rules of HTTP/1.1, and of its own version."""

from typing import Any

import pytest

from proxy.config.settings import LimitSettings
from proxy.doors.asgi_head import read_head
from proxy.errors import InvalidRequestError

LIMITS = LimitSettings()
HOST = (b"host", b"localhost")


def scope(*fields: tuple[bytes, bytes], version: str = "2", **more: Any) -> dict[str, Any]:
    """The scope of an honest request, but for what is said."""
    return {
        "type": "http", "http_version": version, "method": "POST", "path": "/v1/x",
        "raw_path": b"/v1/x", "query_string": b"", "headers": fields or [HOST], **more,
    }  # fmt: skip


def test_a_head_is_read() -> None:
    head = read_head(
        scope(
            HOST, (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"content-length", b"7"),
            (b"x", b"1"), (b"x", b"2"), query_string=b"a=b", raw_path=b"/v1/%C3%A9?ignored",
        ),
        LIMITS,
    )  # fmt: skip

    assert ("POST", "/v1/%C3%A9", b"a=b", 7) == (
        head.method,
        head.path,
        head.query,
        head.content_length,
    )
    assert (b"a=1; b=2", b"1, 2") == (head.headers[b"cookie"], head.headers[b"x"])


def test_without_a_raw_path_it_is_quoted_again() -> None:
    assert "/v1/%20%C3%A9" == read_head(scope(raw_path=None, path="/v1/ é"), LIMITS).path


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
@pytest.mark.parametrize(
    "fields",
    [
        [HOST, HOST],
        [(b"host", b"a?x=/admin")],
        [(b"host", b"me@localhost")],
        [(b"host", b"localhost/x")],
        [HOST, (b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [HOST, (b"content-length", b"5"), (b"content-length", b"5")],
        [HOST, (b"content-length", b"+5")],
        [HOST, (b"transfer-encoding", b"gzip, chunked")],
        [HOST, (b"content_length", b"5")],
        [HOST, (b"transfer_encoding", b"chunked")],
        [HOST, (b"x_api_key", b"sk")],
        [HOST, (b"x", b"1\r\ny: 2")],
        [HOST, (b"x", b"\0")],
        [HOST, (b"x: 1\r\ny", b"2")],
        [HOST, (b"x y", b"2")],
        [HOST, (b"", b"2")],
    ],
    ids=repr,
)
def test_two_readings_of_fields_are_refused(
    fields: list[tuple[bytes, bytes]], version: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_head(scope(*fields, version=version), LIMITS)
    assert 400 == caught.value.status


@pytest.mark.parametrize(
    "more",
    [
        {"method": "CONNECT"}, {"method": "get"}, {"method": "G\r\nT"}, {"method": "\u0107"},
        {"raw_path": b"/a b"}, {"raw_path": b"/\xff"}, {"raw_path": b"x"}, {"raw_path": b""},
        {"raw_path": b"/a\r\nx: 1"}, {"raw_path": b"*"}, {"raw_path": b"/%00"},
        {"query_string": b"a b"}, {"query_string": b"\xff"}, {"headers": []},
    ],
    ids=repr,
)  # fmt: skip
def test_two_readings_of_a_start_line_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        read_head(scope(**more), LIMITS)


@pytest.mark.parametrize(
    "field",
    [
        (b"connection", b"close"), (b"keep-alive", b"1"), (b"proxy-connection", b"close"),
        (b"transfer-encoding", b"chunked"), (b"upgrade", b"h2c"), (b"te", b"gzip"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_belongs_to_one_connection_is_refused_over_http_2(field: tuple[bytes, bytes]) -> None:
    read_head(scope(HOST, field, version="1.1"), LIMITS)
    read_head(scope(HOST, (b"te", b"trailers"), version="2"), LIMITS)

    for version in ("2", "3"):
        with pytest.raises(InvalidRequestError):
            read_head(scope(HOST, field, version=version), LIMITS)


@pytest.mark.parametrize(
    "fields",
    [[HOST, *[(b"x", b"1")] * 100], [HOST, (b"x", b"y" * 32_768)]],
    ids=["101 fields", "33 KB"],
)
def test_too_much_of_a_head_is_431(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_head(scope(*fields), LIMITS)
    assert 431 == caught.value.status
