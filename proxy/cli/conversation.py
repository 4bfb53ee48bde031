"""The demo's script: real requests to a real gateway, shown with who answered, how fast, for what.

Rule 1: what is shown is what was received; nothing is made up here but the questions.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter

import httpx
from rich.console import Console
from rich.table import Table

from proxy.errors import ConfigError
from proxy.model.document import Document, Json, as_count, as_document, as_list

SCRIPT = (
    ("openai/gpt-4o-mini", "Hello! Who is answering me?"),
    ("anthropic/claude-sonnet-4.5", "What does a hedge do for a slow request?"),
    ("meta-llama/llama-3.3-70b-instruct", "And what did this cost me?"),
)
"""Model and question, in order."""
REPLY_TIME_S = 60.0


@dataclass(slots=True)
class Turn:
    """One question and what came back."""

    model: str
    provider: str = ""
    endpoint: str = ""
    text: str = ""
    ttft_ms: float = 0.0
    """Request sent -> first text, milliseconds."""
    tokens: int = 0
    cost_usd: float = 0.0
    error: str = ""
    """Message of an error inside the stream."""


async def converse(url: str) -> None:
    """Play SCRIPT against a gateway. Raises: ConfigError when a reply is not one."""
    console = Console(highlight=False)
    console.print(f"[bold]Hedgerow[/] listens on {url}; the sandbox answers, no key is needed.\n")
    messages: list[Json] = []
    turns: list[Turn] = []
    async with httpx.AsyncClient(base_url=url, timeout=REPLY_TIME_S, trust_env=False) as client:
        for model, question in SCRIPT:
            console.print(f"[cyan]you ->[/] {model}: {question}")
            messages.append({"role": "user", "content": question})
            turn = await _ask(client, console, model, messages)
            messages.append({"role": "assistant", "content": turn.text})
            turns.append(turn)
    console.print(_summary(turns))


async def _ask(
    client: httpx.AsyncClient, console: Console, model: str, messages: list[Json]
) -> Turn:
    """Ask one question, streamed, printing the answer as it comes."""
    turn = Turn(model)
    body = {"model": model, "messages": messages, "stream": True}
    sent_at = perf_counter()
    async with client.stream("POST", "/api/v1/chat/completions", json=body) as reply:
        if reply.status_code != httpx.codes.OK:
            raise ConfigError(f"demo: the gateway answered {reply.status_code}")
        turn.endpoint = reply.headers.get("x-hedgerow-endpoint", "")
        async with aclosing(_chunks(reply)) as chunks:
            async for chunk in chunks:
                _note(turn, chunk, console, elapsed_ms=(perf_counter() - sent_at) * 1000)
    if turn.error or not turn.text:
        raise ConfigError(f"demo: {turn.error or f'no answer from {model}'}")
    cost = f"${turn.cost_usd:.8f}"
    console.print(
        f"\n[dim]{turn.provider} ({turn.endpoint}) · first token after {turn.ttft_ms:.0f} ms · "
        f"{turn.tokens} tokens · {cost}[/]\n"
    )
    return turn


async def _chunks(reply: httpx.Response) -> AsyncGenerator[Document, None]:
    """The JSON documents of a stream of server-sent events; comments are skipped."""
    async for line in reply.aiter_lines():
        data = line.removeprefix("data: ")
        if data not in {line, "[DONE]"}:
            yield as_document(json.loads(data))


def _note(turn: Turn, chunk: Document, console: Console, *, elapsed_ms: float) -> None:
    """Take from one chunk what is shown."""
    turn.provider = str(chunk.get("provider") or turn.provider)
    error = as_document(chunk.get("error"))
    if error:
        turn.error = str(error.get("message"))
    usage = as_document(chunk.get("usage"))
    if usage:
        turn.tokens = as_count(usage.get("total_tokens"))
        cost = usage.get("cost")
        turn.cost_usd = float(cost) if isinstance(cost, int | float) else 0.0
    for choice in as_list(chunk.get("choices")):
        text = as_document(as_document(choice).get("delta")).get("content")
        if isinstance(text, str) and text:
            turn.ttft_ms = turn.ttft_ms or elapsed_ms
            turn.text += text
            console.print(text, end="", markup=False)


def _summary(turns: list[Turn]) -> Table:
    table = Table(title="What happened", title_justify="left")
    for heading in ("model", "provider", "endpoint", "TTFT", "tokens", "cost"):
        table.add_column(heading, overflow="fold")
    for turn in turns:
        table.add_row(
            turn.model.partition("/")[2],
            turn.provider,
            turn.endpoint.partition(":")[0],
            f"{turn.ttft_ms:.0f} ms",
            str(turn.tokens),
            f"${turn.cost_usd:.8f}",
        )
    return table
