"""TLS to providers: verified, 1.2 or newer, resumable like everything else, never downgraded."""

import socket
import ssl
from pathlib import Path

import pytest
import trio
import trustme

from proxy.config.settings import LimitSettings
from proxy.errors import ConfigError, UpstreamUnavailableError
from proxy.net.connection import Connection
from proxy.net.dialling import Dialling
from proxy.net.pool import Upstreams
from proxy.net.tls import ClientContexts, client_context
from tests.fakes.replay import serve_replay
from tests.fakes.things import a_provider

CA = trustme.CA()
OTHER_CA = trustme.CA()
REPLY = b"x" * 200_000


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(path)
    return str(path)


def to_port(port: int) -> Dialling:
    return Dialling([(socket.AF_INET, ("127.0.0.1", port))], trio.current_time)  # type: ignore[arg-type]


def server_context(ca: trustme.CA = CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    return context


async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
    """Say back what was said, then a lot, then goodbye."""
    try:
        data = await stream.receive_some(1000)
        await stream.send_all(data)
        await stream.send_all(REPLY)
        await stream.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        await trio.aclose_forcefully(stream)


async def talk(context: ssl.SSLContext, server: ssl.SSLContext, host: str = "localhost") -> bytes:
    """What a server says to `ping`, cancelled and taken up again all the time."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, server, host="127.0.0.1")
        port = listeners[0].transport_listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, echo, listeners)
        connection = Connection(host, context)
        connection.dial(to_port(port))
        try:
            with trio.fail_after(5):
                while not connection.ready:
                    with trio.move_on_after(0.0005):
                        await connection.establish()
                connection.queue(b"ping")
                await connection.flush()
                heard = b""
                while data := await connection.receive():
                    heard += data
                return heard
        finally:
            connection.close()
            nursery.cancel_scope.cancel()
    raise AssertionError


async def refused(context: ssl.SSLContext, server: ssl.SSLContext, host: str = "localhost") -> str:
    """Why the server is not spoken to."""
    message = ""
    try:
        await talk(context, server, host)
    except* UpstreamUnavailableError as group:
        message = str(group.exceptions[0])
    return message


async def test_a_provider_of_a_trusted_name_is_spoken_to(ca_file: str) -> None:
    context = client_context(a_provider(ca_file=ca_file))

    assert b"ping" + REPLY == await talk(context, server_context())


async def test_an_unknown_authority_is_refused(ca_file: str) -> None:
    context = client_context(a_provider(ca_file=ca_file))

    assert "not acceptable" in await refused(context, server_context(OTHER_CA))
    assert "not acceptable" in await refused(client_context(a_provider()), server_context())


async def test_another_name_is_refused(ca_file: str) -> None:
    context = client_context(a_provider(ca_file=ca_file))

    assert "not acceptable" in await refused(context, server_context(name="other.test"))


async def test_an_old_protocol_is_refused(ca_file: str) -> None:
    context = client_context(a_provider(ca_file=ca_file))

    assert ssl.TLSVersion.TLSv1_2 <= context.minimum_version
    assert (True, ssl.CERT_REQUIRED) == (context.check_hostname, context.verify_mode)


async def test_a_server_that_speaks_no_tls_is_refused(ca_file: str) -> None:
    context = client_context(a_provider(ca_file=ca_file))
    async with serve_replay() as replay:
        connection = Connection("localhost", context)
        port = int(replay.url.rpartition(":")[2])
        connection.dial(to_port(port))
        with pytest.raises(UpstreamUnavailableError, match="TLS"), trio.fail_after(5):
            await connection.establish()
        connection.close()


async def test_a_client_certificate_is_shown(ca_file: str, tmp_path: Path) -> None:
    ours = tmp_path / "client.pem"
    CA.issue_cert("gateway.test").private_key_and_cert_chain_pem.write_to_path(ours)
    server = server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(server)
    context = client_context(a_provider(ca_file=ca_file, client_cert=str(ours)))

    assert b"ping" + REPLY == await talk(context, server)


@pytest.mark.parametrize("field", ["ca_file", "client_cert"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_files_that_cannot_be_used_are_told(
    field: str, content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"providers\.acme: cannot load TLS files"):
        client_context(a_provider(**{field: str(path)}))


def test_contexts_are_shared_by_providers_with_the_same_files(ca_file: str) -> None:
    contexts = ClientContexts()
    plain = contexts.of(a_provider("one"))

    assert plain is contexts.of(a_provider("two"))
    assert plain is not contexts.of(a_provider("three", ca_file=ca_file))


async def test_an_idle_connection_looks_alive_until_the_peer_ends_it(ca_file: str) -> None:
    context = client_context(a_provider(ca_file=ca_file))
    leave = trio.Event()

    async def wait(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await stream.send_all(await stream.receive_some(4))
        await leave.wait()
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, server_context(), host="127.0.0.1")
        port = listeners[0].transport_listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, wait, listeners)
        connection = Connection("localhost", context)
        connection.dial(to_port(port))
        await connection.establish()
        connection.queue(b"ping")
        await connection.flush()
        assert b"ping" == await connection.receive()
        assert connection.looks_alive()
        leave.set()
        with trio.fail_after(1):
            while connection.looks_alive():
                await trio.sleep(0.001)
        connection.close()
        nursery.cancel_scope.cancel()


def test_a_pool_dials_https_with_a_verifying_context() -> None:
    clock = lambda: 0.0
    made = Upstreams(str, clock=clock, diallers={}, limits=LimitSettings(), environ={})  # type: ignore[arg-type]
    made.prepare([a_provider(base_url="https://acme.test/v1")])
    context = made.pools()[0].origin.tls

    assert context is not None
    assert ssl.CERT_REQUIRED == context.verify_mode
