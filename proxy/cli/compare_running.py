"""Asking each model for each prompt, streamed, a few at a time, and noting what a client would notice.

Rule 1: every request ends as a `Sample`, whatever happened; only the program's end stops a run.
Rule 2: models take turns at each prompt, so that a slow minute is slow for all of them.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec
import orjson
import trio

from proxy.cli.compare_prompts import Prompt
from proxy.cli.compare_shape import has_shape
from proxy.cli.figures import plain
from proxy.model.document import Document, Json, as_count, as_document, as_list

PATH = "/api/v1/chat/completions"
REQUEST_S: Final = 900.0
"""Longest time for one request; beyond any deadline of a gateway's own."""
TEXT_CHARACTERS_MAX = 4_194_304
"""Most of an answer that is kept to look at its shape."""
ERROR_BYTES_MAX = 65_536
END = "[DONE]"

Clock = Callable[[], float]


class Job(msgspec.Struct, frozen=True):
    """One request to be sent."""

    model: str
    prompt: Prompt
    turn: int
    """Which repetition, from 1."""


class Wishes(msgspec.Struct, frozen=True):
    """What all requests have in common."""

    provider: Document | None = None
    """The `provider` object."""
    output_tokens_max: int | None = None


@dataclass(slots=True)
class Sample:
    """One request and what came of it."""

    model: str
    place: str
    """Of the prompt, "file:line"."""
    turn: int
    status: int = 0
    """HTTP; 0: there was no answer."""
    error: str = ""
    """Kind; empty: it succeeded."""
    message: str = ""
    endpoint: str = ""
    """Who served, as the gateway says."""
    attempts: int = 0
    """Tries that it took the gateway; 0: not told."""
    ttft_s: float | None = None
    """Request sent -> first piece of content or reasoning."""
    total_s: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    finish_reason: str = ""
    valid: bool | None = None
    """Whether the answer has the shape asked for; None: none was."""
    generation: str = ""

    @property
    def rate(self) -> float | None:
        """Output tokens per second, the wait for the first one included, as the gateway counts."""
        if self.error or not self.completion_tokens or self.total_s <= 0:
            return None
        return self.completion_tokens / self.total_s


def jobs(models: Sequence[str], prompts: Sequence[Prompt], repeat: int) -> Iterator[Job]:
    """Every request of a run, in order."""
    return (
        Job(model, prompt, turn)
        for turn in range(1, repeat + 1)
        for prompt in prompts
        for model in models
    )


async def run(
    client: httpx.AsyncClient, work: Iterator[Job], done: Callable[[Sample], None], *,
    wishes: Wishes, clock: Clock, concurrency: int,
) -> None:  # fmt: skip
    """Send all of `work`; `done` takes each sample as it ends."""

    async def take_turns() -> None:
        for job in work:
            done(await ask(client, job, wishes, clock))

    async with trio.open_nursery() as nursery:
        for _ in range(concurrency):
            nursery.start_soon(take_turns)


async def ask(client: httpx.AsyncClient, job: Job, wishes: Wishes, clock: Clock) -> Sample:
    """Send one request and follow its answer to the end."""
    sample = Sample(job.model, job.prompt.place, job.turn)
    said: list[str] = []
    began = clock()
    try:
        with trio.fail_after(REQUEST_S):
            async with client.stream("POST", PATH, json=body_of(job, wishes)) as reply:
                await _follow(reply, sample, said, lambda: clock() - began)
    except (trio.TooSlowError, httpx.TimeoutException):
        _failed(sample, "timeout", "no end in time")
    except httpx.ConnectError as error:
        _failed(sample, "unreachable", str(error))
    except httpx.TransportError as error:
        _failed(sample, "broken", str(error) or type(error).__name__)
    sample.total_s = clock() - began
    if not sample.error and sample.ttft_s is None:
        _failed(sample, "empty", "the answer holds no text")
    if job.prompt.schema is not None and not sample.error:
        sample.valid = has_shape("".join(said), job.prompt.schema)
    return sample


