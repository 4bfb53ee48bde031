"""The lane behind TLS: the same answers, departures and deadlines as in clear text."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trustme

from tests.rig import Rig, chat_body, head, post, rig

CA = trustme.CA()
SERVED = {"a/m": ("synthetic/text",), "a/stall": ("fault/stall-mid-body",)}


@asynccontextmanager
async def secured(folder: Path, **more: Any) -> AsyncIterator[Rig]:
    """A gateway that listens with TLS first and in clear text second."""
    issued = CA.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    trust = ssl.create_default_context()
    CA.configure_trust(trust)
    trust.set_alpn_protocols(["http/1.1"])
    bind = ({"address": "127.0.0.1:0", "tls_cert": str(folder / "both.pem")}, "127.0.0.1:0")
    async with rig(SERVED, bind=bind, trust=trust, **more) as r:
        yield r


async def test_an_answer_is_the_same_as_in_clear_text(tmp_path: Path) -> None:
    async with secured(tmp_path) as r:
        for stream in (False, True):
            texts = []
            for url in r.running.urls:
                async with r.client(url) as client:
                    replies = [
                        await client.ask(post(chat_body("a/m", stream=stream))) for _ in range(3)
                    ]
                    assert all(reply.whole for reply in replies)
                    texts += [reply.text for reply in replies]
            assert 6 == len(texts)
            assert 1 == len(set(texts))


async def test_a_large_body_comes_and_a_pipelined_request_waits(tmp_path: Path) -> None:
    async with secured(tmp_path) as r, r.client() as client:
        big = chat_body("a/m", text="x" * 3_000_000)
        await client.send(post(big) + head("GET", "/healthz/live"))
        assert 200 == (await client.read()).status
        assert 200 == (await client.read("GET")).status


@pytest.mark.parametrize("how", ["close", "abrupt"])
async def test_a_departure_reaches_the_provider_at_once(tmp_path: Path, how: str) -> None:
    async with secured(tmp_path) as r:
        async with r.client() as client:
            await client.send(post(chat_body("a/stall", stream=True)))
            await r.one.wait_served(1)
            await trio.sleep(0.05)
            if how == "abrupt":
                await trio.aclose_forcefully(client.stream)
        await r.quiet(0.2)
        assert (1, 0) in {r.settled, (r.settled[1], r.settled[0])}


async def test_a_handshake_has_the_time_of_a_head(tmp_path: Path) -> None:
    async with secured(tmp_path, limits={"head_time_s": 0.2}) as r:
        host, port = r.url.removeprefix("https://").split(":")
        for said in (b"", b"\x16\x03\x01\x02\x00\x01"):
            async with await trio.open_tcp_stream(host, int(port)) as stream:
                if said:
                    await stream.send_all(said)
                with trio.fail_after(3):
                    assert b"" == await stream.receive_some(100)


async def test_clear_text_on_the_tls_port_is_told(tmp_path: Path) -> None:
    async with secured(tmp_path) as r:
        host, port = r.url.removeprefix("https://").split(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(head("GET", "/"))
            assert b"use https" in await stream.receive_some(1000)


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    async with secured(tmp_path) as r:
        async with r.client() as client:
            assert 200 == (await client.ask(head("GET", "/healthz/live"), "GET")).status
            issued = CA.issue_cert("elsewhere.example")
            issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
            await trio.sleep(1.1)
            with pytest.raises(trio.BrokenResourceError):
                async with r.client() as other:
                    await other.ask(head("GET", "/healthz/live"), "GET")
            assert 200 == (await client.ask(head("GET", "/healthz/live"), "GET")).status


async def test_an_idle_connection_makes_way_where_places_are_few(tmp_path: Path) -> None:
    limits = {"connections_max": 3, "connections_per_address_max": 3}
    async with secured(tmp_path, limits=limits) as r, r.client() as oldest:
        assert 200 == (await oldest.ask(head("GET", "/healthz/live"), "GET")).status
        async with r.client() as second, r.client(r.running.urls[1]) as third:
            for client in (second, third):
                assert 200 == (await client.ask(head("GET", "/healthz/live"), "GET")).status
            async with r.client() as newest:
                assert 200 == (await newest.ask(head("GET", "/healthz/live"), "GET")).status
            assert await oldest.ended()
            assert 200 == (await third.ask(head("GET", "/healthz/live"), "GET")).status


async def test_where_all_are_busy_the_next_is_refused_with_the_number(tmp_path: Path) -> None:
    async with (
        secured(tmp_path, limits={"connections_max": 1, "connections_per_address_max": 2}) as r,
        r.client() as busy,
    ):
        await busy.send(post(chat_body("a/stall", stream=True)))
        await r.one.wait_served(1)
        async with r.client(r.running.urls[1]) as refused:
            reply = await refused.read()
            assert (503, "1") == (reply.status, reply.headers["retry-after"])
            assert "More than 1 connections." == reply.error["message"]
            assert await refused.ended()


async def test_half_a_head_and_half_a_handshake_make_way_too(tmp_path: Path) -> None:
    limits = {"connections_max": 3, "connections_per_address_max": 3}
    async with secured(tmp_path, limits=limits) as r:
        host, port = r.url.removeprefix("https://").split(":")
        async with (
            await trio.open_tcp_stream(host, int(port)) as handshake,
            r.client(r.running.urls[1]) as head_only,
            r.client(r.running.urls[1]) as busy,
        ):
            await handshake.send_all(b"\x16\x03\x01")
            await head_only.send(b"POST / HT")
            await busy.send(post(chat_body("a/stall", stream=True)))
            await r.one.wait_served(1)
            for ended in (handshake.receive_some, head_only.stream.receive_some):
                async with r.client(r.running.urls[1]) as honest:
                    await honest.send(post(chat_body("a/stall", stream=True)))
                    with trio.fail_after(2):
                        assert b"" == await ended(1)
                    await r.one.wait_served(2)


async def test_a_client_that_insists_on_http_2_gets_it(tmp_path: Path) -> None:
    """httpx offers both by ALPN, is given HTTP/1.1, and speaks HTTP/2 all the same if told to."""
    async with secured(tmp_path) as r:
        assert r.trust is not None
        async with httpx.AsyncClient(http1=False, http2=True, verify=r.trust) as client:
            reply = await client.get(f"{r.url}/healthz/live")

    assert ("HTTP/2", 200) == (reply.http_version, reply.status_code)


async def test_who_may_not_call_keeps_a_connection_that_is_understood(tmp_path: Path) -> None:
    async with secured(tmp_path) as r, r.client() as client:
        await client.send(
            head("GET", "/healthz/live", host="evil.test") + head("GET", "/healthz/live")
        )
        assert (403, 200) == ((await client.read("GET")).status, (await client.read("GET")).status)
