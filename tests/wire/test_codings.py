"""Coded bodies, decoded in pieces of bounded size."""

import gzip
import zlib

import pytest

from proxy.wire.codings import PIECE_BYTES, CodingError, Inflater

TEXT = bytes(range(256)) * 2_000


def decoded(inflater: Inflater, data: bytes, step: int) -> bytes:
    found = b""
    for start in range(0, len(data), step):
        inflater.feed(data[start : start + step])
        while piece := inflater.take():
            assert len(piece) <= PIECE_BYTES
            found += piece
    inflater.end()
    return found


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
@pytest.mark.parametrize(
    ("coding", "data"),
    [(b"gzip", gzip.compress(TEXT)), (b"X-GZIP", gzip.compress(TEXT)), (b"deflate", zlib.compress(TEXT))],
)  # fmt: skip
def test_a_coded_body_comes_out_whole_however_it_came(
    coding: bytes, data: bytes, step: int
) -> None:
    assert TEXT == decoded(Inflater(coding), data, step)


def test_a_bomb_comes_out_in_small_pieces() -> None:
    inflater = Inflater(b"gzip")
    inflater.feed(gzip.compress(bytes(100_000_000)))

    assert PIECE_BYTES == len(inflater.take())


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip", b"compress", b""])
def test_a_coding_without_a_bound_is_refused(coding: bytes) -> None:
    with pytest.raises(CodingError, match="unknown"):
        Inflater(coding)


def test_what_is_not_coded_is_damaged() -> None:
    inflater = Inflater(b"gzip")
    inflater.feed(b"plain text")

    with pytest.raises(CodingError, match="damaged"):
        inflater.take()


def test_the_end_must_have_come_when_the_body_ends() -> None:
    inflater = Inflater(b"gzip")
    inflater.feed(gzip.compress(b"x")[:-1])
    inflater.take()

    with pytest.raises(CodingError, match="cut short"):
        inflater.end()


def test_nothing_may_follow_the_end() -> None:
    inflater = Inflater(b"gzip")
    inflater.feed(gzip.compress(b"x") + gzip.compress(b"y"))

    assert b"x" == inflater.take()
    with pytest.raises(CodingError, match="behind its end"):
        inflater.take()


def test_nothing_may_follow_the_end_of_an_empty_body() -> None:
    inflater = Inflater(b"gzip")
    inflater.feed(gzip.compress(b"") + b"y")

    assert b"" == inflater.take()
    with pytest.raises(CodingError, match="behind its end"):
        inflater.end()
