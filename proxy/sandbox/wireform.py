"""The sandbox's answers in the wire shape of chat completions and completions; pure.

Rule 1: a streamed answer is a list of beats: bytes, and the silence before them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from proxy.model.call import Surface
from proxy.model.document import Document, Json
from proxy.sandbox.personas import Answer, Mishap

DONE = b"data: [DONE]\n\n"
FINGERPRINT = "hedgerow-sandbox"
ARGUMENTS_PIECE = 16
"""Characters of tool arguments in one streamed chunk."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A moment of a stream."""

    wait_s: float
    frame: bytes


def beats(answer: Answer, surface: Surface, *, include_usage: bool) -> Iterator[Beat]:
    """A streamed answer. The first beat waits for the first token, the others for a word each."""
    wait_s = answer.persona.first_token_s
    for delta in _deltas(answer):
        yield Beat(wait_s, frame(_chunk(answer, surface, _choice(surface, delta, None))))
        wait_s = answer.persona.word_s
    last = _choice(surface, {}, answer.finish_reason)
    yield Beat(0.0, frame(_chunk(answer, surface, last)))
    if include_usage:
        yield Beat(0.0, frame({**_chunk(answer, surface, None), "usage": usage(answer)}))
    yield Beat(0.0, DONE)


def whole(answer: Answer, surface: Surface) -> tuple[float, bytes]:
    """An answer that is not streamed: seconds to wait, and the body."""
    document = _envelope(answer, surface, streamed=False)
    document["choices"] = [_whole_choice(answer, surface)]
    document["usage"] = usage(answer)
    pieces = len(answer.reasoning) + len(answer.text)
    wait_s = answer.persona.first_token_s + pieces * answer.persona.word_s
    return wait_s, orjson.dumps(document)


def refusal(status: int, message: str, code: str) -> bytes:
    """An error body as OpenAI sends it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return orjson.dumps(_error(message, kind, code))


def mishap_frame(mishap: Mishap) -> bytes:
    """The same as the only event of a stream."""
    return frame(_error(mishap.message, "server_error", mishap.code))


def usage(answer: Answer) -> Document:
    """The `usage` object; see rule 3 of `personas`."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def frame(document: Document) -> bytes:
    """One event of a stream."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _deltas(answer: Answer) -> Iterator[Document]:
    """What the chunks carry, in order; the first also says who speaks."""
    role: Document = {"role": "assistant"}
    for piece in answer.reasoning:
        yield {**role, "reasoning": piece}
        role = {}
    if answer.tool is None:
        for piece in answer.text or ("",):
            yield {**role, "content": piece}
            role = {}
        return
    opening: Document = {"name": answer.tool.name, "arguments": ""}
    head: Document = {"index": 0, "id": answer.tool.id, "type": "function", "function": opening}
    yield {**role, "content": None, "tool_calls": [head]}
    text = answer.tool.arguments
    for start in range(0, len(text), ARGUMENTS_PIECE):
        piece = text[start : start + ARGUMENTS_PIECE]
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _choice(surface: Surface, delta: Document, finish_reason: str | None) -> Document:
    choice: Document = {"index": 0, "logprobs": None, "finish_reason": finish_reason}
    if surface == "completions":
        text = delta.get("content")
        return {**choice, "text": text if isinstance(text, str) else ""}
    return {**choice, "delta": delta}


def _whole_choice(answer: Answer, surface: Surface) -> Document:
    choice: Document = {"index": 0, "logprobs": None, "finish_reason": answer.finish_reason}
    text = "".join(answer.text)
    if surface == "completions":
        return {**choice, "text": text}
    message: Document = {"role": "assistant", "content": text, "refusal": None}
    if answer.reasoning:
        message["reasoning"] = "".join(answer.reasoning)
    if tool := answer.tool:
        function: Document = {"name": tool.name, "arguments": tool.arguments}
        message["content"] = None
        message["tool_calls"] = [{"id": tool.id, "type": "function", "function": function}]
    return {**choice, "message": message}


def _chunk(answer: Answer, surface: Surface, choice: Document | None) -> Document:
    choices: list[Json] = [] if choice is None else [choice]
    return {**_envelope(answer, surface, streamed=True), "choices": choices}


def _envelope(answer: Answer, surface: Surface, *, streamed: bool) -> Document:
    if surface == "completions":
        name, prefix = "text_completion", "cmpl"
    else:
        name, prefix = ("chat.completion.chunk" if streamed else "chat.completion"), "chatcmpl"
    return {
        "id": f"{prefix}-{answer.digest[:24]}",
        "object": name,
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": FINGERPRINT,
    }


def _error(message: str, kind: str, code: str) -> Document:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
