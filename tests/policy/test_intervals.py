"""Intervals, against published values and against what they promise."""

import random
import statistics

import pytest

from proxy.policy.intervals import Interval, of_mean, of_share


@pytest.mark.parametrize(
    ("count", "samples", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_share_has_wilsons_interval(count: int, samples: int, low: float, high: float) -> None:
    found = of_share(count, samples)

    assert found is not None
    assert (low, high) == (round(found.low, 4), round(found.high, 4))


def test_a_share_of_all_ends_at_one_and_mirrors_a_share_of_none() -> None:
    every, none = of_share(20, 20), of_share(0, 20)

    assert every is not None
    assert none is not None
    assert (1.0, pytest.approx(1 - none.high)) == (every.high, every.low)


def test_without_samples_there_is_no_share() -> None:
    assert None is of_share(0, 0)


def test_a_mean_has_the_normal_interval() -> None:
    figures = [10.0, 12.0, 14.0, 11.0, 13.0]
    spread = 1.959964 * statistics.stdev(figures) / 5**0.5

    assert of_mean(sum(figures), sum(x * x for x in figures), 5) == Interval(
        pytest.approx(12 - spread), pytest.approx(12 + spread)
    )


@pytest.mark.parametrize("samples", [0, 1])
def test_one_figure_tells_nothing_of_its_spread(samples: int) -> None:
    assert None is of_mean(3.0 * samples, 9.0 * samples, samples)


def test_a_mean_is_never_below_zero_and_equal_figures_leave_no_doubt() -> None:
    rare = of_mean(100, 100 * 100, 10)
    equal = of_mean(0.3 + 0.3 + 0.3, 0.09 + 0.09 + 0.09, 3)

    assert rare is not None
    assert equal is not None
    assert 0.0 == rare.low
    assert (pytest.approx(0.3), pytest.approx(0.3)) == (equal.low, equal.high)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    source, shares, means, rounds = random.Random(5), 0, 0, 2_000
    for _ in range(rounds):
        wrong = sum(source.random() < 0.1 for _ in range(200))
        share = of_share(wrong, 200)
        figures = [source.expovariate(1 / 50) for _ in range(200)]
        mean = of_mean(sum(figures), sum(x * x for x in figures), 200)
        assert share is not None
        assert mean is not None
        shares += share.low <= 0.1 <= share.high
        means += mean.low <= 50 <= mean.high

    assert pytest.approx(0.95, abs=0.02) == shares / rounds
    assert pytest.approx(0.95, abs=0.02) == means / rounds
