"""Dialling tells in a few words whether a provider is there, over real sockets."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from proxy.cli import dialling
from proxy.model.endpoint import Provider
from tests.fakes.replay import refused_url

CA = trustme.CA()


def provider(url: str, **more: str) -> Provider:
    return Provider(id="p", name="P", dialect="openai-chat", base_url=url, api_key="env:K", **more)  # type: ignore[arg-type]


@asynccontextmanager
async def listening(secure: trustme.LeafCert | None = None) -> AsyncIterator[int]:
    """A port that accepts; with a certificate it shakes hands too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if secure is not None:
        secure.configure_cert(context)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            if secure is not None:
                with trio.move_on_after(1):
                    try:
                        await trio.SSLStream(stream, context, server_side=True).do_handshake()
                    except trio.BrokenResourceError:
                        return
            while await stream.receive_some(1000):
                pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_plain_provider_that_accepts_is_ok_and_no_key_is_needed() -> None:
    async with listening() as port:
        one = provider(f"http://127.0.0.1:{port}/v1")
        assert {"p": "ok"} == await dialling.dial_all({"p": one}, {})


async def test_a_refusal_is_a_few_words() -> None:
    with refused_url() as url:
        assert "Provider's address refused the connection." == await dialling.dial(
            provider(url), {}
        )


async def test_a_secure_provider_is_ok_where_its_authority_is_known(tmp_path: Path) -> None:
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with listening(CA.issue_cert("127.0.0.1")) as port:
        url = f"https://127.0.0.1:{port}/v1"
        known = provider(url, ca_file=str(tmp_path / "ca.pem"))
        assert "ok, TLS" == await dialling.dial(known, {})
        assert "certificate" in await dialling.dial(provider(url), {})


async def test_a_silent_provider_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "DIAL_TIME_S", 0.2)
    async with listening() as port:
        said = await dialling.dial(provider(f"https://127.0.0.1:{port}/v1"), {})

    assert "no answer within 0 s" == said


async def test_files_that_cannot_be_read_are_told() -> None:
    said = await dialling.dial(provider("https://127.0.0.1:1/v1", ca_file="/no/such.pem"), {})

    assert "cannot load TLS files" in said


async def test_a_proxy_is_dialled_instead() -> None:
    async with listening() as port:
        url = "http://provider.invalid/v1"
        environ = {"HTTP_PROXY": f"http://127.0.0.1:{port}"}
        assert "ok, by proxy" == await dialling.dial(provider(url), environ)
        assert (await dialling.dial(provider(url, proxy="none"), environ))[:2] != "ok"
