"""A whole reply, through redirects that are each checked anew."""

import pytest
import trio

from proxy.errors import UpstreamTimeoutError, UpstreamUnavailableError
from proxy.net.egress import Message
from proxy.net.fetching import fetch
from tests.fakes.source import OK, egress_to, head_of, source

SECRETS = (
    (b"Authorization", b"s3cr3t"), (b"Cookie", b"s3cr3t"), (b"X-Subscription-Token", b"s3cr3t"),
    (b"Accept", b"text/html"),
)  # fmt: skip


def moved(location: str, status: str = "302 Found") -> bytes:
    return head_of(f"location: {location}", "content-length: 0", status=status)


async def test_by_default_a_redirect_is_a_reply_like_any_other() -> None:
    async with source(lambda _: moved("/x")) as one, egress_to(one.place) as egress:
        found = await fetch(egress, one.url())

        assert (302, "/x", 1) == (found.status, found.headers["location"], len(one.requests))


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
async def test_a_redirect_is_followed_where_that_is_asked_for(status: str) -> None:
    def answer(request: bytes) -> bytes:
        return OK if request.startswith(b"GET /x ") else moved("/x", status)

    async with source(answer) as one, egress_to(one.place) as egress:
        found = await fetch(egress, one.url(), Message(body=b"x"), redirects_max=1)

        assert (200, b"ok", one.url("/x")) == (found.status, found.body, found.url)
        assert one.requests[1].endswith(b"\r\n\r\n")


async def test_secrets_stay_with_their_origin() -> None:
    async with source() as two, source(lambda _: moved(two.url())) as one:
        async with egress_to(one.place, two.place) as egress:
            await fetch(egress, one.url(), Message(headers=SECRETS), redirects_max=1)

    assert b"s3cr3t" in one.requests[0]
    assert b"s3cr3t" not in two.requests[0]
    assert b"Accept: text/html" in two.requests[0]


async def test_secrets_go_on_within_their_origin() -> None:
    async with source(lambda r: OK if b" /x " in r else moved("/x")) as one:
        async with egress_to(one.place) as egress:
            await fetch(egress, one.url(), Message(headers=SECRETS), redirects_max=1)

    assert b"s3cr3t" in one.requests[1]


async def test_more_redirects_than_allowed_are_an_error() -> None:
    async with source(lambda _: moved("/x")) as one, egress_to(one.place) as egress:
        with pytest.raises(UpstreamUnavailableError, match="more than 2 times"):
            await fetch(egress, one.url(), redirects_max=2)
        assert 3 == len(one.requests)


@pytest.mark.parametrize("reply", [head_of("content-length: 0", status="304 N"), moved("")])
async def test_a_reply_that_leads_nowhere_is_the_last(reply: bytes) -> None:
    async with source(lambda _: reply) as one, egress_to(one.place) as egress:
        assert b"" == (await fetch(egress, one.url(), redirects_max=2)).body


async def test_a_post_is_never_sent_on() -> None:
    async with source(lambda _: moved("/x", "307 T")) as one, egress_to(one.place) as egress:
        found = await fetch(egress, one.url(), Message("POST", body=b"x"), redirects_max=2)

        assert (307, 1) == (found.status, len(one.requests))


async def test_all_redirects_together_have_the_time_of_one_request() -> None:
    async def nap(stream: trio.SocketStream) -> None:
        pass

    class Slow:
        def __call__(self, request: bytes) -> bytes:
            import time

            time.sleep(0.05)
            return moved("/x")

    async with source(Slow(), then=nap) as one:
        async with egress_to(one.place, limits={"total_s": 0.12}) as egress:
            with pytest.raises(UpstreamTimeoutError):
                await fetch(egress, one.url(), redirects_max=20)
    assert len(one.requests) <= 4
