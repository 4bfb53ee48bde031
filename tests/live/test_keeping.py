"""Statistics survive a restart."""

import random
import zlib

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from proxy.live import keeping
from proxy.live.board import REFRESH_S, Board
from proxy.live.keeping import (
    CHECKSUM_BYTES,
    FILE_BYTES_MAX,
    MAGIC,
    Kept,
    KeptVitals,
    UnusableBoardError,
    dump,
    restore,
)
from proxy.live.uptime import MINUTES
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Observation
from proxy.model.standing import Standing
from proxy.units import NanoDollarsPerMillion, Seconds

FREE = NanoDollarsPerMillion(0)
UNIX = 1_800_000_000.0


def endpoint(model: int = 0) -> Endpoint:
    return Endpoint(
        Provider("acme", "Acme", "d", "https://acme.test"), f"a/{model}", "b", Prices(FREE, FREE), 1
    )


ONE = endpoint()


def busy(seconds: float, *, begin: float = 1000.0) -> tuple[Board, Seconds]:
    """A board with two attempts a second, and the time."""
    board, draw, now = Board(), random.Random(3), begin
    while now < begin + seconds:
        for _ in range(6):
            board.record(
                Observation(
                    ONE,
                    Seconds(now),
                    "endpoint" if draw.random() < 0.1 else "none",
                    streamed=True,
                    ttft_s=draw.lognormvariate(-1, 1),
                    total_s=draw.lognormvariate(1, 1),
                    prompt_tokens=100,
                    completion_tokens=50,
                    prompt_cost=1000,
                    completion_cost=3000,
                )
            )
        now += REFRESH_S
        board.refresh(Seconds(now))
    return board, Seconds(now)


def again(data: bytes, pause: float, now: float = 5.0) -> Board:
    board = Board()
    restore(board, data, UNIX + pause, Seconds(now))
    return board


@pytest.mark.parametrize("seconds", [3, 150, 1000])
def test_a_restart_leaves_every_percentile_and_price_as_it_was(seconds: float) -> None:
    board, now = busy(seconds)

    found = again(dump(board, UNIX, now), 0)

    assert board.standings[ONE.id] == found.standings[ONE.id] == found.standings["acme"]
    before, after = board.report(ONE.id, now), found.report(ONE.id, Seconds(5))
    assert before is not None
    assert after is not None
    assert before.half_hour == after.half_hour
    assert before.recent_ends == after.recent_ends
    assert {0} == set(after.ends.values())
    assert before.uptime_1d == after.uptime_1d


def test_a_pause_ages_the_window() -> None:
    board, now = busy(150)

    left = [again(dump(board, UNIX, now), pause).standings[ONE.id].samples
            for pause in (0, 150, 200, 250, 299)]  # fmt: skip

    assert 300 == left[0]
    assert left == sorted(left, reverse=True)
    assert 0 < left[3] < left[2] < left[0]


def test_after_five_minutes_nothing_of_five_minutes_is_left() -> None:
    board, now = busy(150)

    found = again(dump(board, UNIX, now), 300)

    standing = found.standings[ONE.id]
    assert (None, None, None, 0) == (
        standing.ttft,
        standing.throughput,
        standing.total,
        standing.samples,
    )
    report = found.report(ONE.id, Seconds(5))
    assert report is not None
    assert 300 == report.half_hour.samples
    assert {0} == set(report.recent_ends.values())
    assert 1e7 == standing.prompt_price


def test_after_thirty_minutes_only_minutes_are_left() -> None:
    board, now = busy(600)

    found = again(dump(board, UNIX, now), 1800)

    assert {} == found.standings
    assert found.vitals[ONE.id].figures is None
    report = found.report(ONE.id, Seconds(5))
    assert report is not None
    assert (Standing(), None) == (report.half_hour, report.uptime_30m)
    assert 100 == report.uptime_1d


def test_after_a_day_nothing_is_left() -> None:
    board, now = busy(60)

    assert [] == list(again(dump(board, UNIX, now), 86_400 + 60))


def test_a_window_that_came_back_moves_on() -> None:
    board, now = busy(150)
    found = again(dump(board, UNIX, now), 0)

    for turn in range(1, 106):
        found.refresh(Seconds(5 + turn * REFRESH_S))

    assert 0 == found.standings[ONE.id].samples


def test_a_clock_that_was_set_back_counts_as_no_pause() -> None:
    board, now = busy(150)

    found = again(dump(board, UNIX, now), -1000)

    assert board.standings[ONE.id] == found.standings[ONE.id]
    for turn in range(1, 106):
        found.refresh(Seconds(5 + turn * REFRESH_S))
    assert 0 == found.standings[ONE.id].samples


def test_keeping_changes_nothing() -> None:
    board, now = busy(150)

    assert dump(board, UNIX, now) == dump(board, UNIX, now)


def sealed(body: bytes) -> bytes:
    return MAGIC + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") + body


def bodied(**fields: object) -> bytes:
    one = {"endpoint_id": "a", "provider": "b", "last_at": 0.0, "uptime": bytes(MINUTES),
           "ends": [], "figures": None} | fields  # fmt: skip
    part = msgspec.Raw(msgspec.msgpack.encode(KeptVitals(**one)))  # type: ignore[arg-type]
    return sealed(msgspec.msgpack.encode(Kept(UNIX, Seconds(0), [part])))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "another format"),
        (MAGIC.replace(b"1", b"2"), "another format"),
        (MAGIC, "checksum"),
        (sealed(b""), "damaged"),
        (sealed(msgspec.msgpack.encode([UNIX, 0.0, ["no endpoint"]])), "damaged"),
        (bodied(uptime=b"\x01"), "minutes"),
        (bodied(ends=[[0, 1]]), "damaged"),
        (bodied(ends=[[0, 2**63, 0, 0, 0, 0, 0, 0]]), "damaged"),
        (bodied(figures=[[[0.0, 1, b"?"]], [], [], []]), "damaged"),
        (bytes(FILE_BYTES_MAX + 1), "larger than"),
    ],
    ids=["empty", "version", "no checksum", "no body", "no endpoint", "a short day", "a short row",
         "a large number", "no counts", "size"],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_and_harms_nothing(data: bytes, said: str) -> None:
    board = Board()

    with pytest.raises(UnusableBoardError, match=said):
        restore(board, data, UNIX, Seconds(5))

    assert [] == list(board)


def kept_minute() -> bytes:
    board, now = busy(60)
    return dump(board, UNIX, now)


KEPT = kept_minute()


@given(st.integers(0, len(KEPT) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_one_changed_byte_is_noticed(place: int, change: int) -> None:
    damaged = bytearray(KEPT)
    damaged[place] ^= change

    with pytest.raises(UnusableBoardError):
        restore(Board(), bytes(damaged), UNIX, Seconds(5))


@given(st.integers(0, len(KEPT) - 1))
@settings(deadline=None)
def test_a_cut_off_file_is_noticed(length: int) -> None:
    with pytest.raises(UnusableBoardError):
        restore(Board(), KEPT[:length], UNIX, Seconds(5))


def test_of_too_much_those_that_were_busy_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    for number in range(10):
        board.record(Observation(endpoint(number), Seconds(number), streamed=True, ttft_s=1.0))
    monkeypatch.setattr(keeping, "FILE_BYTES_MAX", 6_500)

    data = dump(board, UNIX, Seconds(10))

    assert len(data) <= 6_500
    assert [endpoint(n).id for n in (9, 8, 7)] == list(again(data, 0))
