"""`async with Gateway(…)` on trio and asyncio: it starts, stops, and stays out of the way."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio

import proxy
from proxy.embed import Gateway
from proxy.embed.service import NotRunningError
from tests.cli.process import ROOT
from tests.embed.rig import CHAT, Provider, ask, client, within

LOOPS = ("trio", "asyncio")
on_both = pytest.mark.parametrize("loop", LOOPS)


def on(loop: str, program: Callable[[], Awaitable[None]]) -> None:
    """Run a program."""

    async def run() -> None:
        await program()

    if loop == "trio":
        trio.run(within, run)
    else:
        asyncio.run(asyncio.wait_for(run(), 20))


@on_both
def test_the_sandbox_answers_where_there_is_no_key(loop: str) -> None:
    async def program() -> None:
        async with proxy.Gateway({}, environ={}) as gateway, client(gateway.transport()) as http:
            reply = await http.post(CHAT, json=ask("openai/gpt-4o-mini"))
            assert "Hedgerow Sandbox" == reply.json()["provider"]

    on(loop, program)


@on_both
def test_no_socket_is_opened_unless_it_is_to_listen(loop: str, provider: Provider) -> None:
    async def program() -> None:
        async with Gateway(provider.document(), environ={}) as gateway:
            with pytest.raises(NotRunningError):
                gateway.base_url  # noqa: B018
        async with (
            Gateway(provider.document(), listen=True, environ={}) as gateway,
            httpx.AsyncClient(trust_env=False) as http,
        ):
            url = f"{gateway.base_url}/chat/completions"
            assert 200 == (await http.post(url, json=ask("a/text"))).status_code

    on(loop, program)


@on_both
def test_the_exception_of_the_block_passes_as_it_is(loop: str) -> None:
    async def program() -> None:
        async with Gateway({}, environ={}):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        on(loop, program)
    assert "hedgerow" not in {thread.name for thread in threading.enumerate()}


@on_both
def test_a_bad_setting_is_a_plain_config_error(loop: str) -> None:
    async def program() -> None:
        async with Gateway({"limits": {"x": 1}}, environ={}):
            raise AssertionError("entered")

    with pytest.raises(proxy.ConfigError, match=r"settings: limits\.x: unknown key"):
        on(loop, program)


@on_both
def test_it_may_be_entered_again_but_not_twice(loop: str) -> None:
    async def program() -> None:
        gateway = Gateway({}, environ={})
        for _ in range(2):
            async with gateway, client(gateway.transport()) as http:
                assert 200 == (await http.get("/healthz/live")).status_code
                with pytest.raises(RuntimeError):
                    await gateway.__aenter__()

    on(loop, program)


@on_both
def test_leaving_cuts_what_is_in_progress(loop: str, provider: Provider) -> None:
    async def program() -> None:
        async with client(
            (gateway := Gateway(provider.document(), environ={})).transport()
        ) as http:
            async with gateway:
                request = http.build_request("POST", CHAT, json=ask("a/stalled", stream=True))
                reply = await http.send(request, stream=True)
            with pytest.raises(httpx.RemoteProtocolError):
                await reply.aread()

    on(loop, program)


@on_both
def test_a_cancelled_block_ends(loop: str) -> None:
    entered: list[Any] = []

    async def block() -> None:
        async with Gateway({}, environ={}):
            entered.append(True)
            await (trio.sleep_forever() if loop == "trio" else asyncio.sleep(60))

    async def program() -> None:
        if loop == "trio":
            with trio.move_on_after(0.3) as scope:
                await block()
            assert scope.cancelled_caught
        else:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(block(), 0.3)

    on(loop, program)
    assert entered


async def test_an_asyncio_program_that_gives_up_while_it_starts_leaves_no_thread() -> None:
    async def program() -> None:
        task = asyncio.create_task(Gateway({}, environ={}).__aenter__())
        await asyncio.sleep(0)  # it has begun, and waits
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await trio.to_thread.run_sync(lambda: asyncio.run(program()))

    for thread in threading.enumerate():
        if thread.name == "hedgerow":
            thread.join(5)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    "line", ["import proxy", "import proxy; dir(proxy); proxy.__version__", "import proxy.cli"]
)
def test_the_package_stays_light_until_it_is_used(line: str) -> None:
    code = (
        f"import sys\n{line}\nprint([m for m in ('trio', 'msgspec', 'httpx') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.strip()


def test_public_names_are_what_they_say() -> None:
    assert {"ConfigError", "Gateway", "ThreadedGateway", "start_in_thread", "__version__"} == set(
        proxy.__all__
    )
    assert all(getattr(proxy, name).__module__ for name in proxy.__all__ if name != "__version__")
    assert proxy.Gateway is Gateway
    with pytest.raises(AttributeError, match="no attribute 'Gatway'"):
        proxy.Gatway  # type: ignore[attr-defined]  # noqa: B018
