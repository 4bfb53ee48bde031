"""Figures as tables show them."""

import pytest

from proxy.cli.figures import bar, duration, number, percent, plain, span, usd


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0.0, "0 ms"),
        (0.0214, "21 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (1.239, "1.24 s"),
        (75.2, "75 s"),
    ],
)
def test_a_wait_is_told_in_the_unit_that_suits_it(seconds: float | None, expected: str) -> None:
    assert expected == duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.4, "0 s"),
        (45, "45 s"),
        (725, "12 min 5 s"),
        (12_000, "3 h 20 min"),
        (187_265, "2 d 4 h"),
        (86_400, "1 d"),
    ],
)
def test_a_long_time_is_told_in_two_units(seconds: float, expected: str) -> None:
    assert expected == span(seconds)


def test_what_is_not_known_is_a_dash_and_no_zero() -> None:
    assert ["-"] * 4 == [duration(None), number(None), percent(None), usd(None)]
    assert ["0", "0.0 %", "$0.00"] == [number(0), percent(0), usd(0)]


def test_numbers_have_the_digits_that_were_asked_for() -> None:
    assert ["1,234", "1.5"] == [number(1234.4), number(1.46, digits=1)]


@pytest.mark.parametrize(
    ("value", "expected"), [(100.0, "100 %"), (99.99, "99.9 %"), (50.04, "50.0 %")]
)
def test_only_what_is_whole_is_called_100_percent(value: float, expected: str) -> None:
    assert expected == percent(value)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (1234.5, "$1,234.50"),
        (0.1, "$0.10"),
        (0.0123, "$0.0123"),
        (0.001, "$0.0010"),
        (0.00012, "$0.000120"),
        (0.00000345, "$0.00000345"),
    ],
)
def test_small_amounts_keep_the_digits_that_count(amount: float, expected: str) -> None:
    assert expected == usd(amount)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(None, "    "), (0, "    "), (0.5, "██  "), (1, "████"), (7, "████"), (-1, "    "),
     (1 / 32, "▏   "), (0.9999, "████")],
)  # fmt: skip
def test_a_bar_fills_its_cells_in_proportion(share: float | None, expected: str) -> None:
    assert expected == bar(share, 4)


def test_foreign_words_cannot_steer_the_terminal() -> None:
    assert " [31mred end" == plain("\x1b[31mred\nend")
    assert "abc…" == plain("abcdef", 3)
    assert "abc" == plain("abc", 3)
