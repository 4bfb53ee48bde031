"""What the relay copies and allocates: `python -m bench.copies`.

A stream of the mock goes through the relay's engine as the lane would feed it: received bytes in,
buffers for `sendmsg` out. Text that leaves as a view of the received bytes was not copied.
"""

import json
import sys
import time
from dataclasses import dataclass
from typing import Literal

from bench.replies import CHUNKS_CONTENT, build
from proxy.dialects.registry import DIALECTS
from proxy.model.call import Call
from proxy.model.downstream import Buffer
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.meter import Delivered
from proxy.units import NanoDollarsPerMillion
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript

Way = Literal["chunks", "burst"]
WAYS: tuple[Way, ...] = ("chunks", "burst")
"""A read per chunk, as from a provider that writes each; all in one read."""
LEARNING = 2
"""Chunks decoded before others can be spliced: the first says the role, the second is learned."""
ROUNDS = 200
FREE = Prices(NanoDollarsPerMillion(0), NanoDollarsPerMillion(0))
ENDPOINT = Endpoint(
    Provider("mock", "Mock", "openai-chat", "http://mock/v1"), "a/b", "b", FREE, 100_000
)


@dataclass(frozen=True, slots=True)
class Copies:
    """Figures for one spliced chunk."""

    way: Way
    text_bytes: float
    copied_bytes: float
    """Text bytes that left otherwise than as views of the received bytes."""
    buffers: float
    """Pieces handed to `sendmsg`."""
    blocks: float
    """Memory blocks alive when the pieces are handed over, the received bytes not counted."""
    microseconds: float
    """The best of `ROUNDS`."""


def chunks() -> list[bytes]:
    """The HTTP chunks of one stream of the mock that hold content."""
    first, *rest = build(variants=1)[0].paced[:CHUNKS_CONTENT]
    return [first.partition(b"\r\n\r\n")[2], *rest]


def transcript() -> Transcript:
    """A fresh engine, as an attempt makes it."""
    call = Call("openai-chat", "chat", {}, ("a/b",), stream=True, generation_id="gen-1-abc")
    dialect = DIALECTS["openai-chat"]
    body = BodyReader(chunked=True, length=None)
    decoder = dialect.decode_response(call, ENDPOINT, 200)
    encoder = dialect.encode_response(call, ENDPOINT)
    return Transcript(body, decoder, encoder, Delivered(), event_bytes_max=1 << 22)


def measure(way: Way = "burst") -> Copies:
    """Feed a stream, chunks to learn from first; count what the spliced ones cost."""
    stream = chunks()
    spliced = stream[LEARNING:]
    reads = spliced if way == "chunks" else [b"".join(spliced)]
    best, blocks, out = 1.0, 0, list[list[Buffer]]()
    for _ in range(ROUNDS):
        engine = transcript()
        for chunk in stream[:LEARNING]:
            engine.feed(chunk)
        out = []  # the last round's pieces are freed before blocks are counted
        before, started = sys.getallocatedblocks(), time.perf_counter()
        out = [engine.feed(read) for read in reads]
        best = min(best, time.perf_counter() - started)
        blocks = sys.getallocatedblocks() - before
    texts, count = content(b"".join(spliced)), len(spliced)
    if content(b"".join(b"".join(pieces) for pieces in out)) != texts:
        raise AssertionError("the relay changed the text")
    size = sum(len(text.encode()) for text in texts)
    views = sum(viewed(pieces, read) for pieces, read in zip(out, reads, strict=True))
    buffers = sum(map(len, out))
    return Copies(
        way,
        size / count,
        (size - views) / count,
        buffers / count,
        blocks / count,
        best * 1e6 / count,
    )


def viewed(pieces: list[Buffer], received: bytes) -> int:
    """Bytes that leave as views of `received`."""
    return sum(len(p) for p in pieces if isinstance(p, memoryview) and p.obj is received)


def content(stream: bytes) -> list[str]:
    """The text of each event in a stream of bytes, HTTP framing or not."""
    events = [line[6:] for line in stream.splitlines() if line.startswith(b"data: ")]
    return [json.loads(event)["choices"][0]["delta"]["content"] for event in events]


def describe(found: Copies) -> str:
    """The figures in one line."""
    return (
        f"per spliced chunk of {found.text_bytes:.1f} text bytes, {found.way}: "
        f"{found.copied_bytes:.1f} bytes copied, {found.buffers:.2f} buffers, "
        f"{found.blocks:.2f} blocks allocated, {found.microseconds:.2f} us"
    )


def main() -> None:
    """Print both ways."""
    for way in WAYS:
        print(describe(measure(way)))


if __name__ == "__main__":
    main()
