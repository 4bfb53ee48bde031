"""Tables of comparisons."""

from typing import Any

import pytest
from rich.console import Console

from proxy.cli.compare_results import Result
from proxy.cli.compare_table import remarks, show, table_of


def result(**fields: Any) -> Result:
    usual: dict[str, Any] = {
        "model": "a/b", "requests": 4, "errors": {}, "ttft_s": (0.02, 0.3), "rate_p50": 141.6,
        "total_p50": 1.01, "cost_usd": 0.0138, "valid": None, "served": {"s/fast:a/b": 2}, "retried": 0,
        "message": "",
    }  # fmt: skip
    return Result(**{**usual, **fields})


def printed(*results: Result) -> list[str]:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table_of(results))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_row_has_all_figures_of_a_model() -> None:
    row = printed(result(errors={"timeout": 1, "broken": 1}))[-1]

    assert [
        "a/b", "4", "2", "20", "ms", "300", "ms", "142", "1.01", "s", "$0.0138", "$6.90", "s/fast", "2"
    ] == row.split()  # fmt: skip


def test_a_model_without_an_answer_has_dashes() -> None:
    row = printed(result(errors={"x": 4}, ttft_s=(), rate_p50=None, total_p50=None, served={}))[-1]

    assert ["-", "-", "-", "-", "$0.0138", "-", "-"] == row.split()[3:]


def test_shapes_have_a_column_only_where_one_was_asked_for() -> None:
    assert "valid" not in printed(result())[0]
    head, _, first, second = printed(result(), result(valid=75.0))

    assert "valid" in head
    assert "75.0 %" in second
    assert "%" not in first


def test_of_many_places_the_busiest_are_named() -> None:
    served = {"a:m": 9, "b:m": 5, "c:m": 3, "d:m": 1, "e:m": 1}

    assert printed(result(served=served))[-1].endswith("a 9, b 5, c 3 and 2 more")


def test_why_requests_failed_and_what_is_missing_is_said_below() -> None:
    results = [
        result(errors={"timeout": 2, "broken": 1}, message="no end"),
        result(model="c", retried=3),
        result(model="d", errors={"x": 1}),
    ]

    assert [
        "a/b: timeout 2, broken 1; the first: no end",
        "c: 3 took more than one attempt",
        "d: x 1",
        "interrupted: 12 of 20 requests were made",
    ] == list(remarks(results, interrupted=True, asked=20))
    assert [] == list(remarks([result()], interrupted=False, asked=4))


def test_names_and_messages_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        [result(model="[red]m", errors={"x": 1}, message="[bold]no")], interrupted=False, asked=1
    )  # fmt: skip

    out = capsys.readouterr().out
    assert "[red]m " in out
    assert "[red]m: x 1; the first: [bold]no" in out
