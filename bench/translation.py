"""`python -m bench.translation`: what a request, and a piece of a reply, cost between two dialects.

Everything runs in this process, without sockets: requests from a client's document to a provider's body,
replies from received bytes to sent ones. The best of many rounds, since noise only ever adds.
"""

import json
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from proxy.dialects.registry import DIALECTS
from proxy.model.call import Call, Surface
from proxy.model.document import Document
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.meter import Delivered
from proxy.stages.receive import parse
from proxy.units import NanoDollarsPerMillion
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript

CHAT, MESSAGES = "openai-chat", "anthropic-messages"
SURFACES: dict[str, Surface] = {CHAT: "chat", MESSAGES: "messages"}
DELTAS, ROUNDS = 64, 100
DELTA_US_MAX, REQUEST_US_MAX, SAME_RATIO_MAX = 12.0, 250.0, 1.3
"""CPU per translated delta; per request of 20 messages and 10 tools; Messages to Messages beside chat
to chat, spliced."""
FREE = Prices(NanoDollarsPerMillion(0), NanoDollarsPerMillion(0))


def endpoint(dialect: str) -> Endpoint:
    """Somebody who speaks it."""
    return Endpoint(Provider("p", "P", dialect, "http://p/v1"), "a/b", "b", FREE, 200_000)


def chat_frames(what: str) -> list[str]:
    """A stream of chat chunks: `DELTAS` of text, or of a tool's arguments."""
    first: Document = {"role": "assistant", "content": ""}
    called = [{"index": 0, "id": "call_1", "type": "function",
               "function": {"name": "look", "arguments": ""}}]  # fmt: skip
    if what == "arguments":
        first["tool_calls"] = called  # type: ignore[assignment]
    deltas: list[Document] = [first]
    for number in range(DELTAS):
        if what == "text":
            deltas.append({"content": f" word{number}"})
        else:
            piece = [{"index": 0, "function": {"arguments": f'"{number}",'}}]
            deltas.append({"tool_calls": piece})  # type: ignore[dict-item]
    return [
        "data: " + json.dumps({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "b",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }, separators=(",", ":")) + "\n\n"
        for delta in deltas
    ]  # fmt: skip


def messages_frames(what: str) -> list[str]:
    """The same as a stream of messages."""
    usage = {"input_tokens": 9, "output_tokens": 1}
    started = {"id": "msg_1", "type": "message", "role": "assistant", "model": "b", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    block: Document = {"type": "text", "text": ""}
    if what == "arguments":
        block = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    frames: list[Document] = [
        {"type": "message_start", "message": started},  # type: ignore[dict-item]
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    for number in range(DELTAS):
        delta: Document = {"type": "text_delta", "text": f" word{number}"}
        if what == "arguments":
            delta = {"type": "input_json_delta", "partial_json": f'"{number}",'}
        frames.append({"type": "content_block_delta", "index": 0, "delta": delta})
    return [
        f"event: {frame['type']}\ndata: {json.dumps(frame, separators=(',', ':'))}\n\n"
        for frame in frames
    ]


FRAMES: dict[str, Callable[[str], list[str]]] = {CHAT: chat_frames, MESSAGES: messages_frames}


def delta_us(client: str, provider: str, what: str) -> float:
    """Microseconds per delta, framing included, in one read."""
    frames = [frame.encode() for frame in FRAMES[provider](what)]
    chunks = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames]
    head, rest = b"".join(chunks[: -DELTAS + 2]), b"".join(chunks[-DELTAS + 2 :])
    at, best = endpoint(provider), 1.0
    for _ in range(ROUNDS):
        call = Call(client, SURFACES[client], {}, ("a/b",), stream=True, generation_id="gen-1-abc")
        engine = Transcript(
            BodyReader(chunked=True, length=None),
            DIALECTS[provider].decode_response(call, at, 200),
            DIALECTS[client].encode_response(call, at),
            Delivered(),
            event_bytes_max=1 << 22,
        )
        engine.feed(head)
        started = time.perf_counter()
        sent = engine.feed(rest)
        best = min(best, time.perf_counter() - started)
        if engine.failure is not None or not sent:
            raise AssertionError(f"{client} from {provider}: {engine.failure}")
    return best * 1e6 / (DELTAS - 2)


def request(dialect: str) -> bytes:
    """Twenty messages, ten tools."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    talk = [
        {"role": "assistant" if number % 2 else "user", "content": f"What about {number}? " * 20}
        for number in range(20)
    ]
    body: dict[str, object] = {"model": "a/b", "max_tokens": 500, "messages": talk}
    if dialect == CHAT:
        tools: list[object] = [
            {"type": "function", "function": {"name": f"t{n}", "description": "Reads.", "parameters": schema}}
            for n in range(10)
        ]  # fmt: skip
    else:
        tools = [
            {"name": f"t{n}", "description": "Reads.", "input_schema": schema} for n in range(10)
        ]
    return json.dumps({**body, "tools": tools}).encode()


def request_us(client: str, provider: str) -> float:
    """Microseconds from the client's parsed document to the provider's body."""
    body, at, best = request(client), endpoint(provider), 1.0
    for _ in range(ROUNDS):
        document = parse(body)
        started = time.perf_counter()
        call = DIALECTS[client].decode_request(document, SURFACES[client])
        DIALECTS[provider].encode_request(call, at)
        best = min(best, time.perf_counter() - started)
    return best * 1e6


def main() -> None:
    """Print a row per pair, and the budgets."""
    console = Console()
    table = Table("client", "provider", "request, us", "text delta, us", "tool delta, us")
    requests: list[float] = []
    deltas: list[float] = []
    same: dict[str, float] = {}
    for client in (CHAT, MESSAGES):
        for provider in (CHAT, MESSAGES):
            asked = request_us(client, provider)
            text, tool = (delta_us(client, provider, what) for what in ("text", "arguments"))
            table.add_row(client, provider, f"{asked:.0f}", f"{text:.2f}", f"{tool:.2f}")
            if client == provider:
                same[client] = text
            else:
                requests.append(asked)
                deltas += [text, tool]
    console.print(table)
    ratio = same[MESSAGES] / same[CHAT]
    verdicts = (
        ("dearest translated delta", max(deltas), DELTA_US_MAX, "us"),
        ("dearest translated request", max(requests), REQUEST_US_MAX, "us"),
        ("messages spliced / chat spliced", ratio, SAME_RATIO_MAX, "x"),
    )
    for what, value, budget, unit in verdicts:
        verdict = "pass" if value <= budget else "FAIL"
        console.print(f"{what}: {value:.2f} {unit}; budget {budget:g}: {verdict}", highlight=False)
    sys.exit(any(value > budget for _, value, budget, _ in verdicts))


if __name__ == "__main__":
    main()
