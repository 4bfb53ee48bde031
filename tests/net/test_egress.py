"""Asking outside: what is sent, what is sent again, and what is never sent."""

from typing import Any

import pytest

from proxy.errors import (
    InvalidRequestError,
    PayloadTooLargeError,
    StaleConnectionError,
    UpstreamUnavailableError,
)
from proxy.net.egress import Egress, Message
from proxy.net.fetching import fetch
from proxy.policy.destinations import Destination
from tests.fakes.source import OK, egress_to, head_of, source

HERE = Destination("https", "a.example", 8080, "/x?y")


def test_a_request_says_where_it_goes_and_asks_for_no_coding() -> None:
    fields = (
        (b"Accept", b"*/*"), (b"Accept-Encoding", b"gzip"), (b"Host", b"evil"), (b"Content-Length", b"9"),
        (b"Transfer-Encoding", b"chunked"), (b"Connection", b"upgrade"),
    )  # fmt: skip

    assert (
        b"POST /x?y HTTP/1.1\r\nhost: a.example:8080\r\naccept-encoding: identity\r\nAccept: */*\r\n"
        b"user-agent: hedgerow\r\ncontent-length: 2\r\n\r\nhi"
    ) == Message("POST", fields, b"hi").encoded(HERE)


def test_a_get_has_no_length_and_may_say_who_asks() -> None:
    said = Message(headers=((b"User-Agent", b"me"),)).encoded(HERE)

    assert said.endswith(b"identity\r\nUser-Agent: me\r\n\r\n")


@pytest.mark.parametrize(
    "message",
    [Message("get"), Message("CONNECT"), Message("GET / HTTP/1.1\r\nx:"),
     Message(headers=((b"a b", b"c"),)), Message(headers=((b"a", b"b\r\nc: d"),)),
     Message(headers=((b"", b"c"),)), Message(headers=((b"a", b"\0"),))],
)  # fmt: skip
def test_nothing_can_be_smuggled_into_a_request(message: Message) -> None:
    with pytest.raises(InvalidRequestError):
        message.encoded(HERE)


def test_a_message_is_shown_without_its_secrets() -> None:
    assert "Message(method='GET')" == repr(Message(headers=((b"authorization", b"x"),), body=b"y"))


async def test_a_body_beyond_the_bound_is_not_sent() -> None:
    async with source() as one, egress_to(one.place, limits={"request_bytes_max": 3}) as egress:
        with pytest.raises(PayloadTooLargeError):
            await fetch(egress, one.url(), Message("POST", body=b"four"))
        assert 0 == one.accepted


async def test_connections_are_used_again() -> None:
    async with source() as one, egress_to(one.place) as egress:
        for _ in range(3):
            assert b"ok" == (await fetch(egress, one.url())).body
        assert (1, 3) == (one.accepted, len(one.requests))


@pytest.mark.parametrize(
    "reply",
    [head_of("content-length: 2", "connection: close") + b"ok", OK + b"more", head_of() + b"ok"],
)
async def test_a_connection_whose_reply_left_doubt_is_not_used_again(reply: bytes) -> None:
    async def hang_up(stream: Any) -> None:
        pass

    async with source(lambda _: reply, then=hang_up) as one, egress_to(one.place) as egress:
        await fetch(egress, one.url())
        assert 0 == egress._pool.idle


class Dying:
    """Answers once per connection; what comes next kills it before a byte of the reply."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, request: bytes) -> bytes | None:
        self.count += 1
        return OK if self.count != 2 else None


async def ask_twice(egress: Egress, url: str, method: str) -> bytes:
    await fetch(egress, url)
    return (await fetch(egress, url, Message(method))).body


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_idempotent_request_is_sent_again_where_the_connection_had_died(
    method: str,
) -> None:
    async with source(Dying()) as one, egress_to(one.place) as egress:
        assert b"ok" == await ask_twice(egress, one.url(), method)
        assert 2 == one.accepted


async def test_a_post_is_sent_once() -> None:
    async with source(Dying()) as one, egress_to(one.place) as egress:
        with pytest.raises(StaleConnectionError):
            await ask_twice(egress, one.url(), "POST")
        assert 1 == one.accepted
        assert 0 == egress._pool.origins


async def test_a_new_connection_that_dies_is_not_tried_again() -> None:
    async with source(lambda _: None) as one, egress_to(one.place) as egress:
        with pytest.raises(UpstreamUnavailableError, match="without a reply"):
            await fetch(egress, one.url())
        assert 1 == one.accepted


async def test_a_closed_port_is_an_upstream_error_without_the_word_provider() -> None:
    async with source() as one:
        pass
    async with egress_to(one.place) as egress:
        with pytest.raises(UpstreamUnavailableError, match="^Source's address refused"):
            await fetch(egress, one.url())