def body_of(job: Job, wishes: Wishes) -> Document:
    """The request."""
    body: Document = {
        "model": job.model,
        "messages": [*job.prompt.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if wishes.provider is not None:
        body["provider"] = wishes.provider
    if wishes.output_tokens_max is not None:
        body["max_tokens"] = wishes.output_tokens_max
    if job.prompt.schema is not None:
        wanted: Document = {"name": "answer", "strict": True, "schema": job.prompt.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    return body


async def _follow(
    reply: httpx.Response, sample: Sample, said: list[str], elapsed: Callable[[], float]
) -> None:
    sample.status = reply.status_code
    sample.endpoint = plain(reply.headers.get("x-hedgerow-endpoint", ""))
    tries = reply.headers.get("x-hedgerow-attempts", "")
    sample.attempts = int(tries) if tries.isascii() and tries.isdigit() and len(tries) < 4 else 0
    if reply.status_code != httpx.codes.OK:
        _take_error(sample, await _beginning(reply))
        return
    kept, ended = 0, False
    async with aclosing(_data(reply)) as pieces:
        async for data in pieces:
            ended = ended or data == END
            text = "" if data == END else _take(sample, data, elapsed)
            kept += len(text)
            if text and kept <= TEXT_CHARACTERS_MAX:
                said.append(text)
    if not ended and not sample.error:
        _failed(sample, "broken", "the stream ended without its end mark")


async def _data(reply: httpx.Response) -> AsyncGenerator[str, None]:
    """The data of each server-sent event."""
    async for line in reply.aiter_lines():
        if line.startswith("data:"):
            yield line[5:].strip()


async def _beginning(reply: httpx.Response) -> bytes:
    """The body of an error, or as much of it as is worth reading."""
    body = b""
    async for piece in reply.aiter_bytes():
        body += piece
        if len(body) > ERROR_BYTES_MAX:
            break
    return body


def _take(sample: Sample, data: str, elapsed: Callable[[], float]) -> str:
    """Note what one chunk says; returns its text."""
    try:
        chunk: Json = orjson.loads(data)
    except ValueError:
        _failed(sample, "broken", "a chunk is not JSON")
        return ""
    document = as_document(chunk)
    sample.generation = _text(document.get("id")) or sample.generation
    if document.get("error") is not None:
        _note_error(sample, document)
    usage = as_document(document.get("usage"))
    if usage:
        sample.prompt_tokens = as_count(usage.get("prompt_tokens"))
        sample.completion_tokens = as_count(usage.get("completion_tokens"))
        cost = usage.get("cost")
        sample.cost_usd = float(cost) if isinstance(cost, int | float) else 0.0
    text = ""
    for each in as_list(document.get("choices")):
        choice = as_document(each)
        sample.finish_reason = _text(choice.get("finish_reason")) or sample.finish_reason
        delta = as_document(choice.get("delta"))
        text += _raw(delta.get("content"))
        if sample.ttft_s is None and (text or _raw(delta.get("reasoning"))):
            sample.ttft_s = elapsed()
    return text


def _take_error(sample: Sample, body: bytes) -> None:
    try:
        document: Json = orjson.loads(body)
    except ValueError:
        document = None
    _note_error(sample, as_document(document))


def _note_error(sample: Sample, document: Document) -> None:
    """Note an error envelope, or the lack of one."""
    error = as_document(document.get("error"))
    kind = _text(as_document(error.get("metadata")).get("error_type"))
    code = error.get("code")
    status = code if isinstance(code, int) and not isinstance(code, bool) else sample.status
    _failed(sample, kind or f"status_{status}", _text(error.get("message")))


def _failed(sample: Sample, kind: str, message: str) -> None:
    """Note why; the first reason counts."""
    if not sample.error:
        sample.error, sample.message = kind, plain(message)


def _text(value: Json) -> str:
    return plain(value) if isinstance(value, str) else ""


def _raw(value: Json) -> str:
    return value if isinstance(value, str) else ""
