"""TLS towards providers, end to end: what cannot be trusted is a 502, and never spoken to in clear."""

import datetime as dt
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from tests.fakes.scripts import TEXTS
from tests.rig import SHORT, Door, rig
from tests.scenarios.test_upstream_proxies import pump, served

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
CA = trustme.CA()
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
SPOKEN_MAX = 4096


def context(ca: trustme.CA = CA, name: str = "127.0.0.1", **validity: Any) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name, **validity).configure_cert(made)
    return made


def expired() -> ssl.SSLContext:
    return context(not_before=PAST, not_after=PAST + dt.timedelta(days=9))


def old_protocol() -> ssl.SSLContext:
    made = context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_1
    made.set_ciphers("ALL:@SECLEVEL=0")
    return made


def wants_certificate() -> ssl.SSLContext:
    made = context()
    made.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(made)
    return made


class Server:
    """TLS in front of a provider; `None`: hangs up in the middle of the handshake."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self.first_bytes: list[int] = []
        self.behind = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        await trio.lowlevel.wait_readable(stream.socket)
        peeked = await stream.socket.recv(1, 2)  # MSG_PEEK
        self.first_bytes += peeked[:1]
        if self._tls is None:
            await stream.receive_some(SPOKEN_MAX)
            await stream.aclose()
            return
        tls = trio.SSLStream(stream, self._tls, server_side=True)
        try:
            await tls.do_handshake()
            await pump(tls, await trio.open_tcp_stream("127.0.0.1", self.behind))
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass
        await trio.aclose_forcefully(tls)


async def ask(
    server: Server, tmp_path: Path, stream: bool, door: Door = "lane", **provider: Any
) -> tuple[int, str]:
    """What a client sees: (status, text or message)."""
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with served(server.serve) as port:
        async with rig(
            {"a/m": (GOOD,)},
            urls={"one": f"https://127.0.0.1:{port}/v1"},
            provider={"ca_file": str(tmp_path / "ca.pem"), **provider},
            timeouts={**SHORT, "connect": 2},
            door=door,
        ) as r:
            server.behind = int(r.one.url.rpartition(":")[2])
            reply = await r.chat("a/m", stream=stream)
            await r.quiet()
            assert (reply.status == 200) == bool(r.one.log)
            assert ((1, 0) if reply.status == 200 else (0, 1)) == r.settled
    return reply.status, reply.text if reply.status == 200 else reply.error["message"]


REFUSED: dict[str, tuple[Callable[[], ssl.SSLContext | None], str]] = {
    "an expired certificate": (expired, "has expired"),
    "another name": (lambda: context(name="127.0.0.2"), "not valid for '127.0.0.1'"),
    "an unknown authority": (lambda: context(trustme.CA()), "certificate"),
    "TLS 1.1": (old_protocol, "handshake failed"),
    "an end in the handshake": (lambda: None, "handshake failed"),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_trusted_is_a_502(
    case: str, stream: bool, door: Door, tmp_path: Path
) -> None:
    make, words = REFUSED[case]
    server = Server(make())
    status, message = await ask(server, tmp_path, stream, door)

    assert 502 == status
    assert "Provider's TLS is not acceptable" in message
    assert words in message
    assert [0x16] == server.first_bytes, "tried again, or in clear text"


async def test_the_server_of_tls_1_1_would_have_spoken_it(tmp_path: Path) -> None:
    """Else the row above would prove nothing."""
    server = Server(old_protocol())
    client = ssl.create_default_context()
    CA.configure_trust(client)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    async with served(server.serve) as port:
        tls = trio.SSLStream(
            await trio.open_tcp_stream("127.0.0.1", port), client, server_hostname="127.0.0.1"
        )
        await tls.do_handshake()
        assert "TLSv1.1" == tls.version()
        await trio.aclose_forcefully(tls)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_provider_that_wants_our_certificate_gets_it(stream: bool, tmp_path: Path) -> None:
    ours = tmp_path / "client.pem"
    CA.issue_cert("gateway.test").private_key_and_cert_chain_pem.write_to_path(ours)

    assert (200, TEXT) == await ask(
        Server(wants_certificate()), tmp_path, stream, client_cert=str(ours)
    )
    status, _ = await ask(Server(wants_certificate()), tmp_path, stream)
    assert 502 == status


async def test_the_systems_authorities_do_not_count_where_a_file_is_named(tmp_path: Path) -> None:
    status, _ = await ask(Server(context()), tmp_path, stream=False)
    assert 200 == status
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    status, message = await ask(Server(context()), tmp_path, stream=False, ca_file=str(other))
    assert 502 == status
    assert "certificate" in message
