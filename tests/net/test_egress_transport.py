"""The guarded egress under httpx."""

import httpx
import pytest

from proxy.errors import InvalidRequestError, PayloadTooLargeError, UpstreamUnavailableError
from proxy.net.egress import Egress
from proxy.net.egress_transport import EgressTransport
from tests.fakes.source import egress_to, head_of, source


def client_of(egress: Egress, **more: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=EgressTransport(egress), trust_env=False, **more)  # type: ignore[arg-type]


async def test_httpx_asks_through_the_egress_and_streams_what_comes() -> None:
    async with source() as one, egress_to(one.place) as egress, client_of(egress) as client:
        reply = await client.post(one.url("/x?y=1"), json={"a": 1})
        assert (200, b"ok") == (reply.status_code, reply.content)
        head = one.requests[0].lower()
        assert head.startswith(b"post /x?y=1 http/1.1\r\nhost: 127.0.0.1:")
        assert b"accept-encoding: identity\r\n" in head
        assert head.endswith(b'{"a":1}')
        assert 1 == egress._pool.idle


async def test_a_stream_that_is_left_early_closes_its_connection() -> None:
    reply = head_of("content-length: 9") + b"x"
    async with source(lambda _: reply) as one, egress_to(one.place) as egress:
        async with client_of(egress) as client, client.stream("GET", one.url()) as found:
            assert 200 == found.status_code
        assert (0, 0) == (egress._pool.idle, egress._pool.origins)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/", "http://u:p@127.0.0.1:{}/", "ftp://127.0.0.1:{}/"]
)
async def test_a_url_that_may_not_be_asked_for_is_refused_in_our_words(url: str) -> None:
    async with source() as one, egress_to() as egress, client_of(egress) as client:
        with pytest.raises(InvalidRequestError):
            await client.get(url.format(one.port))
        assert 0 == one.accepted


async def test_where_httpx_read_another_url_nothing_is_sent() -> None:
    class Other(httpx.URL):
        @property
        def raw_path(self) -> bytes:
            return b"/other"

    async with source() as one, egress_to(one.place) as egress:
        request = httpx.Request("GET", one.url())
        request.url = Other(one.url())
        with pytest.raises(InvalidRequestError, match="by everyone"):
            await EgressTransport(egress).handle_async_request(request)
        assert 0 == one.accepted


async def test_a_redirect_that_httpx_follows_is_checked_as_well() -> None:
    inward = head_of("location: http://169.254.169.254/", "content-length: 0", status="302 Found")
    async with source(lambda _: inward) as one, egress_to(one.place) as egress:
        async with client_of(egress, follow_redirects=True) as client:
            with pytest.raises(InvalidRequestError, match="not public"):
                await client.get(one.url())


async def test_a_request_body_is_bounded_while_it_is_read() -> None:
    class Endless:
        def __aiter__(self) -> "Endless":
            return self

        async def __anext__(self) -> bytes:
            return bytes(1_000)

    async with source() as one, egress_to(one.place, limits={"request_bytes_max": 9_999}) as egress:
        async with client_of(egress) as client:
            with pytest.raises(PayloadTooLargeError):
                await client.post(one.url(), content=Endless())
        assert 0 == one.accepted


async def test_errors_of_the_source_are_ours() -> None:
    async with source(lambda _: None) as one, egress_to(one.place) as egress:
        async with client_of(egress) as client:
            with pytest.raises(UpstreamUnavailableError):
                await client.get(one.url())
