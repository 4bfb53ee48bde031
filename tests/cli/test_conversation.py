"""The demo shows what it received, and says when it received nothing."""

import httpx
import pytest
from rich.console import Console

from proxy.cli import conversation
from proxy.errors import ConfigError

STREAM = """: HEDGEROW PROCESSING

data: {"provider":"P","choices":[{"delta":{"role":"assistant","content":""}}]}

data: {"provider":"P","choices":[{"delta":{"content":"Hel[lo]"}}]}

data: {"provider":"P","choices":[],"usage":{"total_tokens":7,"cost":0.25}}

data: [DONE]

"""


def answering(text: str, status: int = 200) -> httpx.AsyncClient:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=text, headers={"x-hedgerow-endpoint": "p/fast:m"})

    return httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://test")


async def ask(text: str, status: int = 200) -> tuple[conversation.Turn, str]:
    console = Console(record=True, width=200)
    async with answering(text, status) as client:
        turn = await conversation._ask(client, console, "m", [])
    return turn, console.export_text()


async def test_text_provider_tokens_and_cost_come_from_the_stream() -> None:
    turn, shown = await ask(STREAM)

    assert (turn.text, turn.provider, turn.endpoint) == ("Hel[lo]", "P", "p/fast:m")
    assert (turn.tokens, turn.cost_usd) == (7, 0.25)
    assert turn.ttft_ms > 0
    assert "Hel[lo]" in shown
    assert "$0.25" in shown


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("", 503, "demo: the gateway answered 503"),
        ("data: [DONE]", 200, "demo: no answer from m"),
        ('data: {"error":{"message":"broken"}}', 200, "demo: broken"),
    ],
)
async def test_what_is_no_answer_is_said(text: str, status: int, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await ask(text, status)

    assert caught.value.message == expected
