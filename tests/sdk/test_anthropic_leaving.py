"""A client of Anthropic's SDK that leaves early: the provider's connection closes, in either dialect."""

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from tests.sdk.rig import KEY, STALLED, ThreadedRig

HTTP1 = pytest.mark.parametrize("claude", ["http1"], indirect=True)
HELLO: Any = [{"role": "user", "content": "hi"}]
CLOSE_S = 0.1
TRIES = 3
"""The best of three counts: the machine may be busy with something else."""
UPSTREAM = {
    "messages-slow/long": "synthetic/long",
    "messages-slow/stalled": STALLED,
    "slow/long": "synthetic/long",
    "slow/stalled": STALLED,
}


def check(rig: ThreadedRig, model: str, leave: Callable[[], float]) -> None:
    """Leave, and see how long the provider was kept; `leave` returns when it left, on `rig`'s clock."""
    took: list[float] = []
    for _ in range(TRIES):
        left_at = leave()
        served = rig.closed(UPSTREAM[model])
        assert served.aborted
        assert served.t_closed is not None
        took.append(served.t_closed - left_at)
        if took[-1] < CLOSE_S:
            return
    pytest.fail(f"closed after {took} s")


@pytest.mark.parametrize("model", UPSTREAM)
@HTTP1
def test_leaving_the_stream_helper_closes_the_provider(
    model: str, rig: ThreadedRig, claude: anthropic.Anthropic
) -> None:
    def leave() -> float:
        with claude.messages.stream(model=model, max_tokens=9, messages=HELLO) as stream:
            for text in stream.text_stream:
                assert text
                break
            return rig.now()

    check(rig, model, leave)


@pytest.mark.parametrize("model", UPSTREAM)
def test_a_cancelled_task_of_the_async_sdk_closes_the_provider(
    model: str, rig: ThreadedRig
) -> None:
    async def read(client: anthropic.AsyncAnthropic, begun: asyncio.Event) -> None:
        asked: Any = {"model": model, "max_tokens": 9, "messages": HELLO}
        async with client.messages.stream(**asked) as stream:
            async for _ in stream.text_stream:
                begun.set()

    async def begin_and_cancel() -> float:
        async with anthropic.AsyncAnthropic(
            base_url=rig.root, api_key=KEY, max_retries=0
        ) as client:
            begun = asyncio.Event()
            task = asyncio.create_task(read(client, begun))
            await begun.wait()
            left_at = rig.now()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return left_at

    check(rig, model, lambda: asyncio.run(begin_and_cancel()))


@HTTP1
def test_a_time_out_of_the_sdk_closes_the_provider(
    rig: ThreadedRig, claude: anthropic.Anthropic
) -> None:
    with pytest.raises(anthropic.APITimeoutError):
        claude.messages.create(
            model="messages-fault/stall-before-headers",
            max_tokens=9,
            messages=HELLO,
            timeout=0.3,
        )

    assert rig.closed("fault/stall-before-headers").aborted
