"""The heartbeat of live statistics: refreshed every 3 s, written to disk every minute and at the end.

Rule 1: a file that cannot be read or written costs its statistics and one warning, nothing else.
Rule 2: a file is replaced whole: written beside, then renamed.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import trio

from proxy.live.board import Board
from proxy.live.keeping import FILE_BYTES_MAX, UnusableBoardError, dump, restore
from proxy.units import Seconds

REFRESH_S = 3.0
"""Age of the figures that routing sees, at most; Finagle refreshes its percentiles as often."""
KEEP_S = 60.0
"""What a crash costs of the statistics, at most."""
FILE = "live.bin"

log = logging.getLogger(__name__)


class Pulse:
    """Keeps one board fresh, and on disk where there is a folder for that."""

    def __init__(
        self, board: Board, folder: str, clock: Callable[[], Seconds], unix: Callable[[], float]
    ) -> None:
        self._board = board
        self._file = Path(folder) / FILE if folder else None
        self._clock = clock
        self._unix = unix

    def load(self) -> None:
        """Take up what an earlier process kept."""
        if self._file is None or not self._file.exists():
            return
        try:
            if self._file.stat().st_size > FILE_BYTES_MAX:
                raise UnusableBoardError("it is too large")
            restore(self._board, self._file.read_bytes(), self._unix(), self._clock())
        except (OSError, UnusableBoardError) as error:
            log.warning("live statistics begin anew: %s: %s", FILE, error)

    async def run(self) -> None:
        """Refresh and keep until cancelled."""
        keep_at = self._clock() + KEEP_S
        while True:
            await trio.sleep(REFRESH_S)
            for _ in self._board.steps(self._clock()):
                await trio.lowlevel.checkpoint()  # one endpoint a turn: requests come between
            if self._clock() >= keep_at:
                data = dump(self._board, self._unix(), self._clock())
                await trio.to_thread.run_sync(self._write, data)
                keep_at = self._clock() + KEEP_S

    def keep(self) -> None:
        """Write once more, at the end."""
        if self._file is not None and len(self._board):
            self._write(dump(self._board, self._unix(), self._clock()))

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        beside = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(self._file)
        except OSError as error:
            log.warning("live statistics are not kept: %s", error.strerror)
