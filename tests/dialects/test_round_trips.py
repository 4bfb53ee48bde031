"""From one dialect to the other and back: what was said stays what was said, seals byte for byte.

Requests go client -> hub -> provider's document -> hub -> provider's document of the first dialect;
replies go the same way as frames. Compared is the meaning: texts, thinking, calls, results, in order.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given, settings, strategies as st

from proxy.dialects.registry import DIALECTS
from proxy.model.call import Call, Surface
from proxy.model.event import (
    Charged,
    Event,
    Finished,
    Reasoning,
    ReasoningSealed,
    Text,
    ToolCall,
    Usage,
)
from proxy.units import NanoDollars
from tests.fakes.things import a_provider, an_endpoint

CHAT, MESSAGES = "openai-chat", "anthropic-messages"
SURFACES: dict[str, Surface] = {CHAT: "chat", MESSAGES: "messages"}
AT = {
    CHAT: an_endpoint(a_provider(quirks=frozenset({"native_reasoning", "cache_control"}))),
    MESSAGES: an_endpoint(a_provider(dialect=MESSAGES)),
}
WORDS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S"), include_characters=" \n"),
    min_size=1,
    max_size=30,
).filter(str.strip)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,11}", fullmatch=True)
ARGUMENTS = st.dictionaries(
    NAMES, st.none() | st.booleans() | st.integers(-9, 9) | WORDS, max_size=3
)
SEALS = st.binary(min_size=1, max_size=60).map(lambda raw: raw.hex())
PNG = "data:image/png;base64,iVBORw0KGgo="


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns as [role, parts]: what both dialects can say."""
    turns: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        asked: list[Any] = [("text", draw(WORDS))]
        if draw(st.booleans()):
            asked.append(("image", PNG))
        turns.append({"role": "user", "parts": asked})
        said: list[Any] = []
        if draw(st.booleans()):
            said.append(("thinking", draw(WORDS), draw(SEALS)))
        if draw(st.booleans()):
            said.append(("text", draw(WORDS)))
        calls = [
            ("call", f"call_{number}_{n}", draw(NAMES), draw(ARGUMENTS))
            for n in range(draw(st.integers(0, 2)))
        ]
        said += calls
        if not any(kind in {"text", "call"} for kind, *_ in said):
            said.append(("text", "Yes."))
        turns.append({"role": "assistant", "parts": said})
        if calls:
            results = [("result", call[1], draw(WORDS)) for call in calls]
            turns.append({"role": "user", "parts": results})
            turns.append({"role": "assistant", "parts": [("text", draw(WORDS))]})
    turns.append({"role": "user", "parts": [("text", draw(WORDS))]})
    return turns


def as_chat(turns: list[dict[str, Any]], system: str) -> dict[str, Any]:
    """Turns as a chat request."""
    messages: list[Any] = [{"role": "system", "content": system}]
    for turn in turns:
        message: dict[str, Any] = {"role": turn["role"], "content": []}
        for kind, *rest in turn["parts"]:
            if kind == "text":
                message["content"].append({"type": "text", "text": rest[0]})
            elif kind == "image":
                message["content"].append({"type": "image_url", "image_url": {"url": rest[0]}})
            elif kind == "thinking":
                detail = {"type": "reasoning.text", "text": rest[0], "signature": rest[1],
                          "format": "anthropic-claude-v1", "index": 0}  # fmt: skip
                message.setdefault("reasoning_details", []).append(detail)
            elif kind == "call":
                function = {"name": rest[1], "arguments": json.dumps(rest[2])}
                call = {"id": rest[0], "type": "function", "function": function}
                message.setdefault("tool_calls", []).append(call)
            else:
                messages.append({"role": "tool", "tool_call_id": rest[0], "content": rest[1]})
        if message["content"] or "tool_calls" in message:
            message["content"] = message["content"] or None
            messages.append(message)
    return {"model": "maker/model", "messages": messages, "max_tokens": 4000, "stop": ["END"]}


