"""Providers behind a proxy: tunnels for TLS, absolute form for clear text, and secrets kept."""

import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from proxy.config import parse_settings
from proxy.errors import ConfigError
from tests.fakes.scripts import TEXTS
from tests.rig import SHORT, Rig, rig

GOOD = "synthetic/text"
TEXT = "".join(TEXTS)
MODELS = {"a/m": (GOOD,)}
CA = trustme.CA()
CREDENTIALS = "user:se%20cret"
BASIC = "Basic dXNlcjpzZSBjcmV0"
SECRETS = ("se%20cret", "se cret", "dXNlcjpzZSBjcmV0")


@dataclass
class FakeProxy:
    """Connects to where it is told; names lead to `ports`, since they exist nowhere."""

    ports: Mapping[str, int] = field(default_factory=dict)
    """Authority of a request -> local port."""
    refusal: bytes = b""
    """Said instead of doing anything; a single blank: nothing at all."""
    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{CREDENTIALS}@127.0.0.1:{self.port}"

    async def serve(self, near: trio.SocketStream) -> None:
        try:
            async with near:
                await self._serve(near)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass

    async def _serve(self, near: trio.SocketStream) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            if not (data := await near.receive_some()):
                return
            received += data
        head, _, rest = received.partition(b"\r\n\r\n")
        self.heads.append(head)
        if self.refusal:
            await (trio.sleep(30) if self.refusal == b" " else near.send_all(self.refusal))
            return
        method, target, _ = head.decode().split("\r\n")[0].split()
        authority = target if method == "CONNECT" else target.split("/")[2]
        far = await trio.open_tcp_stream("127.0.0.1", self.ports[authority])
        if method == "CONNECT":
            await near.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target.partition(authority)[2].encode()
            lines = [b"POST %b HTTP/1.1" % path, *head.split(b"\r\n")[1:]]
            lines = [line for line in lines if not line.startswith(b"proxy-")]
            await far.send_all(b"\r\n".join([*lines, b"connection: close", b"", b""]) + rest)
        await pump(near, far)


async def pump(near: Any, far: trio.SocketStream) -> None:
    async def one_way(source: Any, sink: Any) -> None:
        try:
            while data := await source.receive_some():
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            nursery.cancel_scope.cancel()

    async with far, trio.open_nursery() as nursery:
        nursery.start_soon(one_way, near, far)
        nursery.start_soon(one_way, far, near)


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[int]:
    """A listener on loopback; its port."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handler, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


class Terminator:
    """TLS in front of the rig's first provider."""

    def __init__(self) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        CA.issue_cert("provider.test").configure_cert(self.context)
        self.behind = 0
        self.heads: list[bytes] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, self.context, server_side=True)
        try:
            first = await tls.receive_some()
            self.heads.append(first)
            far = await trio.open_tcp_stream("127.0.0.1", self.behind)
            await far.send_all(first)
            await pump(tls, far)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await trio.aclose_forcefully(tls)


