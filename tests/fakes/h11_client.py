"""A strict client for the tests of the fakes: one request, and how its answer ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

import h11
import trio

SILENCE_S = 2.0
"""Seconds without a byte that count as stalled; tests of stalls wait less."""
READ_BYTES = 1 << 20

Ending = Literal["complete", "closed", "reset", "stalled", "protocol"]


@dataclass(slots=True)
class Answer:
    """What came back, as far as it came."""

    ending: Ending = "stalled"
    """closed: FIN too early; protocol: bytes that are no HTTP; stalled: silence."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    informational: int = 0
    reads: list[bytes] = field(default_factory=list)
    """What each read of the socket gave."""

    @property
    def data(self) -> list[str]:
        """The `data:` lines of an event stream."""
        lines = self.body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        return [line[5:].strip() for line in lines if line.startswith("data:")]

    @property
    def text(self) -> str:
        """The content of all deltas, or of the message."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return str(json.loads(self.body)["choices"][0]["message"]["content"])
        events = [json.loads(line) for line in self.data if line != "[DONE]"]
        deltas = [choice["delta"] for event in events for choice in event["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


def request_bytes(
    model: str, *, path: str = "/v1/chat/completions", text: str = "hi", stream: bool = True
) -> bytes:
    """A chat request as a gateway would send it."""
    fields: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }
    if stream:
        fields["stream_options"] = {"include_usage": True}
    body = json.dumps(fields).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: replay\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def connect(url: str) -> trio.SocketStream:
    host, _, port = url.removeprefix("http://").partition(":")
    return await trio.open_tcp_stream(host, int(port))


async def ask(
    url: str,
    model: str,
    *,
    path: str = "/v1/chat/completions",
    text: str = "hi",
    stream: bool = True,
    silence_s: float = SILENCE_S,
) -> Answer:
    """Send one request over its own connection."""
    request = request_bytes(model, path=path, text=text, stream=stream)
    async with await connect(url) as socket:
        return await exchange(socket, request, silence_s=silence_s)


async def exchange(
    socket: trio.SocketStream, request: bytes, *, silence_s: float = SILENCE_S
) -> Answer:
    """Send a request over an open connection and read until the answer ends somehow."""
    answer = Answer()
    try:
        await socket.send_all(request)
        await _read(socket, answer, silence_s)
    except trio.BrokenResourceError:
        answer.ending = "reset"
    except h11.RemoteProtocolError:
        at_end = bool(answer.reads) and not answer.reads[-1]
        answer.ending = "closed" if at_end else "protocol"
    return answer


async def _read(socket: trio.SocketStream, answer: Answer, silence_s: float) -> None:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    parser.send(h11.Request(method="POST", target="/", headers=[("Host", "replay")]))
    parser.send(h11.EndOfMessage())
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            with trio.move_on_after(silence_s) as silence:
                data = await socket.receive_some(READ_BYTES)
            if silence.cancelled_caught:
                return
            answer.reads.append(data)
            parser.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            answer.informational += 1
        elif isinstance(event, h11.Response):
            answer.status = event.status_code
            answer.headers = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            answer.body += event.data
        else:
            is_end = isinstance(event, h11.EndOfMessage)
            answer.ending = "complete" if is_end else "closed"
            return
