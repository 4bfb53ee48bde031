"""The overview on a terminal."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from proxy.cli.topview import view
from proxy.console.api.overview import (
    ArmLine,
    Credential,
    Hedging,
    Line,
    Overview,
    Requests,
    Resting,
    RetriesLeft,
    Warned,
)
from proxy.model.standing import Quantiles
from proxy.policy.intervals import Interval


def shown(**fields: Any) -> list[str]:
    console = Console(record=True, width=200, file=StringIO())
    console.print(view(Overview(**fields)))
    return [line.rstrip() for line in console.export_text().splitlines() if line.strip()]


def line(**fields: Any) -> Line:
    return Line(
        **{"id": "sandbox/fast:a/b", "model": "a/b", "provider": "S", "tag": "fast", **fields}
    )


def row(**fields: Any) -> str:
    return shown(uptime_s=3600.0, endpoints=(line(**fields),))[-1]


def test_the_process_is_told_in_one_line() -> None:
    first = shown(
        uptime_s=725.0,
        requests=Requests(1234, {"2xx": 1200, "5xx": 34}, 3, 9),
        retry_budget=RetriesLeft(117),
    )[0]

    assert (
        "up 12 min 5 s · 1,234 requests (1,200 2xx, 34 5xx) · 3 streams open · 117 retries left"
        == first
    )


def test_hedges_are_told_where_there_were_any() -> None:
    first = shown(hedging=Hedging(fired=20, won=12, cost_usd=0.0123, saved_s=61.0))[0]

    assert first.endswith("20 hedges, 12 won, $0.0123, 1 min 1 s saved")
    assert "hedges" not in shown()[0]


def test_without_traffic_that_is_said() -> None:
    assert "No endpoint has been asked yet." == shown()[-1]


def test_an_endpoint_is_a_row_of_figures() -> None:
    words = row(
        requests_5m=60,
        share_5m=0.75,
        ttft=Quantiles(0.021, 0.03, 0.05, 1.5),
        throughput=Quantiles(140.4, 1, 1, 1),
        success_5m=0.983,
        uptime_1d=99.99,
        ends={"client": 2, "none": 58, "endpoint": 1},
    )

    for figure in ("a/b", "sandbox/fast", "12.0", "██████   75 %", "21 ms", "1.50 s", "140", "98.3 %",
                   "99.9 %", "healthy", "58 ok, 1 failed, 2 left"):  # fmt: skip
        assert figure in words
    assert "sandbox/fast:a/b" not in words


def test_what_is_not_known_is_a_dash() -> None:
    assert 7 == row().split().count("-")


def test_the_rate_of_a_young_gateway_is_that_of_its_life() -> None:
    assert " 20.0 " in shown(uptime_s=30.0, endpoints=(line(requests_5m=10),))[-1]


@pytest.mark.parametrize(
    ("state", "rest", "expected"),
    [("resting", Resting("breaker", 27.9), "resting 27 s (breaker)"), ("probing", None, "probing"),
     ("troubled", None, "troubled")],
)  # fmt: skip
def test_a_rest_is_counted_down(state: str, rest: Resting | None, expected: str) -> None:
    assert f" {expected} " in row(state=state, rest=rest)


def test_a_model_is_named_once() -> None:
    lines = shown(
        uptime_s=60.0,
        endpoints=(line(), line(id="sandbox/slow:a/b", tag="slow"), line(id="x:c/d", model="c/d")),
    )

    assert [1, 0, 0] == [each.count("a/b") for each in lines[-3:]]
    assert "c/d" in lines[-1]


def test_keys_show_what_they_are_at_and_why_they_rest() -> None:
    *_, first, second = shown(
        credentials=(
            Credential("openai#1", 2, 30, 4000),
            Credential("openai#2", rest=Resting("credential", 130)),
        )
    )

    assert ["openai#1", "2", "30", "4,000", "usable"] == first.split()
    assert "openai#2" in second
    assert second.endswith("resting 2 min 10 s (credential)")


def test_arms_stand_beside_one_another_with_how_sure_their_figures_are() -> None:
    *_, first, second = shown(
        experiments=(
            ArmLine(
                "mini", "a:nitro", requests=200, errors=5, error_share=Interval(0.0107, 0.0572),
                answers=100, ttft=Quantiles(0.021, 1, 1, 0.3), cost_usd=0.05,
                usd_per_answer=Interval(0.0004, 0.0006), scores=12, score_mean=0.75,
                score=Interval(0.5, 1.0),
            ),
            ArmLine("mini", "b"),
        )
    )  # fmt: skip

    for words in ("mini ", " a:nitro ", " 200 ", " 2.5 % ", " 1.1 % to 5.7 % ", " 21 ms ", " 300 ms ",
                  " $0.000500 ", " $0.000400 to $0.000600 ", " 0.75 ", " 0.50 to 1.00 ", " 12"):  # fmt: skip
        assert words in first
    assert ["b", "0", *"--------", "0"] == second.split()


def test_the_newest_alerts_are_shown_and_the_rest_is_counted() -> None:
    lines = shown(alerts=tuple(Warned(float(n), "breaker", f"text {n}") for n in range(1, 8)))

    assert "1 s ago: text 1" == lines[-6]
    assert "5 s ago: text 5" == lines[-2]
    assert "and 2 more alerts before these" == lines[-1]


def test_foreign_words_are_neither_markup_nor_commands_to_the_terminal() -> None:
    words = shown(alerts=(Warned(1.0, "breaker", "[red]x[/red] \x1b[2J"),))[-1]

    assert words.endswith("[red]x[/red]  [2J")
