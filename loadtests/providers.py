"""Model providers for load tests: OpenAI's dialect, as slow and as sick as a temper says, all in one process.

The path names the temper: `/steady/v1/chat/completions`. A request's `max_tokens` says how many pieces the answer
has; one with `tools` is answered by a tool call until 3 to 6 turns are over, how many the nonce decides. Every piece is
stamped, see `stamps`. A stream's head and role come half-way to its first content, as with many real ones: a client that takes
these for an answer is found out. Draws are of a fixed seed.
Run: `python -m loadtests.providers [--port N] [--set steady.first_s=0.3]`; it prints `listening PORT`.
"""

import argparse
import json
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import httptools
import trio

from loadtests import stamps

Document: TypeAlias = "dict[str, object]"
RECV_BYTES = 262_144
PIECES_MAX = 1_000
NONCE_WITHIN = 1_000
"""Characters of a message in which its nonce is looked for."""
TURNS = (3, 6)
"""Fewest and most turns of a conversation with tools, the last one without."""
SECONDS_MAX = 86_400.0
"""The process ends itself after this long, should its parent have died."""


@dataclass(frozen=True, slots=True)
class Temper:
    """How a provider behaves."""

    first_s: float
    """Median of the time to the first token; log-normal."""
    spread: float
    """Sigma of it: 0.25 puts the 99th percentile at 1.8 medians."""
    gap_s: float
    """From one piece to the next."""
    errors: float = 0.0
    """Share of requests that fail: 503, 429, a closed connection, or an error as the first event."""
    stalls: float = 0.0
    """Share of the others that say nothing for `stall_s` first."""
    stall_s: float = 4.0


TEMPERS = {
    "steady": Temper(0.15, 0.25, 0.02),
    "quick": Temper(0.04, 0.25, 0.002),
    "sick": Temper(0.15, 0.25, 0.02, errors=0.3, stalls=0.2),
}


class Request:
    """One request, filled by httptools as its bytes come."""

    def __init__(self) -> None:
        self._path: list[bytes] = []
        self._body: list[bytes] = []
        self.done = False

    def on_url(self, url: bytes) -> None:
        """Some of the path."""
        self._path.append(url)

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """That was all."""
        self.done = True

    def temper(self) -> str:
        """Which provider is asked."""
        return b"".join(self._path).decode("latin-1").lstrip("/").partition("/")[0]

    def document(self) -> Document:
        """The body; empty where there is none."""
        body = b"".join(self._body)
        return cast("Document", json.loads(body)) if body else {}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer depends on."""

    provider: str
    nonce: str
    stream: bool
    pieces: int
    tools: bool
    """The answer is a tool call."""
    turn: int
    """Results of tools in the conversation."""


def understand(provider: str, document: Document) -> Asked:
    """Read a request."""
    messages = cast("list[Document]", document.get("messages") or [])
    turn = sum(message.get("role") == "tool" for message in messages)
    nonces = (stamps.asked(str(message.get("content"))[:NONCE_WITHIN]) for message in messages)
    nonce = next((nonce for nonce in nonces if nonce != "0"), "0")
    turns = random.Random(nonce).randint(*TURNS)
    length = document.get("max_tokens") or document.get("max_completion_tokens") or 16
    return Asked(
        provider,
        nonce,
        bool(document.get("stream")),
        min(int(cast("int", length)), PIECES_MAX),
        bool(document.get("tools")) and turn + 1 < turns,
        turn,
    )


class Providers:
    """All tempers on one listener."""

    def __init__(self, tempers: dict[str, Temper], seed: int = 1) -> None:
        self._tempers = tempers
        self._draw = random.Random(seed)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer requests on one connection, one after the other, until either side ends it."""
        try:
            while (request := await self._receive(stream)) is not None:
                if not await self._answer(request, stream):
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the gateway has gone, as it does with losers
        finally:
            await trio.aclose_forcefully(stream)

    async def _receive(self, stream: trio.SocketStream) -> Request | None:
        request = Request()
        parser = httptools.HttpRequestParser(request)
        while not request.done:
            data = await stream.receive_some(RECV_BYTES)
            if not data:
                return None
            parser.feed_data(data)
        return request

    async def _answer(self, request: Request, stream: trio.SocketStream) -> bool:
        """Whether the connection may serve another request."""
        came = trio.current_time()
        name = request.temper()
        temper = self._tempers.get(name)
        if temper is None:
            await stream.send_all(_whole(200, {"status": "ready"}))
            return True
        document = request.document()
        asked = understand(name, document)
        first_s = self._draw.lognormvariate(0.0, temper.spread) * temper.first_s
        if self._draw.random() < temper.errors:
            await trio.sleep(first_s / 4)
            return await self._fail(asked, stream)
        if self._draw.random() < temper.stalls:
            first_s += temper.stall_s
        if asked.stream:
            await self._stream(asked, temper, came, first_s, stream)
        else:
            await trio.sleep_until(came + first_s + temper.gap_s * asked.pieces)
            waited_s = trio.current_time() - came
            await stream.send_all(_whole(200, whole(asked, waited_s)))
        return True

    async def _fail(self, asked: Asked, stream: trio.SocketStream) -> bool:
        match self._draw.choice(("overloaded", "limited", "closed", "in-band")):
            case "overloaded":
                await stream.send_all(_whole(503, _error("overloaded")))
                return True
            case "limited":
                await stream.send_all(_whole(429, _error("slow down")))
                return True
            case "in-band" if asked.stream:
                await stream.send_all(_HEAD + _event(_error("broken")) + _chunked(b""))
                return True
            case _:
                return False

    async def _stream(
        self, asked: Asked, temper: Temper, came: float, first_s: float, stream: trio.SocketStream
    ) -> None:  # fmt: skip
        await trio.sleep_until(came + first_s / 2)
        await stream.send_all(_HEAD + _event(_chunk(asked, {"role": "assistant", "content": ""})))
        before, after = _around(asked)
        for number in range(asked.pieces):
            await trio.sleep_until(came + first_s + temper.gap_s * number)
            text = _piece(asked, number, trio.current_time() - came)
            await stream.send_all(_chunked(before + text.encode() + after))
        calls = [{"index": 0, **call} for call in _calls(asked)]
        delta = _event(_chunk(asked, {"tool_calls": calls})) if calls else b""
        ended = _event(_chunk(asked, {}, finish=_finish(asked)))
        usage = _event({**_chunk(asked, {}), "choices": [], "usage": _usage(asked)})
        await stream.send_all(delta + ended + usage + _chunked(b"data: [DONE]\n\n") + _chunked(b""))


