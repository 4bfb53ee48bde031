"""Bodies end where their framing says, whatever the cuts."""

import pytest
from hypothesis import given, strategies as st

from proxy.wire.body import CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX, BodyReader, FramingError
from proxy.wire.strict import StrictBodyReader

READERS = [BodyReader, StrictBodyReader]
PAYLOADS = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


def chunked(payloads: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in payloads) + b"0\r\n\r\n"


def read(reader: BodyReader, pieces: list[bytes]) -> bytes:
    out = b""
    for piece in pieces:
        data, spans = reader.feed(piece)
        out += b"".join(data[start:end] for start, end in spans)
    return out


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({p % (len(data) + 1) for p in places}), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@given(
    st.sampled_from(READERS),
    PAYLOADS,
    st.lists(st.integers(0, 1000), max_size=12),
    st.binary(max_size=10),
)
def test_any_cut_of_a_chunked_body_gives_the_same_payload(
    kind: type[BodyReader], payloads: list[bytes], places: list[int], behind: bytes
) -> None:
    reader = kind(chunked=True, length=None)
    pieces = cut(chunked(payloads), places)
    pieces[-1] += behind

    assert b"".join(payloads) == read(reader, pieces)
    assert reader.done
    assert behind == reader.leftover


def test_a_chunked_body_may_be_cut_at_every_byte() -> None:
    body = b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n"
    reader = BodyReader(chunked=True, length=None)

    assert b"hello!" == read(reader, [body[i : i + 1] for i in range(len(body))])
    assert reader.done


@pytest.mark.parametrize(
    "line",
    [
        b"+5",
        b"0x5",
        b"5_0",
        b" 5",
        b"-1",
        b"zz",
        b"",
        b"123456789",
        b"5;\x00",
        b"5\n",
        b"5 x",
        b"5 ;a",
    ],
)
def test_a_size_that_is_not_plain_hexadecimal_is_refused(line: bytes) -> None:
    with pytest.raises(FramingError):
        BodyReader(chunked=True, length=None).feed(line + b"\r\nhello\r\n0\r\n\r\n")


def test_a_chunk_longer_than_its_size_is_refused() -> None:
    with pytest.raises(FramingError):
        BodyReader(chunked=True, length=None).feed(b"3\r\nhello\r\n")
    late = BodyReader(chunked=True, length=None)
    late.feed(b"3\r\nhel")
    late.feed(b"\r")
    with pytest.raises(FramingError):
        late.feed(b"X")


@pytest.mark.parametrize(
    "endless", [b"5" + b" " * CHUNK_LINE_BYTES_MAX, b"0\r\n" + b"x" * TRAILER_BYTES_MAX]
)
def test_a_line_without_end_is_bounded(endless: bytes) -> None:
    with pytest.raises(FramingError):
        BodyReader(chunked=True, length=None).feed(endless)


def test_a_known_length_ends_the_body_and_keeps_what_follows() -> None:
    reader = BodyReader(chunked=False, length=5)

    assert b"hello" == read(reader, [b"he", b"lloGET /"])
    assert reader.done
    assert b"GET /" == reader.leftover


def test_an_empty_body_is_done_at_once() -> None:
    assert BodyReader(chunked=False, length=0).done


def test_a_body_up_to_the_end_of_the_connection_is_complete_only_then() -> None:
    reader = BodyReader(chunked=False, length=None)

    assert b"all of it" == read(reader, [b"all ", b"of it"])
    assert not reader.done
    assert reader.close()


def test_a_connection_that_ends_early_leaves_the_body_incomplete() -> None:
    reader = BodyReader(chunked=True, length=None)
    reader.feed(b"5\r\nhel")

    assert not reader.close()


def test_between_chunks_is_true_only_where_a_size_line_begins() -> None:
    reader = BodyReader(chunked=True, length=None)
    assert reader.between_chunks
    reader.feed(b"5\r\nhe")
    assert not reader.between_chunks
    reader.feed(b"llo\r\n")
    assert reader.between_chunks
    reader.feed(b"0\r\n\r\n")
    assert not reader.between_chunks


