"""Frames are found however bytes are cut, and each allowance holds to the last frame."""

import pytest
from hypothesis import given, strategies as st

from proxy.config.settings import LimitSettings
from proxy.doors import floods
from proxy.doors.floods import FloodError, FloodGuard, FrameHead, FrameScanner
from proxy.units import Seconds
from tests.hostile.h2_attacks import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    get,
)

NOW, LATER = Seconds(1000.0), Seconds(1010.0)
LIMITS = LimitSettings()
REST = (
    frame(SETTINGS)
    + get(b"headers", END_HEADERS, 3)
    + frame(DATA, b"\x05hello\0\0\0\0\0", PADDED, 3)
    + frame(DATA, b"", PADDED, 3)
    + frame(DATA, b"x" * 300, END_STREAM, 3)
    + frame(PING, b"12345678")
)
HEADS = [
    FrameHead(0, SETTINGS, 0, 0, 0), FrameHead(7, HEADERS, END_HEADERS, 3, 0),
    FrameHead(11, DATA, PADDED, 3, 6), FrameHead(0, DATA, PADDED, 3, 0),
    FrameHead(300, DATA, END_STREAM, 3, 0), FrameHead(8, PING, 0, 0, 0),
]  # fmt: skip


def greeted(data: bytes = b"") -> FloodGuard:
    """A guard behind the greeting."""
    guard = FloodGuard(LIMITS, NOW)
    guard.received(PREFACE + frame(SETTINGS) + data, NOW)
    return guard


def passes(guard: FloodGuard, data: bytes, now: Seconds = NOW) -> bool:
    """Whether the bytes may be read."""
    try:
        guard.received(data, now)
    except FloodError:
        return False
    return True


@given(st.lists(st.integers(0, len(REST)), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_frames(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(REST)]
    scanner = FrameScanner()

    found = [
        head
        for start, end in zip(edges, edges[1:], strict=False)
        for head in scanner.feed(REST[start:end])
    ]

    assert HEADS == found


@pytest.mark.parametrize(
    ("one", "most"),
    [
        (frame(PING, b"12345678"), 99),  # one for the SETTINGS of the greeting
        (frame(SETTINGS), 99),
        (frame(PRIORITY, b"12345"), 99),
        (frame(0x77), 99),
        (frame(RST_STREAM, b"1234", 0, 1), 100),
        (frame(WINDOW_UPDATE, b"1234"), 1000),
        (frame(DATA, b"", 0, 1), 100),
        (frame(DATA, b"\x03\0\0\0", PADDED, 1), 100),
        (frame(DATA, b"x" * 63, 0, 1), 1000),
        (frame(CONTINUATION, b"", 0, 1), 8),
    ],
    ids=["ping", "settings", "priority", "unknown", "reset", "window", "empty", "padding", "small",
         "continuation"],
)  # fmt: skip
def test_an_allowance_ends_after_so_many(one: bytes, most: int) -> None:
    assert passes(greeted(), one * most)
    assert not passes(greeted(), one * (most + 1))


def test_an_allowance_comes_back_with_time() -> None:
    guard = greeted(frame(PING, b"12345678") * 99)

    assert passes(guard, frame(PING, b"12345678") * 100, LATER)
    assert not passes(guard, frame(PING, b"12345678"), LATER)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0" * 24, "malformed"),
        (PREFACE[:-1] + b"X", "malformed"),
        (PREFACE + frame(DATA, b"x" * 16_385), "malformed"),
        (PREFACE + frame(SETTINGS, b"x" * 366), "flood"),
        (PREFACE + get(b"x" * 16_384, 0) + frame(CONTINUATION, b"x" * 16_384, 0, 1) + frame(CONTINUATION, b"x", 0, 1), "flood"),
    ],
    ids=["no preface", "nearly a preface", "large frame", "large settings", "large head"],
)  # fmt: skip
def test_some_frames_are_too_much_by_themselves(data: bytes, kind: str) -> None:
    with pytest.raises(FloodError) as caught:
        FloodGuard(LIMITS, NOW).received(data, NOW)
    assert kind == caught.value.kind


def test_large_data_and_ending_data_are_free() -> None:
    assert passes(greeted(), frame(DATA, b"x" * 64, 0, 1) * 3000)
    assert passes(greeted(), frame(DATA, b"", END_STREAM, 1) * 3000)


def test_a_header_block_is_counted_by_itself() -> None:
    block = get(b"x" * 16_384, 0) + frame(CONTINUATION, b"x" * 16_384, END_HEADERS, 1)

    assert passes(greeted(), block * 50)


def test_work_done_earns_more() -> None:
    guard = greeted(frame(RST_STREAM, b"1234", 0, 1) * 100)
    for _ in range(5):
        guard.sent(frame(DATA, b"x" * 16, END_STREAM, 1), NOW)

    assert passes(guard, frame(RST_STREAM, b"1234", 0, 1) * 5)
    assert not passes(guard, frame(RST_STREAM, b"1234", 0, 1))


def test_windows_are_earned_by_data_but_not_by_a_dribble() -> None:
    update = frame(WINDOW_UPDATE, b"1234")
    for payload, earned in ((b"x" * 16, 4), (b"x", 0)):
        guard = greeted(update * 1000)
        guard.sent(frame(DATA, payload, 0, 1), NOW)

        assert passes(guard, update * earned)
        assert not passes(guard, update)


def test_resets_that_we_are_made_to_send_count_as_well() -> None:
    guard = greeted()
    one = frame(RST_STREAM, b"1234", 0, 1)
    guard.sent(one * floods.RESETS_SENT.burst, NOW)

    with pytest.raises(FloodError):
        guard.sent(one, NOW)


def test_a_greeting_is_complete_with_its_first_frame() -> None:
    guard = FloodGuard(LIMITS, NOW)
    guard.received(PREFACE[:10], NOW)
    guard.received(PREFACE[10:], NOW)
    assert not guard.greeted

    guard.received(frame(SETTINGS), NOW)
    assert guard.greeted
