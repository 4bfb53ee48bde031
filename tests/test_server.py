"""A gateway is built from settings, listens, serves and stops; what is unusable is one line."""

import gc
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from proxy.catalog.loader import build_catalog
from proxy.config import parse_settings
from proxy.config.settings import Settings
from proxy.errors import ConfigError
from proxy.server import ceilings, running, serve
from tests.fakes.replay import serve_replay
from tests.rig import Client, chat_body, connect, head, post, rig


def settings_of(**document: Any) -> Settings:
    return parse_settings(document, origin="the test")


def bound(*addresses: str) -> Settings:
    return settings_of(server={"bind": list(addresses), "data": ""})


def test_nothing_set_is_no_ceiling() -> None:
    assert {} == ceilings(Settings())


def test_the_operators_policy_reads_as_a_requests_preferences() -> None:
    policy = {
        "data_collection": "deny",
        "zdr": True,
        "only": ["one"],
        "ignore": ["two"],
        "max_price": {"prompt": "1.5"},
    }

    assert policy == ceilings(settings_of(policy=policy))


async def test_secrets_that_are_missing_stop_the_start() -> None:
    document: dict[str, Any] = {
        "catalog": "none",
        "server": {"bind": ["127.0.0.1:0"]},
        "providers": {"one": {"base_url": "http://127.0.0.1:9/v1", "api_key": "file:/no/such"}},
    }
    settings = settings_of(**document)
    catalog = build_catalog(settings, environ={})
    with pytest.raises(ConfigError, match="file:/no/such"):
        async with running(settings, catalog, environ={}):
            raise AssertionError


async def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-upstream\n")
    async with rig({"a/m": ("synthetic/text",)}, provider={"api_key": f"file:{path}"}) as r:
        await r.chat("a/m")
        assert "Bearer sk-upstream" == dict(r.one.log[0].headers)["authorization"]


async def test_without_any_provider_the_sandbox_answers() -> None:
    settings = settings_of(server={"bind": ["127.0.0.1:0"], "data": ""})
    catalog = build_catalog(settings, environ={})
    name = next(iter(catalog.models))
    async with running(settings, catalog, environ={}) as run:
        async with await connect(run.urls[0]) as stream:
            client = Client(stream)
            for streamed in (False, True):
                reply = await client.ask(post(chat_body(name, stream=streamed)))
                assert reply.text


async def test_leaving_the_block_cuts_what_is_in_progress_and_settles_it() -> None:
    async with rig({"a/m": ("fault/stall-mid-body",)}) as r:
        stream = await connect(r.url)
        await stream.send_all(post(chat_body("a/m", stream=True)))
        await r.one.wait_served(1)
        await trio.sleep(0.02)
    assert {} == r.ledger.held
    assert all(pool.open == 0 for pool in r.gateway.upstreams.pools())
    with pytest.raises(trio.BrokenResourceError):
        while await stream.receive_some(1000):
            pass
        raise trio.BrokenResourceError  # a FIN will do
    await stream.aclose()


async def served(document: dict[str, Any], nursery: trio.Nursery, **options: Any) -> str:
    """Start `serve`; returns its URL."""
    settings = settings_of(server={"bind": ["127.0.0.1:0"], "data": ""}, **document)
    catalog = build_catalog(settings, environ={})
    told: list[str] = []
    run = partial(
        serve, settings, catalog, keys=frozenset(), environ={}, announce=told.extend, **options
    )
    nursery.start_soon(run)
    with trio.fail_after(5):
        while not told:
            await trio.sleep(0.001)
    return told[0]


@pytest.fixture
def keep_gc() -> Any:
    """`serve` tunes the collector for its process, which here is the tests' own."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def test_it_serves_until_cancelled(keep_gc: None) -> None:
    async with trio.open_nursery() as nursery:
        url = await served({}, nursery)
        async with await connect(url) as stream:
            await stream.send_all(head("GET", "/healthz/live"))
            assert b"200 OK" in await stream.receive_some(1000)
        nursery.cancel_scope.cancel()


async def test_the_first_signal_drains(keep_gc: None) -> None:
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            url = await served({}, nursery, signals=True)
            async with await connect(url) as idle:
                await idle.send_all(head("GET", "/healthz/live"))
                await idle.receive_some(1000)
                os.kill(os.getpid(), signal.SIGTERM)
                assert b"" == await idle.receive_some(1000)


@pytest.mark.parametrize("drain_s", [0.2, 600.0])
async def test_a_drain_ends_with_its_time_or_the_second_signal(
    keep_gc: None, drain_s: float
) -> None:
    document = {
        "limits": {"drain_s": drain_s},
        "catalog": "none",
        "providers": {"one": {"base_url": ""}},
        "models": [
            {
                "id": "a/m",
                "context_length": 9999,
                "endpoints": [
                    {"provider": "one", "upstream_model": "fault/stall-mid-body", "prices": "free"}
                ],
            }
        ],
    }
    async with serve_replay() as replay:
        document["providers"] = {"one": {"base_url": replay.url + "/v1"}}
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                url = await served(document, nursery, signals=True)
                async with await connect(url) as busy:
                    await busy.send_all(post(chat_body("a/m", stream=True)))
                    await replay.wait_served(1)
                    started = trio.current_time()
                    os.kill(os.getpid(), signal.SIGTERM)
                    await trio.sleep(0.1)
                    if drain_s > 1:
                        os.kill(os.getpid(), signal.SIGTERM)
                    with trio.fail_after(3):
                        try:
                            while await busy.receive_some(10_000):
                                pass
                        except trio.BrokenResourceError:
                            pass
                    assert 0.1 <= trio.current_time() - started < 1
