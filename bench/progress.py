"""How far a run is, and roughly how long it will take: a status on a terminal, a line per lane in a pipe."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class Progress:
    """Knows what was planned, so that what is left can be told from how fast it went so far."""

    def __init__(self, console: Console, planned_s: float) -> None:
        """Args: planned_s: what all lanes are thought to take."""
        self._console, self._planned_s = console, planned_s
        self._began, self._done_s = time.monotonic(), 0.0
        self._status: Status | None = None
        self._words = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while the run goes on."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status("starting") as self._status:
            yield

    def say(self, words: str) -> None:
        """A line that stays: an installation, a warning."""
        self._console.print(words, highlight=False, soft_wrap=True)

    def lane(self, words: str) -> None:
        """A lane begins."""
        self._words = f"{words}, {self._left()}"
        if self._status is None:
            self.say(self._words)
        else:
            self._status.update(self._words)

    def target(self, title: str) -> None:
        """One of its targets begins; told only where a line can be replaced."""
        if self._status is not None:
            self._status.update(f"{self._words}: {title}")

    def done(self, planned_s: float) -> None:
        """What was thought to take so long is over."""
        self._done_s += planned_s

    @property
    def took_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def _left(self) -> str:
        pace = (
            self.took_s / self._done_s if self._done_s > 20 else 1.0
        )  # early on the plan knows better
        left = max(0.0, (self._planned_s - self._done_s) * pace)
        return f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"
