"""Statistics are refreshed while the gateway runs, and survive its restart on disk."""

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from proxy.live.board import Board
from proxy.live.keeping import MAGIC
from proxy.live.pulse import FILE, KEEP_S, REFRESH_S, Pulse
from proxy.model.observation import Observation
from proxy.units import Seconds
from tests.fakes.things import an_endpoint

ENDPOINT = an_endpoint()


def a_pulse(board: Board, folder: Path | str) -> Pulse:
    return Pulse(board, str(folder), lambda: Seconds(trio.current_time()), lambda: 1_700_000_000)


def a_reply(ttft_s: float = 0.25) -> Observation:
    now = Seconds(trio.current_time())
    return Observation(ENDPOINT, now, streamed=True, ttft_s=ttft_s, total_s=1.0)


async def test_figures_appear_within_one_refresh(autojump_clock: MockClock) -> None:
    board = Board()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(a_pulse(board, "").run)
        await trio.sleep(0.1)
        board.record(a_reply())
        assert {} == dict(board.standings)
        await trio.sleep(REFRESH_S)
        ttft = board.standings[ENDPOINT.id].ttft
        nursery.cancel_scope.cancel()

    assert ttft is not None
    assert 0.25 == pytest.approx(ttft.p50, rel=0.01)


async def test_a_crash_costs_a_minute_at_most(tmp_path: Path, autojump_clock: MockClock) -> None:
    board = Board()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(a_pulse(board, tmp_path / "deep").run)
        board.record(a_reply())
        await trio.sleep(KEEP_S + 2 * REFRESH_S)
        nursery.cancel_scope.cancel()
    later = Board()
    a_pulse(later, tmp_path / "deep").load()

    assert board.standings[ENDPOINT.id] == later.standings[ENDPOINT.id]


async def test_what_was_measured_last_is_kept_at_the_end(tmp_path: Path) -> None:
    board, later = Board(), Board()
    board.record(a_reply())
    a_pulse(board, tmp_path).keep()
    a_pulse(later, tmp_path).load()

    assert ENDPOINT.id in later.standings
    assert [FILE] == [path.name for path in tmp_path.iterdir()]


async def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    board = Board()
    board.record(a_reply())
    pulse = a_pulse(board, "")
    pulse.load()
    pulse.keep()

    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"nonsense", MAGIC + b"cut"])
async def test_a_file_that_cannot_be_used_costs_its_statistics_and_a_warning(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(content)
    board = Board()
    with caplog.at_level(logging.WARNING):
        a_pulse(board, tmp_path).load()

    assert 0 == len(board)
    assert 1 == len(caplog.records)
    assert "begin anew" in caplog.text


async def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    board = Board()
    board.record(a_reply())
    a_pulse(board, tmp_path / "file").keep()

    assert "not kept" in caplog.text
