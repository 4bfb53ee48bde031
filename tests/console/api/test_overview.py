"""What GET /live shows of endpoints and keys."""

from typing import Any

import pytest

from proxy.console.api.overview import (
    ArmLine,
    Line,
    Resting,
    arm,
    credential,
    line,
    shared,
    standing_of,
    success,
)
from proxy.live.arm import ArmResult
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.standing import Quantiles, Report, Rest, Snapshot, Standing
from proxy.net.key import KeyReport
from proxy.policy.intervals import Interval
from proxy.units import NanoDollarsPerMillion, Seconds

NOW = Seconds(100.0)
FREE = NanoDollarsPerMillion(0)
ACME = Provider(id="acme", name="Acme", dialect="d", base_url="https://acme.test")
FAST = Endpoint(ACME, "a/b", "b", Prices(FREE, FREE), 1000, tag="fast")


def snapshot(**fields: Any) -> Snapshot:
    return Snapshot(**fields)


def rest(until: float, reason: Any = "breaker") -> Rest:
    return Rest(Seconds(until), reason)


def test_an_endpoint_without_figures_has_none() -> None:
    bare = line(FAST, None, Snapshot(), NOW)

    assert Line("acme/fast:a/b", "a/b", "Acme", "fast") == bare
    assert (None, None, None) == (bare.ttft, bare.success_5m, bare.prompt_usd_per_million)


def test_figures_are_those_of_the_report() -> None:
    waits, rates, totals = (Quantiles(n, n, n, n) for n in (1.0, 2.0, 3.0))
    report = Report(
        recent=Standing(waits, rates, totals, prompt_price=2_500_000_000.0, completion_price=0.0),
        half_hour=Standing(),
        ends={"none": 100, "client": 7},
        recent_ends={"none": 6, "endpoint": 2, "client": 4},
        uptime_5m=99.0,
        uptime_30m=98.0,
        uptime_1d=97.0,
    )

    found = line(FAST, report, Snapshot(), NOW)

    assert (waits, rates, totals) == (found.ttft, found.throughput, found.total)
    assert (12, 0.75) == (found.requests_5m, found.success_5m)
    assert (99.0, 98.0, 97.0) == (found.uptime_5m, found.uptime_30m, found.uptime_1d)
    assert {"none": 100, "client": 7} == found.ends
    assert (2.5, 0.0) == (found.prompt_usd_per_million, found.completion_usd_per_million)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, ("healthy", None)),
        ({"troubled": {FAST.id: 101.0}}, ("troubled", None)),
        ({"troubled": {FAST.id: 100.0}}, ("healthy", None)),
        ({"resting": {FAST.id: rest(130)}}, ("resting", Resting("breaker", 30.0))),
        ({"resting": {FAST.id: rest(100)}}, ("probing", None)),
        ({"resting": {FAST.id: rest(100, "rate_limit")}}, ("healthy", None)),
        ({"resting": {FAST.id: rest(99, "rate_limit")}, "troubled": {FAST.id: 120.0}},
         ("troubled", None)),
        ({"resting": {"acme": rest(110, "credential")}}, ("resting", Resting("credential", 10.0))),
        ({"resting": {FAST.id: rest(99), "acme": rest(110, "credential")}},
         ("resting", Resting("credential", 10.0))),
        ({"resting": {FAST.id: rest(105), "acme": rest(110, "credential")}},
         ("resting", Resting("credential", 10.0))),
        ({"resting": {FAST.id: rest(130), "other": rest(110)}}, ("resting", Resting("breaker", 30))),
    ],
)  # fmt: skip
def test_how_an_endpoint_stands(known: Any, expected: Any) -> None:
    assert expected == standing_of(FAST, snapshot(**known), NOW)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({}, None),
        ({"client": 3, "request": 1, "gateway": 2}, None),
        ({"none": 3, "client": 9}, 1.0),
        ({"none": 1, "endpoint": 1, "rate_limit": 1, "credential": 1}, 0.25),
    ],
)
def test_success_is_a_share_of_the_ends_that_say_something(
    ends: dict[str, int], expected: float | None
) -> None:
    assert expected == success(ends)


def test_traffic_is_shared_within_each_model_and_the_busiest_comes_first() -> None:
    lines = [
        Line("x:c/d", "c/d", "X", "", requests_5m=7),
        Line("slow:a/b", "a/b", "S", "", requests_5m=1),
        Line("fast:a/b", "a/b", "F", "", requests_5m=3),
        Line("idle:e/f", "e/f", "I", ""),
    ]

    assert [("fast:a/b", 0.75), ("slow:a/b", 0.25), ("x:c/d", 1.0), ("idle:e/f", None)] == [
        (one.id, one.share_5m) for one in shared(lines)
    ]


def test_an_arm_is_told_in_dollars_with_its_intervals() -> None:
    waits = Quantiles(0.1, 0.2, 0.3, 0.4)
    told = arm(
        ArmResult(
            "mini", "a", requests=9, errors=2, error_share=Interval(0.1, 0.5), departures=1, answers=8,
            cost_nanodollars=4_000_000, cost=Interval(400_000.0, 600_000.0), prompt_tokens=3,
            completion_tokens=4, ttft=waits, total=waits, scores=4, score_sum=3.0,
            score=Interval(0.5, 0.9), categories={"slow": 1},
        )
    )  # fmt: skip

    assert (
        ArmLine(
            "mini", "a", requests=9, errors=2, error_share=Interval(0.1, 0.5), departures=1, answers=8,
            cost_usd=0.004, usd_per_answer=Interval(0.0004, 0.0006), prompt_tokens=3,
            completion_tokens=4, ttft=waits, total=waits, scores=4, score_mean=0.75,
            score=Interval(0.5, 0.9), categories={"slow": 1},
        )
        == told
    )  # fmt: skip
    assert ArmLine("mini", "b") == arm(ArmResult("mini", "b"))


def test_a_key_rests_as_long_as_it_does() -> None:
    at_work = credential(KeyReport("acme#1", 2, 30, 400, None, None), NOW)
    resting = credential(KeyReport("acme#2", None, None, None, "credential", Seconds(160.0)), NOW)
    over = credential(KeyReport("acme#3", 0, 0, 0, "rate_limit", Seconds(100.0)), NOW)

    assert (2, 30, 400, None) == (
        at_work.in_progress, at_work.requests_60s, at_work.tokens_60s, at_work.rest
    )  # fmt: skip
    assert (None, Resting("credential", 60.0)) == (resting.in_progress, resting.rest)
    assert over.rest is None