def said_in_chat(document: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """What a chat request says, one thing after the other."""
    for message in document["messages"]:
        role, content = message["role"], message.get("content")
        for detail in message.get("reasoning_details", ()):
            yield role, "thinking", detail.get("text", ""), detail.get("signature", "")
        if role == "tool":
            text = content if isinstance(content, str) else content[0]["text"]
            yield role, message["tool_call_id"], text
            continue
        for part in (
            [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
        ):
            yield role, part.get("text") or part["image_url"]["url"]
        for call in message.get("tool_calls", ()):
            function = call["function"]
            yield role, call["id"], function["name"], json.loads(function["arguments"] or "{}")


def sent_on(document: dict[str, Any], client: str, provider: str) -> dict[str, Any]:
    """What a provider of `provider` gets of a request in `client`."""
    call = DIALECTS[client].decode_request(document, SURFACES[client])
    found: dict[str, Any] = orjson.loads(DIALECTS[provider].encode_request(call, AT[provider]))
    return found


@settings(max_examples=150, deadline=None)
@given(conversations(), WORDS)
def test_a_request_there_and_back_says_the_same(turns: list[dict[str, Any]], system: str) -> None:
    first = as_chat(turns, system)
    there = sent_on(json.loads(json.dumps(first)), CHAT, MESSAGES)
    back = sent_on(json.loads(json.dumps(there)), MESSAGES, CHAT)

    assert list(said_in_chat(first)) == list(said_in_chat(back))
    assert (4000, ["END"]) == (there["max_tokens"], there["stop_sequences"])
    assert (4000, ["END"]) == (back["max_tokens"], back["stop"])
    again = sent_on(json.loads(json.dumps(back)), CHAT, MESSAGES)
    assert there["messages"] == again["messages"]
    assert there["system"] == again["system"]


PIECES = st.lists(
    st.tuples(st.just("text"), WORDS)
    | st.tuples(st.just("thinking"), WORDS, SEALS)
    | st.tuples(st.just("sealed"), SEALS)
    | st.tuples(st.just("call"), NAMES, ARGUMENTS),
    min_size=1,
    max_size=5,
)


def frames_of(pieces: list[tuple[Any, ...]]) -> list[list[Event]]:
    """A reply as a provider's frames decode; texts and arguments in two pieces each."""
    frames: list[list[Event]] = []
    calls = 0
    for block, (kind, *rest) in enumerate(pieces):
        if kind == "text":
            half = len(rest[0]) // 2
            frames += [[Text(part)] for part in (rest[0][:half], rest[0][half:]) if part]
        elif kind == "thinking":
            frames.append([Reasoning(rest[0], block=block)])
            frames.append([ReasoningSealed(block, signature=rest[1], format="anthropic-claude-v1")])
        elif kind == "sealed":
            frames.append([ReasoningSealed(block, encrypted=rest[0], format="anthropic-claude-v1")])
        else:
            text = json.dumps(rest[1])
            frames.append([ToolCall(calls, f"call_{calls}", rest[0], text[:1])])
            frames.append([ToolCall(calls, arguments=text[1:])])
            calls += 1
    frames.append([Finished("tool_calls" if calls else "stop", "")])
    return frames


BILL = Charged(Usage(10, 5), NanoDollars(2), NanoDollars(1), NanoDollars(1))


def meaning(events: list[Event]) -> dict[str, Any]:
    """What a reply says: kinds apart, since not every dialect keeps their order among each other."""
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, ToolCall):
            call = calls.setdefault(event.index, ["", "", ""])
            call[0] += event.id
            call[1] += event.name
            call[2] += event.arguments
    return {
        "text": "".join(e.text for e in events if isinstance(e, Text)),
        "thinking": "".join(e.text for e in events if isinstance(e, Reasoning)),
        "seals": [
            (e.signature, e.encrypted, e.format) for e in events if isinstance(e, ReasoningSealed)
        ],
        "calls": [(i, name, json.loads(arguments)) for i, name, arguments in calls.values()],
        "end": [e.reason for e in events if isinstance(e, Finished)][-1:],
    }


def passed_through(frames: list[list[Event]], dialect: str, *, stream: bool) -> list[Event]:
    """Frames written in a dialect, and read again as a provider's of that dialect."""
    call = Call(dialect, SURFACES[dialect], {}, ("m",), stream=stream, generation_id="gen-1-abc")
    encoder = DIALECTS[dialect].encode_response(call, AT[dialect])
    sent = b"".join(encoder.feed(list(frame)) for frame in [*frames, [BILL]])
    decoder = DIALECTS[dialect].decode_response(call, AT[dialect], 200)
    if not stream:
        return decoder.feed(sent)
    read: list[Event] = []
    for raw in sent.decode().split("\n\n"):
        data = [line[6:] for line in raw.split("\n") if line.startswith("data: ")]
        read += decoder.feed(data[0].encode()) if data else []
    return read


@settings(max_examples=150, deadline=None)
@given(PIECES)
def test_a_reply_through_either_dialect_says_the_same(pieces: list[tuple[Any, ...]]) -> None:
    frames = frames_of(pieces)
    expected = meaning([event for frame in frames for event in frame])

    for dialect in (CHAT, MESSAGES):
        for stream in (False, True):
            found = meaning(passed_through(frames, dialect, stream=stream))
            assert expected == found, (dialect, stream)
