"""Event streams: any cut, any line end; checked against a plain reading of the standard."""

import re
import time

import pytest
from hypothesis import given, strategies as st

from proxy.wire.sse import EventSplitter, EventTooLargeError, GarbageError, event_data

LINES = st.sampled_from(
    [b"data: a", b"data:b", b'data: {"x":1}', b"data", b": comment", b"event: ping", b"id: 7",
     b"data: \xc3\xa9", b"retry: 5", b"data:  two", b""]
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def reference(stream: bytes) -> list[bytes]:
    """WHATWG's algorithm on the whole stream."""
    found, lines = [], []
    for line in re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        if not line:
            if lines:
                found.append(b"\n".join(lines))
            lines = []
        elif line.split(b":")[0] == b"data":
            lines.append(line.partition(b":")[2].removeprefix(b" "))
    return found


def parse(pieces: list[bytes]) -> list[bytes]:
    splitter = EventSplitter(10_000)
    raw = [event for piece in pieces for event in splitter.feed(piece)]
    rest = splitter.close()
    if re.search(rb"(\r\n|\n|\r(?!\n))(\r\n|\n|\r)\Z", rest):
        raw.append(rest)
    return [data for event in raw if (data := event_data(event)) is not None]


@given(st.lists(st.tuples(LINES, ENDS), max_size=20), st.lists(st.integers(0, 400), max_size=20))
def test_any_cut_gives_what_the_standard_says(
    lines: list[tuple[bytes, bytes]], places: list[int]
) -> None:
    stream = b"".join(line + end for line, end in lines)
    edges = [0, *sorted({p % (len(stream) + 1) for p in places}), len(stream)]
    pieces = [stream[a:b] for a, b in zip(edges, edges[1:], strict=False)]

    assert reference(stream) == parse(pieces)


def test_a_byte_order_mark_is_skipped() -> None:
    assert [b"x"] == parse([b"\xef\xbb\xbfdata: x\n\n"])


def test_an_unfinished_event_is_given_at_the_end() -> None:
    splitter = EventSplitter(100)

    assert [] == splitter.feed(b"data: x\n")
    assert b"data: x\n" == splitter.close()
    assert b"" == splitter.close()


@pytest.mark.parametrize("event", [b"data: " + b"x" * 101, b"data: " + b"x" * 101 + b"\n\n"])
def test_an_event_is_bounded_finished_or_not(event: bytes) -> None:
    with pytest.raises(EventTooLargeError):
        EventSplitter(100).feed(event)


@pytest.mark.parametrize("event", [b"\x00\x01garbage\n\n", b"<html>: x\n\n"])
def test_bytes_that_are_no_field_are_no_stream(event: bytes) -> None:
    with pytest.raises(GarbageError):
        event_data(event)


def test_a_comment_has_no_data() -> None:
    assert None is event_data(b": hello\n\n")


@given(st.lists(st.tuples(LINES, ENDS), max_size=20))
def test_every_byte_apart_gives_what_the_standard_says(lines: list[tuple[bytes, bytes]]) -> None:
    stream = b"".join(line + end for line, end in lines)

    assert reference(stream) == parse([stream[i : i + 1] for i in range(len(stream))])


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b"\xef\xbb\xbf"]), max_size=12))
def test_line_ends_and_marks_in_any_order_never_lose_data(parts: list[bytes]) -> None:
    stream = b"".join(parts).removeprefix(b"\xef\xbb\xbf").replace(b"\xef\xbb\xbf", b"")

    assert reference(stream) == parse([stream])


def test_what_is_kept_is_bounded_whatever_comes() -> None:
    splitter = EventSplitter(100)
    for _ in range(100):
        splitter.feed(b": ping\n\n")
        assert len(splitter.carry) <= 100
    with pytest.raises(EventTooLargeError):
        for _ in range(100):
            splitter.feed(b"data: x\n")


def test_an_event_of_exactly_the_limit_passes() -> None:
    event = b"data: " + b"x" * 92 + b"\n\n"

    assert [event] == EventSplitter(100).feed(event)
    with pytest.raises(EventTooLargeError):
        EventSplitter(99).feed(event)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b'data: {"a":1}\n\n', b'{"a":1}'),
        (b'data: {"a":1}\r\n\r\n', b'{"a":1}'),
        (b'data: {"a":\ndata: 1}\n\n', b'{"a":\n1}'),
        (b'data: {"a":1}\nid: 7\n\n', b'{"a":1}'),
        (b'event: x\ndata: {"a":1}\n\n', b'{"a":1}'),
        (b'data: {"a":1}\rdata: x\n\n', b'{"a":1}\nx'),
        (b"data:x\n\n", b"x"),
        (b"data:  x\n\n", b" x"),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b"data: a: b\n\n", b"a: b"),
        (b"event: ping\n\n", None),
        (b"\n\n", None),
    ],
)
def test_data_is_what_stands_behind_its_name(event: bytes, data: bytes | None) -> None:
    assert data == event_data(event)


def test_an_event_may_come_in_very_many_pieces() -> None:
    """Copying what has come for every piece would take minutes here, and hold everybody up."""
    splitter = EventSplitter(1 << 23)
    splitter.feed(b"data: " + b"x" * 3_000_000)
    started = time.process_time()
    for _ in range(20_000):
        assert [] == splitter.feed(b"x")

    assert time.process_time() - started < 1.0
    (event,) = splitter.feed(b"\r\n\r\n")
    assert 3_020_010 == len(event)
