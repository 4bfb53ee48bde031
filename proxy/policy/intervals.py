"""How far a figure of a sample may be from the truth: intervals that hold it 95 times out of 100.

Rule 1: no interval is given where the sample says nothing of its own spread.
Rule 2: they assume requests that know nothing of each other; those of one unit do, so where few units
send many requests, the truth is less certain than it looks here.
"""

import math

import msgspec

Z = 1.959964
"""Standard deviations around the mean that hold 95 % of a normal distribution."""
SAMPLES_MIN = 2


class Interval(msgspec.Struct, frozen=True):
    """From where to where, both included."""

    low: float
    high: float


def of_share(count: int, samples: int) -> Interval | None:
    """Of the probability behind `count` out of `samples`; None without any.

    Source: Wilson, "Probable inference", JASA 22, 1927. It stays within 0..1, and means something for
    `count` 0 as well, where the normal approximation claims certainty.
    """
    if samples == 0:
        return None
    share, square = count / samples, Z * Z
    centre = share + square / (2 * samples)
    spread = Z * math.sqrt((share * (1 - share) + square / (4 * samples)) / samples)
    scale = 1 + square / samples
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def of_mean(total: float, squares: float, samples: int) -> Interval | None:
    """Of the mean behind a sample of figures that are never negative; None with fewer than two.

    The normal approximation: with a few dozen samples of one size it is good, with rare and large ones
    among them it needs many more.

    Args:
        total: sum of the figures.
        squares: sum of their squares.
    """
    if samples < SAMPLES_MIN:
        return None
    mean = total / samples
    variance = max(0.0, (squares - total * total / samples) / (samples - 1))
    spread = Z * math.sqrt(variance / samples)
    return Interval(max(0.0, mean - spread), mean + spread)
