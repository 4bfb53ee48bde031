"""What a run must keep, as data, and whether it did.

Rule 1: a threshold of which nothing was measured is broken, unless it may be missing. Rule 2: one line each, kept or
broken, so that a log says what was looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.figures import Figures

UNITS = {"failures": "%", "throughput": "%", "client.cpu": "%", "retried": "requests", "rate": "/s"}
"""All others are milliseconds."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound of one figure."""

    figure: str
    """As `Figures.find` knows it."""
    limit: float
    at_least: bool = False
    """The limit is the lowest allowed, not the highest."""
    needs_stamps: bool = False
    """Can only be measured with providers of ours; with others it may be missing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A threshold, and what was found."""

    threshold: Threshold
    found: float | None
    holds: bool

    def line(self) -> str:
        """For instance `kept    overhead.p99 3.1 ms (at most 25 ms)`."""
        bound = "at least" if self.threshold.at_least else "at most"
        figure = self.threshold.figure
        word = "kept  " if self.holds else "BROKEN"
        if self.found is None:
            word = "absent" if self.holds else word
            found = "not measured"
        else:
            found = said(figure, self.found)
        return f"{word}  {figure} {found} ({bound} {said(figure, self.threshold.limit)})"


def judge(
    thresholds: Sequence[Threshold], figures: Figures, *, stamped: bool = True
) -> list[Verdict]:
    """Compare each threshold with what was measured.

    Args:
        stamped: the providers are ours.
    """
    return [_judge(one, figures.find(one.figure), stamped=stamped) for one in thresholds]


def _judge(threshold: Threshold, found: float | None, *, stamped: bool) -> Verdict:
    if found is None:
        return Verdict(threshold, None, threshold.needs_stamps and not stamped)
    holds = found >= threshold.limit if threshold.at_least else found <= threshold.limit
    return Verdict(threshold, found, holds)


def said(figure: str, value: float) -> str:
    """A figure with its unit, to three digits."""
    unit = UNITS.get(figure, "ms")
    if unit == "%":
        return f"{value if figure == 'client.cpu' else value * 100:.3g} %"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
