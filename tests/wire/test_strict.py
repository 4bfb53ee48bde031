"""What is true of the strict parser alone; what it shares with the other is in `test_parsers`."""

import random

import h11
import pytest

from proxy.wire.body import BodyReader, FramingError
from proxy.wire.strict import MERGED, StrictBodyReader, parse_request_head, parse_response_head
from tests.fakes.things import in_chunks
from tests.wire.conformance import ACCEPTED_BODIES
from tests.wire.generator import chunked_body, cut
from tests.wire.test_transcript import a_stream
from tests.wire.test_transcript_framings import outcome


def stepped(reader: BodyReader, pieces: list[bytes]) -> list[tuple[int, int, int]]:
    """Every step, as the transcript of a stream makes them."""
    steps = []
    for piece in pieces:
        data = reader.join(piece)
        position = 0
        while position < len(data):
            start, end, position = reader.step(data, position)
            steps.append((start, end, position))
    return steps


@pytest.mark.parametrize(("body", "payload", "behind"), ACCEPTED_BODIES)
def test_it_steps_from_place_to_place_as_the_fast_one_does(
    body: bytes, payload: bytes, behind: bytes
) -> None:
    for pieces in ([body], [body[i : i + 1] for i in range(len(body))], [body[:3], body[3:]]):
        strict, fast = (kind(chunked=True, length=None) for kind in (StrictBodyReader, BodyReader))
        assert stepped(fast, pieces) == stepped(strict, pieces)
        assert (True, behind) == (strict.done, strict.leftover) == (fast.done, fast.leftover)


def test_its_chunks_are_never_spliced_in_place() -> None:
    reader = StrictBodyReader(chunked=True, length=None)
    assert not reader.between_chunks
    reader.feed(b"5\r\nhello\r\n")
    assert not reader.between_chunks


def test_views_point_into_the_very_bytes_received() -> None:
    whole = b"5\r\nhello\r\n0\r\n\r\n"
    data, spans = StrictBodyReader(chunked=True, length=None).feed(whole)

    assert data is whole
    assert [(3, 8)] == spans


class Shifted(StrictBodyReader):
    """Stands for a mistake of ours: each chunk is taken for one byte shorter than it is."""

    def _read_size(self, line: bytes) -> int:
        return super()._read_size(line) - 1


class Shorter(StrictBodyReader):
    """Stands for a mistake of h11's: it loses a byte of payload."""

    def _read_along(self, received: bytes) -> tuple[bytes, bool]:
        payload, complete = super()._read_along(received)
        return payload[:-1], complete


class Endless(StrictBodyReader):
    """Stands for a mistake of h11's: it does not see the end."""

    def _read_along(self, received: bytes) -> tuple[bytes, bool]:
        return super()._read_along(received)[0], False


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (Shifted, b"5\r\nhell\r\n0\r\n\r\n", "malformed chunk"),
        (Shorter, b"5\r\nhello\r\n", "two ways"),
        (Endless, b"0\r\n\r\n", "two ways"),
    ],
)
def test_where_the_two_readers_of_a_chunk_disagree_the_body_is_refused(
    kind: type[StrictBodyReader], body: bytes, why: str
) -> None:
    with pytest.raises(FramingError, match=why):
        kind(chunked=True, length=None).feed(body)


def test_h11_reads_every_byte_of_framing_once() -> None:
    """Cuts inside of lines make the reader keep bytes back; h11 must not get them twice."""
    for seed in range(300):
        rng = random.Random(seed)
        body = chunked_body(rng)
        whole, cuts = [], []
        for pieces, into in (([body], whole), (cut(rng, body), cuts)):
            reader = StrictBodyReader(chunked=True, length=None)
            try:
                for piece in pieces:
                    data, spans = reader.feed(piece)
                    into.append(b"".join(data[a:b] for a, b in spans))
            except FramingError:
                into.append(b"!")
            into[:] = [b"".join(into)] if b"!" not in into else [b"!"]
        assert whole == cuts


def test_what_h11_would_merge_is_seen_before_it() -> None:
    for value in (b"5, 5", b"5\r\nContent-Length: 5", b"5\r\nX: y\r\ncontent-length:5"):
        raw = b"\r\nContent-Length: " + value + b"\r\n\r\n"
        assert MERGED.search(raw)
        read = h11.Connection(h11.SERVER)
        read.receive_data(b"GET / HTTP/1.1\r\nHost: a" + raw)
        event = read.next_event()
        assert isinstance(event, h11.Request)
        assert b"5" == dict(event.headers)[b"content-length"]
    assert not MERGED.search(b"\r\nContent-Length: 5\r\nX-Content-Length: 5\r\n\r\n")
    assert not MERGED.search(b"\r\nX: content-length: 5\r\nContent-Length:\t5\r\n\r\n")


def test_a_long_head_is_read_as_a_short_one() -> None:
    fields = b"".join(b"X-%d: %b\r\n" % (n, b"y" * 500) for n in range(100))

    assert 101 == len(
        parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", 101).headers
    )
    assert 100 == len(parse_response_head(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n").headers)


@pytest.mark.parametrize("events_a_chunk", [1, 2, 7])
def test_a_stream_means_the_same_through_it(events_a_chunk: int) -> None:
    events = a_stream(["Hedge", "rows ", "na\u00efve", "\U0001f994", 'say "hi"', "."] * 3)
    groups = [
        b"".join(events[n : n + events_a_chunk]) for n in range(0, len(events), events_a_chunk)
    ]
    raw = in_chunks(groups)
    rng = random.Random(events_a_chunk)
    each_byte = [raw[i : i + 1] for i in range(len(raw))]
    for pieces in ([raw], each_byte, *(cut(rng, raw) for _ in range(20))):
        strict, fast = (
            outcome(pieces, kind(chunked=True, length=None))
            for kind in (StrictBodyReader, BodyReader)
        )
        assert fast == strict
        assert (True, "") == strict[1:3]
