"""Connections kept per origin, and the request heads of each provider."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from proxy.config.settings import LimitSettings
from proxy.errors import ConfigError, ShedError
from proxy.model.endpoint import Credential
from proxy.net.addresses import Addresses, Resolver
from proxy.net.connection import Connection
from proxy.net.pool import Origin, Pool, Upstreams
from proxy.net.watch import Watch
from proxy.units import Seconds
from proxy.wire.body import BodyReader
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
    pool = a_pool(Origin("x", 0, None, dial))
    yield pool
    pool.close()


def a_pool(origin: Origin) -> Pool:
    """Three connections, two waiters."""
    clock: Any = trio.current_time
    limits = LimitSettings(upstream_connections_max=3, upstream_waiters_max=2, upstream_idle_s=30)
    return Pool(origin, clock, Watch(clock), limits, Addresses("x", 0, clock, Resolver()))


def dialled(pool: Pool) -> Connection:
    """A fresh one, where there must be room."""
    connection = pool.fresh()
    assert connection is not None
    return connection


async def test_what_was_given_last_is_taken_first(pool: Pool) -> None:
    first, second = dialled(pool), dialled(pool)
    pool.give(first)
    pool.give(second)

    assert (2, 2) == (pool.open, pool.idle)
    assert [second, first, None] == [pool.take(), pool.take(), pool.take()]
    assert (2, 0) == (pool.open, pool.idle)
    assert (1, 1) == (first.served, second.served)
    pool.discard(first)
    pool.discard(second)
    assert (0, 0) == (pool.open, pool.idle)


# --- at the cap ------------------------------------------------------------------------------------
async def full(pool: Pool) -> list[Connection]:
    connections = [dialled(pool) for _ in range(3)]
    assert pool.fresh() is None
    return connections


async def test_who_comes_first_is_served_first_and_too_many_are_told(pool: Pool) -> None:
    connections = await full(pool)
    first, second = pool.line_up(), pool.line_up()
    with pytest.raises(ShedError, match="More than 2 requests wait"):
        pool.line_up()
    pool.give(connections[0])

    assert (3, 0, 1) == (pool.open, pool.idle, pool.waiting)
    assert pool.take() is None, "what is a waiter's turn was given to somebody else"
    assert connections[0] is await pool.turn(first)
    pool.discard(connections[1])
    assert (3, 0) == (pool.open, pool.waiting)
    assert pool.fresh() is None, "the right to dial was given to somebody else"
    made = await pool.turn(second)
    assert made not in connections
    for connection in (connections[0], connections[2], made):
        pool.discard(connection)
    assert (0, 0, 0) == (pool.open, pool.idle, pool.waiting)


@pytest.mark.parametrize("returned", [True, False])
async def test_a_turn_that_is_not_taken_goes_to_the_next_or_nowhere(
    pool: Pool, returned: bool
) -> None:
    connections = await full(pool)
    gone, next_one = pool.line_up(), pool.line_up()
    free = pool.give if returned else pool.discard
    free(connections[0])
    assert not next_one.turn.is_set()
    pool.leave(gone)
    assert next_one.turn.is_set()
    pool.leave(next_one)

    assert (3 if returned else 2, int(returned), 0) == (pool.open, pool.idle, pool.waiting)
    for connection in connections[1:]:
        pool.discard(connection)


async def test_who_leaves_before_its_turn_is_passed_over(pool: Pool) -> None:
    connections = await full(pool)
    gone, stays = pool.line_up(), pool.line_up()
    pool.leave(gone)
    pool.give(connections[0])

    assert connections[0] is await pool.turn(stays)
    for connection in connections:
        pool.discard(connection)


async def test_a_wait_that_was_cancelled_keeps_its_place(
    pool: Pool, autojump_clock: MockClock
) -> None:
    connections = await full(pool)
    waiter, later = pool.line_up(), pool.line_up()
    for _ in range(2):
        with trio.move_on_after(1) as scope:
            await pool.turn(waiter)
        assert scope.cancelled_caught
    pool.give(connections[0])

    assert connections[0] is await pool.turn(waiter)
    pool.leave(later)
    for connection in connections:
        pool.discard(connection)


async def test_a_connection_that_died_before_its_turn_is_replaced(pool: Pool) -> None:
    connections = await full(pool)
    waiter = pool.line_up()
    FAR[0].close()
    pool.give(connections[0])
    made = await pool.turn(waiter)

    assert made not in connections
    assert (3, None) == (pool.open, connections[0].sock)
    for connection in (*connections[1:], made):
        pool.discard(connection)


async def test_the_end_of_a_replys_framing_is_waited_for_before_the_next_uses_it(
    pool: Pool, autojump_clock: MockClock
) -> None:
    for sent, kept in ((b"0\r\n\r\n", True), (b"", False)):
        connections = await full(pool)
        waiter = pool.line_up()
        tail = BodyReader(chunked=True, length=None)
        tail.feed(b"2\r\nhi\r\n")
        pool.give(connections[0], tail)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_later, FAR[-3], sent)
            got = await pool.turn(waiter)
        assert kept is (got is connections[0])
        for connection in (*connections[1:], got):
            pool.discard(connection)
        assert 0 == pool.open


async def send_later(sock: socket.socket, data: bytes) -> None:
    await trio.sleep(0.01)
    sock.sendall(data)


async def test_a_connection_that_died_unseen_makes_room_for_its_own_replacement_only(
    pool: Pool,
) -> None:
    connections = await full(pool)
    waiter = pool.line_up()
    new = pool.renewed(connections[0])

    assert new not in connections
    assert (3, None, False) == (pool.open, connections[0].sock, waiter.turn.is_set())
    pool.leave(waiter)
    for connection in (*connections[1:], new):
        pool.discard(connection)


async def test_a_dialler_without_sockets_costs_no_place() -> None:
    def exhausted() -> socket.socket:
        raise OSError(24, "Too many open files")

    pool = a_pool(Origin("x", 0, None, exhausted))
    with pytest.raises(ShedError, match="socket"):
        pool.fresh()
    assert 0 == pool.open


# --- what is at rest -------------------------------------------------------------------------------
async def test_a_connection_idle_for_too_long_is_closed(
    pool: Pool, autojump_clock: MockClock
) -> None:
    connection = dialled(pool)
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
    connection = dialled(pool)
    pool.give(connection)
    FAR[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    await trio.sleep(idle_s)

    assert pool.take() is None
    assert 0 == pool.open


async def test_a_connection_that_the_peer_closed_is_not_used(pool: Pool) -> None:
    dead, alive = dialled(pool), dialled(pool)
    pool.give(alive)
    pool.give(dead)
    FAR[0].close()

    assert [alive, None] == [pool.take(), pool.take()]
    pool.discard(alive)


async def test_neither_given_nor_discarded_connections_are_watched(pool: Pool) -> None:
    given, discarded = dialled(pool), dialled(pool)
    pool.watch.waits |= {given, discarded}
    pool.give(given)
    pool.discard(discarded)

    assert set() == pool.watch.waits


ENVIRON: dict[str, str] = {}


def upstreams(resolve: Callable[[str], str] = str, **diallers: Any) -> Upstreams:
    clock: Any = lambda: 0.0
    return Upstreams(
        resolve, clock=clock, diallers=diallers, limits=LimitSettings(), environ=ENVIRON
    )


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


def test_a_key_is_sent_in_the_field_where_its_provider_looks_for_it() -> None:
    provider = a_provider(
        dialect="anthropic-messages",
        auth="x-api-key",
        api_key="env:KEY",
        headers=(("anthropic-version", "2023-06-01"),),
    )
    found = upstreams(lambda reference: f"<{reference}>").of(an_endpoint(provider))
    asked = found.request("chat", b"{}", b"anthropic-beta: a\r\n")
    lines = asked.split(b"\r\n\r\n")[0].decode().split("\r\n")

    assert "POST /v1/messages HTTP/1.1" == lines[0]
    assert {"x-api-key: <env:KEY>", "anthropic-version: 2023-06-01", "anthropic-beta: a"} < set(
        lines
    )
    assert not [line for line in lines if line.startswith("authorization")]
    assert asked.endswith(b"\r\n\r\n{}")


def test_without_a_key_no_credentials_are_sent() -> None:
    head = upstreams().of(an_endpoint()).request("chat", b"")

    assert b"authorization" not in head


def test_each_of_several_keys_has_heads_of_its_own_over_one_pool() -> None:
    keys = (Credential("env:A"), Credential("env:B", rpm=3))
    provider = a_provider(credentials=keys, headers=(("x-team", "a"),))
    made = upstreams(lambda reference: f"<{reference}>")
    found = made.of(an_endpoint(provider))
    ring = found.keyring
    assert ring is not None
    leases = [ring.take(1, Seconds(0.0)) for _ in keys]
    sent = [found.request("chat", b"{}", lease=lease) for lease in leases]

    for request, secret in zip(sent, (b"<env:A>", b"<env:B>"), strict=True):
        assert b"\r\nauthorization: Bearer %b\r\n" % secret in request
        assert b"\r\nx-team: a\r\n" in request
        assert 1 == request.count(b"<env:")
    assert ({"acme": ring}, 1) == (made.keyrings(), len(made.pools()))
    assert "<env:" not in repr(found)


def test_who_rests_is_told_to_whom_it_concerns() -> None:
    told: list[tuple[str, float | None]] = []
    clock: Any = lambda: 5.0
    made = Upstreams(
        str, clock=clock, diallers={}, limits=LimitSettings(), environ={},
        on_rest=lambda *said: told.append(said),
    )  # fmt: skip
    for provider in (a_provider("none"), a_provider("one", api_key="env:K")):
        ring = made.of(an_endpoint(provider)).keyring
        assert (provider.api_key is None) == (ring is None)
        if ring is not None:
            lease = ring.take(1, Seconds(5.0))
            assert lease is not None
            assert lease.key.heads is made.of(an_endpoint(provider)).heads
            ring.refused(lease, Seconds(5.0))
            quiet = upstreams().of(an_endpoint(provider)).keyring
            assert quiet is not None
            quiet.refused(lease, Seconds(5.0))

    assert [("one", 15.0)] == told


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
    connection = dialled(pool)

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
    with pytest.raises(ConfigError, match=r"providers\.behind\.proxy: socks5 proxies"):
        made.prepare([a_provider("behind", base_url="http://b.test", proxy="socks5://p.test")])
    with pytest.raises(ConfigError, match="TLS"):
        made.prepare([a_provider("ca", base_url="https://c.test", ca_file="/no/such/file")])


# --- proxies ---------------------------------------------------------------------------------------
def lines_of(head: bytes) -> list[str]:
    return head.decode().split("\r\n")


def test_a_plain_origin_behind_a_proxy_is_asked_for_in_absolute_form() -> None:
    provider = a_provider(base_url="http://acme.test:81/v1", proxy="http://u%40:p%2F@p.test:3128")
    found = upstreams().of(an_endpoint(provider))
    lines = lines_of(found.request("chat", b""))

    assert "POST http://acme.test:81/v1/chat/completions HTTP/1.1" == lines[0]
    assert "host: acme.test:81" in lines
    assert "proxy-authorization: Basic dUA6cC8=" in lines
    shown = repr(found.pool.origin)
    assert "p.test" in shown
    assert not any(secret in shown for secret in ("p%2F", "p/", "dUA6cC8="))


def test_an_origin_with_tls_never_hears_of_the_proxy() -> None:
    headers = (("Proxy-Authorization", "env:SAID"),)
    for proxy in ("http://u:p@p.test", "none"):
        provider = a_provider(base_url="https://acme.test/v1", proxy=proxy, headers=headers)
        head = (
            upstreams(lambda reference: f"<{reference}>")
            .of(an_endpoint(provider))
            .request("chat", b"")
        )
        assert b"POST /v1/chat/completions " in head
        assert b"proxy" not in head.lower()


def test_a_header_of_the_settings_for_the_proxy_counts_more_than_its_url() -> None:
    headers = (("Proxy-Authorization", "env:SAID"),)
    provider = a_provider(proxy="http://u:p@p.test", headers=headers)
    found = upstreams(lambda reference: f"<{reference}>").of(an_endpoint(provider))

    assert ["proxy-authorization: <env:SAID>"] == [
        line for line in lines_of(found.request("chat", b"")) if line.startswith("proxy")
    ]


def test_a_pool_is_for_one_way_to_an_origin() -> None:
    made = upstreams()
    ways = ("none", "http://p.test:1", "http://p.test:2", "http://u:p@p.test:1")
    pools = [
        made.of(an_endpoint(a_provider(f"p{n}", proxy=way))).pool for n, way in enumerate(ways)
    ]

    assert 4 == len(set(pools))
    assert pools[1] is made.of(an_endpoint(a_provider("again", proxy=ways[1]))).pool


def test_the_environments_proxy_is_used_where_the_settings_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ENVIRON, "http_proxy", "http://u:secret@env.test:3128")
    made = upstreams(sandbox=lambda provider: dial)
    urls = ("http://acme.test", "http://localhost:1", "https://acme.test", "sandbox:")
    origins = [
        made.of(an_endpoint(a_provider(f"p{n}", base_url=url))).pool.origin
        for n, url in enumerate(urls)
    ]

    hosts = [origin.proxy and origin.proxy.host for origin in origins]
    assert ["env.test", None, None, None] == hosts


def test_a_connection_to_nowhere_is_not_open() -> None:
    assert Connection("x", None).sock is None
