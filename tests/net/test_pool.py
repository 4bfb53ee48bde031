"""Connections kept per origin, and the request heads of each provider."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import ConfigError, ShedError, UpstreamUnavailableError
from proxy.net.connection import Connection
from proxy.net.pool import ADDRESSES_TTL_S, Origin, Pool, Upstreams
from proxy.net.watch import Watch
from tests.fakes.things import a_provider, an_endpoint

FAR: list[socket.socket] = []


def dial() -> socket.socket:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    FAR.append(theirs)
    return ours


@pytest.fixture(autouse=True)
def far() -> Iterator[list[socket.socket]]:
    FAR.clear()
    yield FAR
    for sock in FAR:
        sock.close()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    clock: Any = trio.current_time
    pool = Pool(Origin("x", 0, None, dial), clock, Watch(clock), connections_max=3, idle_s=30)
    yield pool
    pool.close()


async def test_what_was_given_last_is_taken_first(pool: Pool) -> None:
    first, second = pool.fresh(), pool.fresh()
    pool.give(first)
    pool.give(second)

    assert (2, 2) == (pool.open, pool.idle)
    assert [second, first, None] == [pool.take(), pool.take(), pool.take()]
    assert (2, 0) == (pool.open, pool.idle)
    assert (1, 1) == (first.served, second.served)
    pool.discard(first)
    pool.discard(second)
    assert (0, 0) == (pool.open, pool.idle)


async def test_beyond_the_cap_nothing_is_dialled(pool: Pool) -> None:
    connections = [pool.fresh() for _ in range(3)]
    with pytest.raises(ShedError):
        pool.fresh()
    pool.discard(connections[0])
    connections[0] = pool.fresh()
    for connection in connections:
        pool.discard(connection)


async def test_a_connection_idle_for_too_long_is_closed(
    pool: Pool, autojump_clock: MockClock
) -> None:
    connection = pool.fresh()
    pool.give(connection)
    await trio.sleep(29)
    assert connection is pool.take()
    pool.give(connection)
    await trio.sleep(31)
    assert pool.take() is None
    assert (0, None) == (pool.open, connection.sock)


@pytest.mark.parametrize("idle_s", [0.0, 0.5, 20.0])
async def test_a_connection_with_something_unasked_is_not_used_however_fresh(
    pool: Pool, autojump_clock: MockClock, idle_s: float
) -> None:
    """Else one client would read what was said to another."""
    connection = pool.fresh()
    pool.give(connection)
    FAR[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    await trio.sleep(idle_s)

    assert pool.take() is None
    assert 0 == pool.open


async def test_a_connection_that_the_peer_closed_is_not_used(pool: Pool) -> None:
    dead, alive = pool.fresh(), pool.fresh()
    pool.give(alive)
    pool.give(dead)
    FAR[0].close()

    assert [alive, None] == [pool.take(), pool.take()]
    pool.discard(alive)


async def test_neither_given_nor_discarded_connections_are_watched(pool: Pool) -> None:
    given, discarded = pool.fresh(), pool.fresh()
    pool.watch.waits |= {given, discarded}
    pool.give(given)
    pool.discard(discarded)

    assert set() == pool.watch.waits


async def test_addresses_are_resolved_once_in_a_while(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        await trio.lowlevel.checkpoint()
        asked.append(host)
        if host == "no.test":
            raise OSError("no such name")
        return [
            (socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(trio.socket, "getaddrinfo", getaddrinfo)
    clock: Any = trio.current_time
    found = Pool(Origin("yes.test", 80, None), clock, Watch(clock), connections_max=1, idle_s=1)
    lost = Pool(Origin("no.test", 80, None), clock, Watch(clock), connections_max=1, idle_s=1)

    expected = [(socket.AF_INET6, ("::1", 80)), (socket.AF_INET, ("127.0.0.1", 80))]
    assert [expected, expected] == [await found.addresses(), await found.addresses()]
    await trio.sleep(ADDRESSES_TTL_S + 1)
    await found.addresses()
    with pytest.raises(UpstreamUnavailableError, match="resolve"):
        await lost.addresses()
    assert ["yes.test", "yes.test", "no.test"] == asked


def upstreams(resolve: Callable[[str], str] = str, **diallers: Any) -> Upstreams:
    clock: Any = lambda: 0.0
    return Upstreams(resolve, clock=clock, diallers=diallers, connections_max=9, idle_s=30)


def test_a_request_head_names_the_place_and_carries_the_secrets() -> None:
    provider = a_provider(
        base_url="http://acme.test:81/v1/",
        api_key="env:KEY",
        headers=(("x-plain", "said"), ("x-secret", "file:/run/s")),
    )
    found = upstreams(lambda reference: f"<{reference}>").of(an_endpoint(provider))
    head, body = found.request("chat", b"{}").split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")

    assert b"{}" == body
    assert "POST /v1/chat/completions HTTP/1.1" == lines[0]
    assert {
        "host: acme.test:81",
        "authorization: Bearer <env:KEY>",
        "x-plain: said",
        "x-secret: <file:/run/s>",
        "content-length: 2",
        "content-type: application/json",
        "accept-encoding: identity",
        "user-agent: hedgerow",
    } == set(lines[1:])
    assert found.request("completions", b"").startswith(b"POST /v1/completions ")


def test_without_a_key_no_credentials_are_sent() -> None:
    head = upstreams().of(an_endpoint()).request("chat", b"")

    assert b"authorization" not in head


def test_providers_of_one_origin_share_a_pool_and_others_do_not() -> None:
    made = upstreams()
    one = made.of(an_endpoint(a_provider("one", base_url="http://acme.test/v1")))
    two = made.of(an_endpoint(a_provider("two", base_url="http://acme.test/v2")))
    six = made.of(an_endpoint(a_provider("six", base_url="http://acme.test:81/v1")))

    assert one.pool is two.pool
    assert [one.pool, six.pool] == made.pools()
    assert one is made.of(an_endpoint(a_provider("one")))


def test_where_to_dial_is_read_from_the_url() -> None:
    made = upstreams()
    origins = [
        made.of(an_endpoint(a_provider(f"p{port}{tls}", base_url=url))).pool.origin
        for url, port, tls in (
            ("http://h.test/v1", 80, False),
            ("https://h.test/v1", 443, True),
            ("http://h.test:81", 81, False),
            ("http://[::1]:82/v1", 82, False),
        )
    ]

    assert [80, 443, 81, 82] == [origin.port for origin in origins]
    assert ["h.test", "h.test", "h.test", "::1"] == [origin.host for origin in origins]
    assert [False, True, False, False] == [origin.tls is not None for origin in origins]


async def test_a_provider_in_process_is_dialled_by_its_dialler() -> None:
    made = upstreams(sandbox=lambda provider: dial)
    pool = made.of(an_endpoint(a_provider("sandbox", base_url="sandbox:"))).pool
    connection = pool.fresh()

    assert connection.ready
    pool.give(connection)
    made.close()
    assert 0 == pool.open


def test_secrets_and_files_are_read_when_preparing() -> None:
    def resolve(reference: str) -> str:
        raise ConfigError(f"{reference} is not set")

    made = upstreams(resolve)
    made.prepare([a_provider("without")])
    with pytest.raises(ConfigError, match="env:KEY"):
        made.prepare([a_provider("without"), a_provider("with", api_key="env:KEY")])
    with pytest.raises(ConfigError, match="prox"):
        made.prepare([a_provider("behind", base_url="http://b.test", proxy="http://proxy.test")])
    with pytest.raises(ConfigError, match="TLS"):
        made.prepare([a_provider("ca", base_url="https://c.test", ca_file="/no/such/file")])


def test_a_connection_to_nowhere_is_not_open() -> None:
    assert Connection("x", None).sock is None