def _around(asked: Asked) -> tuple[bytes, bytes]:
    """What stands before and after a piece in its event. A piece needs no escapes."""
    event = json.dumps(_chunk(asked, {"content": "@"}), separators=(",", ":")).encode()
    before, _, after = event.partition(b"@")
    return b"data: " + before, after + b"\n\n"


def whole(asked: Asked, waited_s: float) -> Document:
    """An answer in one piece."""
    text = "".join(_piece(asked, number, waited_s) for number in range(asked.pieces))
    message: Document = {"role": "assistant", "content": text}
    if asked.tools:
        message["tool_calls"] = _calls(asked)
    choice = {"index": 0, "message": message, "finish_reason": _finish(asked)}
    document = {**_chunk(asked, {}), "object": "chat.completion", "choices": [choice]}
    return {**document, "usage": _usage(asked)}


def _piece(asked: Asked, number: int, waited_s: float) -> str:
    return stamps.piece(asked.provider, asked.nonce, number, waited_s)


def _calls(asked: Asked) -> list[Document]:
    if not asked.tools:
        return []
    said = {"provider": asked.provider, "nonce": asked.nonce, "step": asked.turn}
    function = {"name": "look_up", "arguments": json.dumps(said)}
    return [{"id": f"call_{asked.nonce}_{asked.turn}", "type": "function", "function": function}]


def _finish(asked: Asked) -> str:
    return "tool_calls" if asked.tools else "stop"


def _usage(asked: Asked) -> Document:
    return {"prompt_tokens": 100, "completion_tokens": asked.pieces, "total_tokens": 100 + asked.pieces}  # fmt: skip


def _chunk(asked: Asked, delta: Document, *, finish: str | None = None) -> Document:
    return {
        "id": f"chatcmpl-{asked.nonce}-{asked.turn}",
        "object": "chat.completion.chunk",
        "created": 1_753_000_000,
        "model": asked.provider,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _error(message: str) -> Document:
    return {"error": {"message": message, "type": "server_error", "code": None}}


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _event(document: Document) -> bytes:
    return _chunked(b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n")


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(status: int, document: Document) -> bytes:
    body = json.dumps(document).encode()
    head = b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def adjusted(tempers: dict[str, Temper], settings: Sequence[str]) -> dict[str, Temper]:
    """Tempers with `name.field=number` applied. Raises: ValueError for anything else."""
    changed = dict(tempers)
    for setting in settings:
        key, _, value = setting.partition("=")
        name, _, knob = key.partition(".")
        if name not in changed or knob not in Temper.__dataclass_fields__:
            raise ValueError(f"{setting}: say NAME.FIELD=NUMBER, NAME one of {', '.join(changed)}")
        changed[name] = replace(changed[name], **{knob: float(value)})
    return changed


async def run(port: int, tempers: dict[str, Temper]) -> None:
    """Listen on loopback, say where, serve until SIGTERM."""
    providers = Providers(tempers)
    with trio.move_on_after(SECONDS_MAX), trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1", backlog=1024)
            nursery.start_soon(trio.serve_listeners, providers.serve, [listener])
            print(f"listening {listener.socket.getsockname()[1]}", flush=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break


def main() -> None:
    """Read arguments, serve."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.providers")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME.FIELD=NUMBER")
    options = parser.parse_args()
    try:
        tempers = adjusted(TEMPERS, cast("list[str]", options.set))
    except ValueError as error:
        sys.exit(str(error))
    trio.run(run, cast("int", options.port), tempers)


if __name__ == "__main__":
    main()
