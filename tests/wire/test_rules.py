"""The rules by themselves: shapes, trimming, names, and what a connection's words mean."""

import re
from time import perf_counter

import pytest

from proxy.wire.rules import (
    HEAD_SHAPE,
    HEAD_TRIMMED,
    RESPONSE_SHAPE,
    RESPONSE_TRIMMED,
    SHADOWING,
    Fields,
    ResponseHead,
    connection_options,
    keeps_alive,
    trim,
)
from tests.wire.conformance import ACCEPTED_REQUESTS, ACCEPTED_RESPONSES, refused_requests

START = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("fields", "trimmed"),
    [
        (b"A: b \r\n\r\n", b"A: b\r\n\r\n"), (b"A: b\t \r\nC:\t\r\n\r\n", b"A: b\r\nC:\r\n\r\n"),
        (b"A: b  c\r\n\r\n", b"A: b  c\r\n\r\n"), (b" \r\n\r\n", b" \r\n\r\n"),
        (b"A: b\r\n \r\n\r\n", b"A: b\r\n \r\n\r\n"), (b"A: b \r\n \r\n", b"A: b\r\n \r\n"),
        (b"A: b \n\r\n", b"A: b \n\r\n"),
    ],
)  # fmt: skip
def test_only_white_space_behind_a_value_is_trimmed(fields: bytes, trimmed: bytes) -> None:
    assert START + trimmed == trim(START + fields)
    assert b"GET / HTTP/1.1 \r\n" + trimmed == trim(b"GET / HTTP/1.1 \r\n" + fields)


def test_trimming_lets_through_just_what_the_wider_shape_does() -> None:
    heads = [raw for raw, _ in (*ACCEPTED_REQUESTS, *refused_requests())]
    for raw in heads:
        assert bool(HEAD_SHAPE.fullmatch(raw)) == bool(HEAD_TRIMMED.fullmatch(trim(raw)))
    for raw, _ in ACCEPTED_RESPONSES:
        assert RESPONSE_SHAPE.fullmatch(raw)
        assert RESPONSE_TRIMMED.fullmatch(trim(raw))


@pytest.mark.parametrize("shape", [HEAD_SHAPE, HEAD_TRIMMED, RESPONSE_SHAPE, RESPONSE_TRIMMED])
@pytest.mark.parametrize(
    "raw",
    [
        START + b"A:" + b" " * 100_000 + b"b", START + b"A: b\r\n" * 20_000, START + b"a" * 100_000,
        b"GET /" + b"a%41" * 20_000 + b" HTTP/1.1\r\n", b"GET http://" + b"a." * 50_000,
        b"HTTP/1.1 200 " + b"x" * 100_000, b"HTTP/1.1 200 OK\r\nA:" + b"\t " * 50_000 + b"\0",
    ],
)  # fmt: skip
def test_no_input_makes_a_shape_slow(shape: re.Pattern[bytes], raw: bytes) -> None:
    began = perf_counter()

    assert shape.fullmatch(raw) is None
    trim(raw)
    assert perf_counter() - began < 0.25  # 100 KB in 1 ms or so; what backtracks takes seconds


def test_every_mixture_of_dash_and_underscore_shadows() -> None:
    assert {b"x_api_key", b"x-api_key", b"x_api-key", b"content_length"} <= SHADOWING
    assert {name for name in SHADOWING if b"_" not in name} == set()
    assert b"x-api-key" not in SHADOWING
    assert b"x_trace_id" not in SHADOWING


def test_repeated_fields_wait_until_they_are_counted() -> None:
    fields = Fields()
    for name, value in ((b"A", b"1"), (b"B", b"2"), (b"a", b"3")):
        fields.on_header(name, value)
    fields.on_url(b"/a")
    fields.on_url(b"/b")

    assert {b"a": b"1", b"b": b"2"} == fields.headers
    assert [(b"a", b"3")] == fields.repeated
    assert b"/a/b" == fields.target


@pytest.mark.parametrize(
    ("value", "modern", "old"),
    [
        (None, True, False), (b"keep-alive", True, True), (b"Keep-Alive", True, True),
        (b"close", False, False), (b"keep-alive, close", False, False), (b"x", True, False),
        (b"x ,\tCLOSE", False, False), (b"closed", True, False), (b"", True, False),
    ],
)  # fmt: skip
def test_a_connection_is_kept_unless_its_words_say_otherwise(
    value: bytes | None, modern: bool, old: bool
) -> None:
    options = connection_options({} if value is None else {b"connection": value})

    assert (modern, old) == (
        keeps_alive(options, http_10=False),
        keeps_alive(options, http_10=True),
    )


def test_a_reply_without_framing_ends_with_its_connection() -> None:
    assert not ResponseHead(200, {}, keep_alive=True).keep_alive
    assert ResponseHead(200, {b"content-length": b"0"}, keep_alive=True).keep_alive