def test_many_distinct_sizes_are_read_as_well_as_few() -> None:
    payloads = [b"x" * n for n in range(1, 600)]

    assert b"".join(payloads) == read(BodyReader(chunked=True, length=None), [chunked(payloads)])


@given(
    st.booleans(),
    PAYLOADS,
    st.lists(st.integers(0, 1000), max_size=12),
    st.binary(max_size=10),
)
def test_any_cut_gives_the_same_leftover_even_inside_of_it(
    is_chunked: bool, payloads: list[bytes], places: list[int], behind: bytes
) -> None:
    payload = b"".join(payloads)
    reader = BodyReader(chunked=is_chunked, length=None if is_chunked else len(payload))
    body = chunked(payloads) if is_chunked else payload

    assert payload == read(reader, cut(body + behind, places))
    assert behind == reader.leftover


def test_a_line_that_is_too_long_is_refused_whole_as_in_pieces() -> None:
    line = b"5;" + b"x" * CHUNK_LINE_BYTES_MAX + b"\r\nhello\r\n"
    pieces = BodyReader(chunked=True, length=None)
    with pytest.raises(FramingError):
        read(pieces, [line[:-9], line[-9:]])
    with pytest.raises(FramingError):
        BodyReader(chunked=True, length=None).feed(line)


def test_trailers_without_end_are_bounded_even_line_by_line() -> None:
    reader = BodyReader(chunked=True, length=None)
    reader.feed(b"0\r\n")

    with pytest.raises(FramingError):
        for _ in range(TRAILER_BYTES_MAX):
            reader.feed(b"x: y\r\n")


@pytest.mark.parametrize(
    "line", [b"5", b"05", b"00000005", b"5 ", b"5\t ", b"5;a=b", b'5;a="\xe9"', b"5; a ;b"]
)
def test_a_size_may_have_zeros_before_it_and_extensions_behind(line: bytes) -> None:
    assert b"hello" == read(
        BodyReader(chunked=True, length=None), [line + b"\r\nhello\r\n0\r\n\r\n"]
    )


@pytest.mark.parametrize(
    "body", [b"5\nhello\n0\n\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n"]
)
def test_a_bare_or_missing_line_end_is_refused(body: bytes) -> None:
    with pytest.raises(FramingError):
        BodyReader(chunked=True, length=None).feed(body + b" " * TRAILER_BYTES_MAX)


def test_views_point_into_the_very_bytes_received() -> None:
    whole = chunked([b"hello", b"world"])
    data, spans = BodyReader(chunked=True, length=None).feed(whole)

    assert data is whole
    assert [(3, 8), (13, 18)] == spans


@pytest.mark.parametrize(
    "line", [b"A: b", b"A:", b"!x:\t\xe9 ", b"X-Content-Length: 5", b"Hosts: a"]
)
def test_a_trailer_is_read_over(line: bytes) -> None:
    reader = BodyReader(chunked=True, length=None)

    assert b"" == read(reader, [b"0\r\n" + line + b"\r\n\r\nx"])
    assert (True, b"x") == (reader.done, reader.leftover)


@pytest.mark.parametrize(
    "line",
    [b"A", b"A : b", b" A: b", b": b", b"A: b\nC: d", b"A: \x00", b"A\xe9: b", b"content-length: 5", b"TRANSFER-ENCODING: x", b"Host:a"],
)  # fmt: skip
def test_a_trailer_that_is_no_field_or_would_frame_the_message_is_refused(line: bytes) -> None:
    for pieces in ([b"0\r\n" + line + b"\r\n\r\n"], [b"0\r\nA: b\r\n" + line, b"\r\n\r\n"]):
        with pytest.raises(FramingError, match="malformed trailer"):
            read(BodyReader(chunked=True, length=None), pieces)
