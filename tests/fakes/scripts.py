"""Synthetic answers in the chat-completions dialect: what a healthy upstream says.

Nothing here knows sockets. A `Script` is what the model says; `told` turns it into the events
of a stream, kept apart by role so that a fault can drop, double or spoil one of them, and
`reply_of` into the JSON body. Texts hold multibyte characters on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

JsonObject = dict[str, object]

CREATED = 1_700_000_000
REPLY_ID = "chatcmpl-replay"
TEXTS = ("Hedge", "rows ", "grow: ", "naïve café ", "生け垣 ", "🌳🦔", ".")
USAGE: JsonObject = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call; a stream sends the arguments in fragments."""

    name: str = "get_weather"
    arguments: str = '{"city":"Zürich","days":3}'
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Script:
    """What the model says, before any wire."""

    texts: tuple[str, ...] = TEXTS
    reasoning: tuple[str, ...] = ()
    """Deltas of `reasoning_content`, sent before the texts."""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: JsonObject | None = field(default_factory=lambda: dict(USAGE))
    """None: no usage, in neither form."""
    finish: str | None = None
    """None: `tool_calls` if there are any, else `stop`."""
    model: str = "synthetic"
    legacy: bool = False
    """Whether to speak the legacy completions dialect (texts only)."""

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.tool_calls else "stop")


@dataclass(frozen=True, slots=True)
class Told:
    """The events of one stream, by role; each is framed bytes, b"" where left out."""

    opening: bytes
    content: tuple[bytes, ...]
    finish: bytes
    usage: bytes
    done: bytes

    @property
    def events(self) -> tuple[bytes, ...]:
        every = (self.opening, *self.content, self.finish, self.usage, self.done)
        return tuple(event for event in every if event)


DONE = b"data: [DONE]\n\n"


def event_of(payload: object) -> bytes:
    """Frame one server-sent event."""
    return b"data: " + encode(payload) + b"\n\n"


def encode(payload: object) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def told(script: Script, *, include_usage: bool = True) -> Told:
    """The stream of `script`; usage comes as OpenAI sends it, last and with no choices."""
    opening = b"" if script.legacy else _delta(script, {"role": "assistant", "content": ""})
    usage = b""
    if include_usage and script.usage is not None:
        usage = event_of(_envelope(script, streamed=True) | {"choices": [], "usage": script.usage})
    return Told(
        opening=opening,
        content=_content(script),
        finish=_delta(script, {}, finish=script.finish_reason),
        usage=usage,
        done=DONE,
    )


def stream_of(
    texts: Sequence[str] = TEXTS,
    *,
    reasoning: Sequence[str] = (),
    tool_calls: Sequence[ToolCall] = (),
    usage: JsonObject | None = USAGE,
    finish: str | None = None,
) -> bytes:
    """A whole event stream, `[DONE]` included."""
    script = Script(tuple(texts), tuple(reasoning), tuple(tool_calls), usage, finish)
    return b"".join(told(script).events)


def reply_of(script: Script | str = Script()) -> JsonObject:
    """The JSON body of a call without `stream`."""
    if isinstance(script, str):
        script = Script((script,))
    choice: JsonObject = {"index": 0, "logprobs": None, "finish_reason": script.finish_reason}
    text = "".join(script.texts)
    if script.legacy:
        choice["text"] = text
    else:
        message: JsonObject = {"role": "assistant", "content": text or None}
        if script.reasoning:
            message["reasoning_content"] = "".join(script.reasoning)
        if script.tool_calls:
            message["tool_calls"] = [_tool_call(call) for call in script.tool_calls]
        choice["message"] = message
    reply = _envelope(script, streamed=False) | {"choices": [choice]}
    return reply if script.usage is None else reply | {"usage": script.usage}


def error_of(
    message: str, *, kind: str = "server_error", code: str | int | None = None
) -> JsonObject:
    """An error body as OpenAI shapes it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def delta_event(text: str, *, model: str = "synthetic") -> bytes:
    """One more content event, for streams that go on where they should not."""
    return _delta(Script(model=model), {"content": text})


def _content(script: Script) -> tuple[bytes, ...]:
    if script.legacy:
        return tuple(_delta(script, {"text": text}) for text in script.texts)
    deltas: list[JsonObject] = [{"reasoning_content": text} for text in script.reasoning]
    deltas.extend({"content": text} for text in script.texts)
    for index, call in enumerate(script.tool_calls):
        deltas.append({"tool_calls": [{"index": index, **_tool_call(call, arguments="")}]})
        deltas.extend(
            {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}
            for fragment in _fragments(call.arguments)
        )
    return tuple(_delta(script, delta) for delta in deltas)


def _delta(script: Script, delta: JsonObject, *, finish: str | None = None) -> bytes:
    choice: JsonObject = {"index": 0, "logprobs": None, "finish_reason": finish}
    choice |= {"text": delta.get("text", "")} if script.legacy else {"delta": delta}
    return event_of(_envelope(script, streamed=True) | {"choices": [choice]})


def _envelope(script: Script, *, streamed: bool) -> JsonObject:
    kind = "chat.completion.chunk" if streamed else "chat.completion"
    return {
        "id": REPLY_ID,
        "object": "text_completion" if script.legacy else kind,
        "created": CREATED,
        "model": script.model,
    }


def _tool_call(call: ToolCall, *, arguments: str | None = None) -> JsonObject:
    sent = call.arguments if arguments is None else arguments
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": sent},
    }


def _fragments(text: str, *, characters: int = 5) -> list[str]:
    return [text[start : start + characters] for start in range(0, len(text), characters)]


SCRIPTS: dict[str, Script] = {
    "text": Script(),
    "tools": Script(texts=(), tool_calls=(ToolCall(),)),
    "parallel-tools": Script(
        texts=("Let me look.",),
        tool_calls=(ToolCall(), ToolCall("get_time", '{"zone":"UTC"}', "call_2")),
    ),
    "reasoning": Script(reasoning=("First, ", "think — ", "hard.")),
    "length": Script(finish="length"),
    "refusal": Script(texts=("I can't help with that.",), finish="content_filter"),
    "empty": Script(texts=()),
    "long": Script(texts=tuple(f"word{index} " for index in range(500))),
}
"""Served as `synthetic/<name>`."""
