"""Figures per model and rows per request."""

import csv
import io

import pytest

from proxy.cli.compare_results import COLUMNS, add_row, begin_rows, percentile, summarise
from proxy.cli.compare_running import Sample


def good(model: str = "a", ttft_s: float = 1.0, **more: object) -> Sample:
    return Sample(model, "p:1", 1, 200, ttft_s=ttft_s, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([1], 0.5, 1), ([1, 2], 0.5, 1), ([1, 2, 3], 0.5, 2), ([1, 2], 0.95, 2),
     (list(range(1, 101)), 0.95, 95), ([1, 2], 0, 1)],
)  # fmt: skip
def test_a_percentile_is_a_value_that_occurred(
    values: list[float], share: float, expected: float | None
) -> None:
    assert expected == percentile(values, share)


def test_failures_count_as_errors_and_in_no_other_figure_but_the_cost() -> None:
    samples = [
        good(ttft_s=0.3, total_s=2.0, completion_tokens=20, cost_usd=0.01, endpoint="x/f:a"),
        good(ttft_s=0.1, total_s=1.0, completion_tokens=40, cost_usd=0.03, endpoint="x/f:a",
             attempts=2),
        good(error="broken", message="why", ttft_s=9.0, total_s=9.0, cost_usd=0.02, endpoint="y:a"),
        Sample("a", "p:2", 1, 429, error="rate_limit_exceeded", message="later"),
    ]  # fmt: skip

    (result,) = summarise(["a"], samples)

    assert (4, 2) == (result.requests, result.succeeded)
    assert {"broken": 1, "rate_limit_exceeded": 1} == result.errors
    assert "why" == result.message
    assert (0.1, 0.3) == result.ttft_s
    assert (10.0, 1.0) == (result.rate_p50, result.total_p50)
    assert 0.06 == pytest.approx(result.cost_usd)
    assert 30 == pytest.approx(result.cost_per_thousand)
    assert ({"x/f:a": 2}, 1) == (result.served, result.retried)


def test_models_keep_their_order_even_where_nothing_came_of_them() -> None:
    first, second = summarise(["b", "a"], [good("a")])

    assert ("b", 0, None, None, None) == (
        first.model, first.requests, first.cost_per_thousand, first.rate_p50, first.valid
    )  # fmt: skip
    assert ("a", 1, {}, "") == (second.model, second.requests, second.errors, second.message)


def test_shapes_are_judged_among_those_that_were_asked_for_one() -> None:
    samples = [
        good(valid=True),
        good(valid=False),
        good(valid=True),
        good(valid=None),
        good(valid=True),
    ]

    (result,) = summarise(["a"], samples)

    assert 75.0 == result.valid


def test_a_row_is_written_at_once_and_can_be_read_back() -> None:
    file = io.StringIO()

    begin_rows(file)
    add_row(file, good(message='a "b", c', cost_usd=0.0000012, total_s=2, completion_tokens=5))
    add_row(file, Sample("b", "p:2", 2, valid=False))

    first, second = csv.DictReader(io.StringIO(file.getvalue()))
    assert list(COLUMNS) == list(first)
    assert ("1.000000", "2.000000", "2.500000", "0.000001200") == (
        first["ttft_s"], first["total_s"], first["tokens_per_s"], first["cost_usd"]
    )  # fmt: skip
    assert ('a "b", c', "") == (first["message"], first["valid"])
    assert ("", "false", "p:2", "2") == (
        second["ttft_s"], second["valid"], second["prompt"], second["turn"]
    )  # fmt: skip
