"""A client of the Python SDK that leaves early: the provider's connection closes within 100 ms."""

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.fakes.connection import Served
from tests.sdk.rig import KEY, STALLED, ThreadedRig

HTTP1 = pytest.mark.parametrize("through", ["http1"], indirect=True)
"""httpx does not reset a stream of HTTP/2 that it closes early, so nobody can know (what a reset does:
tests/doors, tests/scenarios)."""
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
CLOSE_S = 0.1
TRIES = 3
"""The best of three counts: the machine may be busy with something else."""
UPSTREAM = {"slow/long": "synthetic/long", "slow/stalled": STALLED}


def check(rig: ThreadedRig, model: str, leave: Callable[[], float]) -> Served:
    """Leave, and see how long the provider was kept; `leave` returns when it left, on `rig`'s clock."""
    took: list[float] = []
    for _ in range(TRIES):
        left_at = leave()
        served = rig.closed(UPSTREAM[model])
        assert served.aborted
        assert served.t_closed is not None
        took.append(served.t_closed - left_at)
        if took[-1] < CLOSE_S:
            return served
    pytest.fail(f"closed after {took} s")


@pytest.mark.parametrize("model", UPSTREAM)
@HTTP1
def test_a_closed_stream_closes_the_provider(
    model: str, rig: ThreadedRig, through: openai.OpenAI
) -> None:
    def leave() -> float:
        stream = through.chat.completions.create(model=model, messages=HELLO, stream=True)
        read = [next(stream) for _ in range(3)]
        assert read[-1].choices[0].delta.content
        left_at = rig.now()
        stream.close()
        return left_at

    served = check(rig, model, leave)

    assert served.pieces_sent < 20


@HTTP1
def test_leaving_the_with_block_closes_the_provider(
    rig: ThreadedRig, through: openai.OpenAI
) -> None:
    def leave() -> float:
        with through.chat.completions.create(
            model="slow/long", messages=HELLO, stream=True
        ) as stream:
            for _ in stream:
                break
            return rig.now()

    check(rig, "slow/long", leave)


@HTTP1
def test_leaving_the_stream_helper_closes_the_provider(
    rig: ThreadedRig, through: openai.OpenAI
) -> None:
    def leave() -> float:
        with through.chat.completions.stream(model="slow/long", messages=HELLO) as stream:
            for event in stream:
                if event.type == "content.delta" and event.delta:
                    break
            return rig.now()

    check(rig, "slow/long", leave)


@pytest.mark.parametrize("model", UPSTREAM)
def test_a_cancelled_task_of_the_async_sdk_closes_the_provider(
    model: str, rig: ThreadedRig
) -> None:
    async def read(client: openai.AsyncOpenAI, begun: asyncio.Event) -> None:
        stream = await client.chat.completions.create(model=model, messages=HELLO, stream=True)
        async with stream:
            async for _ in stream:
                begun.set()

    async def begin_and_cancel() -> float:
        async with openai.AsyncOpenAI(base_url=rig.api, api_key=KEY, max_retries=0) as client:
            begun = asyncio.Event()
            task = asyncio.create_task(read(client, begun))
            await begun.wait()
            left_at = rig.now()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return left_at

    check(rig, model, lambda: asyncio.run(begin_and_cancel()))


@pytest.mark.parametrize("streamed", [False, True])
@HTTP1
def test_a_time_out_of_the_sdk_closes_the_provider(
    streamed: bool, rig: ThreadedRig, through: openai.OpenAI
) -> None:
    model = "fault/stall-before-headers"
    create: Any = through.chat.completions.create
    asked_at = rig.now()

    with pytest.raises(openai.APITimeoutError):
        create(model=model, messages=HELLO, stream=streamed, timeout=0.3)
    served = rig.closed(model)

    assert served.aborted
    assert served.t_closed is not None
    assert 0.3 <= served.t_closed - asked_at < 2.0


@HTTP1
def test_a_stream_that_was_read_to_its_end_leaves_the_provider_its_connection(
    rig: ThreadedRig, through: openai.OpenAI
) -> None:
    connections = set()
    for _ in range(3):
        list(through.chat.completions.create(model="synthetic/text", messages=HELLO, stream=True))
        (served,) = rig.newest("synthetic/text")
        assert not served.aborted
        connections.add(served.connection_id)

    assert len(connections) == 1
