"""What the relay copies and allocates: `python -m bench.copies`.

One stream of 64 chunks goes through the relay's engine as the lane would feed it: received bytes in,
buffers for `sendmsg` out. Text that leaves as a view of the received bytes was not copied.
"""

import sys
import time
from dataclasses import dataclass

from proxy.dialects.registry import DIALECTS
from proxy.model.call import Call
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.meter import Delivered
from proxy.units import NanoDollarsPerMillion
from proxy.wire.body import BodyReader
from proxy.wire.transcript import Transcript

CHUNKS = 64
LEARNING = 1
"""Chunks of content that are decoded, so that the others can be spliced."""
ROUNDS = 200
FREE = Prices(NanoDollarsPerMillion(0), NanoDollarsPerMillion(0))
ENDPOINT = Endpoint(
    Provider("mock", "Mock", "openai-chat", "http://mock/v1"), "a/b", "b", FREE, 100_000
)


@dataclass(frozen=True)
class Copies:
    """Figures for one spliced chunk, of `text_bytes` text."""

    text_bytes: float
    copied_bytes: float
    """Text bytes that left otherwise than as views of the received bytes."""
    buffers: float
    """Pieces handed to `sendmsg`."""
    blocks: float
    """Memory blocks alive when the pieces are handed over, the received bytes not counted."""
    microseconds: float


def events() -> list[bytes]:
    """A stream as OpenAI-style providers send it, one HTTP chunk per event."""
    form = (
        b'data: {"id":"chatcmpl-AbCdEf","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"b-2026","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"%b"},'
        b'"logprobs":null,"finish_reason":null}]}\n\n'
    )
    texts = [form % (b" word%d of some length" % n) for n in range(CHUNKS)]
    return [b"%x\r\n%b\r\n" % (len(text), text) for text in texts]


def transcript() -> Transcript:
    """A fresh engine, as an attempt makes it."""
    call = Call("openai-chat", "chat", {}, ("a/b",), stream=True, generation_id="gen-1-abc")
    dialect = DIALECTS["openai-chat"]
    body = BodyReader(chunked=True, length=None)
    decoder = dialect.decode_response(call, ENDPOINT, 200)
    encoder = dialect.encode_response(call, ENDPOINT)
    return Transcript(body, decoder, encoder, Delivered(), event_bytes_max=1 << 22)


def measure() -> Copies:
    """Feed the stream, the first chunk to learn from, the others as one read."""
    first, *rest = events()
    received = b"".join(rest)
    best, blocks, copied, buffers, size = 1.0, 0, 0, 0, 0
    for _ in range(ROUNDS):
        engine = transcript()
        for _ in range(LEARNING):
            engine.feed(first)
        before = sys.getallocatedblocks()
        started = time.perf_counter()
        out = engine.feed(received)
        took = time.perf_counter() - started
        blocks = sys.getallocatedblocks() - before
        best = min(best, took)
        views = [piece for piece in out if isinstance(piece, memoryview) and piece.obj is received]
        size = sum(len(event.partition(b'"content":"')[2].partition(b'"')[0]) for event in rest)
        copied, buffers = size - sum(map(len, views)), len(out)
    count = len(rest)
    return Copies(size / count, copied / count, buffers / count, blocks / count, best / count * 1e6)


def describe(found: Copies) -> str:
    """The figures in one line."""
    return (
        f"per spliced chunk of {found.text_bytes:.1f} text bytes: {found.copied_bytes:.1f} bytes copied, "
        f"{found.buffers:.2f} buffers, {found.blocks:.2f} blocks allocated, {found.microseconds:.2f} us"
    )


if __name__ == "__main__":
    print(describe(measure()))
