"""Requests out of bytes."""

import pytest

from proxy.sandbox import receiving
from proxy.sandbox.receiving import BadRequest, Receiver, Request

POST = b"POST /v1/completions?a=b HTTP/1.1\r\nhost: x\r\n"
WHOLE = POST + b"content-length: 5\r\n\r\nhello"


def test_any_split_gives_the_same_request() -> None:
    expected = Request(method="POST", path="/v1/completions", body=b"hello", keep_alive=True)

    for cut in range(1, len(WHOLE)):
        receiver = Receiver()
        receiver.feed(WHOLE[:cut])
        assert receiver.next_request() is None
        receiver.feed(WHOLE[cut:])
        assert expected == receiver.next_request()


def test_a_chunked_body_is_joined() -> None:
    receiver = Receiver()
    receiver.feed(POST + b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")

    request = receiver.next_request()

    assert request is not None
    assert request.body == b"hello"


def test_pipelined_and_held_requests_keep_their_order() -> None:
    receiver = Receiver()
    receiver.feed(WHOLE + WHOLE.replace(b"hello", b"world"))
    receiver.hold(WHOLE.replace(b"hello", b"later"))
    assert receiver.holding

    bodies = [request.body for request in iter(receiver.next_request, None)]

    assert bodies == [b"hello", b"world", b"later"]
    assert not receiver.holding


def test_connection_close_is_noticed() -> None:
    receiver = Receiver()
    receiver.feed(POST + b"connection: close\r\ncontent-length: 0\r\n\r\n")

    request = receiver.next_request()

    assert request is not None
    assert not request.keep_alive


def test_garbage_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        Receiver().feed(b"\x16\x03\x01 hello")

    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data", [POST + b"x: " + b"a" * 100, POST + b"content-length: 99\r\n\r\n" + b"a" * 99]
)
def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(receiving, "HEAD_BYTES_MAX", 90)
    monkeypatch.setattr(receiving, "BODY_BYTES_MAX", 90)
    receiver = Receiver()

    with pytest.raises(BadRequest) as caught:
        for start in range(0, len(data), 10):
            receiver.feed(data[start : start + 10])

    assert caught.value.status == 413