@asynccontextmanager
async def behind_proxy(
    base_url: str, tmp_path: Path, *, refusal: bytes = b"", by_variable: bool = False
) -> AsyncIterator[tuple[Rig, FakeProxy, Terminator]]:
    """A rig whose first provider lives at `base_url`, which only the proxy can reach."""
    proxy, terminator = FakeProxy(refusal=refusal), Terminator()
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with served(proxy.serve) as proxy.port, served(terminator.serve) as tls_port:
        environ = {"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url, "P": proxy.url}
        provider = {"ca_file": str(tmp_path / "ca.pem")}
        async with rig(
            MODELS,
            urls={"one": base_url},
            provider=provider if by_variable else {**provider, "proxy": "env:P"},
            environ=environ if by_variable else {"P": proxy.url},
            timeouts=SHORT,
        ) as r:
            terminator.behind = int(r.one.url.rpartition(":")[2])
            proxy.ports = {"provider.test": terminator.behind, "provider.test:443": tls_port}
            yield r, proxy, terminator


@pytest.mark.parametrize("by_variable", [True, False])
async def test_tls_goes_through_a_tunnel_and_the_origin_never_hears_of_the_proxy(
    tmp_path: Path, by_variable: bool
) -> None:
    async with behind_proxy("https://provider.test/v1", tmp_path, by_variable=by_variable) as (
        r,
        proxy,
        terminator,
    ):
        replies = [await r.chat("a/m", stream=stream) for stream in (True, False, True)]
        await r.quiet()

    assert [TEXT] * 3 == [reply.text for reply in replies]
    assert 1 == len(proxy.heads), "the tunnel was not used again"
    lines = proxy.heads[0].decode().split("\r\n")
    assert "CONNECT provider.test:443 HTTP/1.1" == lines[0]
    assert f"proxy-authorization: {BASIC}" in lines
    assert b"POST /v1/chat/completions HTTP/1.1\r\n" in terminator.heads[0]
    assert b"proxy" not in terminator.heads[0].lower()


@pytest.mark.parametrize("by_variable", [True, False])
async def test_clear_text_goes_in_absolute_form(tmp_path: Path, by_variable: bool) -> None:
    async with behind_proxy("http://provider.test/v1", tmp_path, by_variable=by_variable) as (
        r,
        proxy,
        _,
    ):
        replies = [await r.chat("a/m", stream=stream) for stream in (True, False)]
        await r.quiet()
        asked = [dict(entry.headers) for entry in r.one.log]

    assert [TEXT] * 2 == [reply.text for reply in replies]
    for head in proxy.heads:
        lines = head.decode().split("\r\n")
        assert "POST http://provider.test/v1/chat/completions HTTP/1.1" == lines[0]
        assert {"host: provider.test", f"proxy-authorization: {BASIC}"} < set(lines)
    assert ["provider.test"] * 2 == [headers["host"] for headers in asked]


AUTHENTICATE = (
    b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
)
REFUSALS = [
    ("https", AUTHENTICATE, 502, "status 407"),
    ("http", AUTHENTICATE, 502, "status 407"),
    ("https", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 502, "status 403"),
    ("https", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, 502, "size limit"),
    ("https", b"\x15\x03\x01\r\n\r\n", 502, "malformed"),
    ("https", b" ", 504, "in time"),
]


@pytest.mark.parametrize(("scheme", "refusal", "status", "words"), REFUSALS)
async def test_a_proxy_that_refuses_is_a_failed_attempt_that_tells_no_secret(
    tmp_path: Path, scheme: str, refusal: bytes, status: int, words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        async with behind_proxy(f"{scheme}://provider.test/v1", tmp_path, refusal=refusal) as (
            r,
            _,
            _,
        ):
            reply = await r.chat("a/m")
            await r.quiet()
            assert [] == r.one.log

    assert status == reply.status
    assert words in reply.error["message"]
    seen = reply.body.decode() + repr(reply.headers) + caplog.text
    assert not any(secret in seen for secret in SECRETS)


async def test_this_machine_is_reached_without_the_environments_proxy() -> None:
    environ = {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1"}
    async with rig(MODELS, environ=environ, timeouts=SHORT) as r:
        assert TEXT == (await r.chat("a/m")).text


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"HTTPS_PROXY": "socks5://user:secret@p.test"}, "HTTPS_PROXY: socks5 proxies are not"),
        ({"all_proxy": "https://user:secret@p.test"}, "all_proxy: https proxies are not"),
    ],
)
async def test_an_unusable_proxy_is_refused_at_start(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as told:
        async with rig(MODELS, urls={"one": "https://provider.test/v1"}, environ=environ):
            pass

    assert words in told.value.message
    assert "secret" not in told.value.message


def test_a_literal_proxy_with_a_password_is_refused_by_the_settings() -> None:
    document: Any = {
        "providers": {"p": {"base_url": "http://x.test", "proxy": "http://u:pw@p.test"}}
    }
    with pytest.raises(ConfigError) as told:
        parse_settings(document, origin="the test")

    assert "pw" not in told.value.message
