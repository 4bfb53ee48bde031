"""The sums of one arm."""

from typing import Any

import pytest

from proxy.live.arm import Arm, ArmResult
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Fault, Observation
from proxy.policy.intervals import of_mean, of_share
from proxy.units import NanoDollarsPerMillion, Seconds

FREE = NanoDollarsPerMillion(0)
ENDPOINT = Endpoint(Provider("p", "P", "d", "https://p.test"), "a/m", "m", Prices(FREE, FREE), 1)


def seen(fault: Fault = "none", **figures: Any) -> Observation:
    return Observation(ENDPOINT, Seconds(1.0), fault, **figures)


def test_an_arm_without_requests_claims_nothing() -> None:
    assert ArmResult("tone", "a/x") == Arm("tone", "a/x").result()


@pytest.mark.parametrize(
    ("observation", "left", "errors", "departures", "answers"),
    [
        (seen("none"), False, 0, 0, 1),
        (seen("none"), True, 0, 0, 1),
        (seen("client"), True, 0, 1, 1),
        (seen("endpoint"), False, 1, 0, 1),
        (seen("rate_limit"), False, 1, 0, 1),
        (seen("gateway"), False, 1, 0, 1),
        (None, False, 1, 0, 0),
        (None, True, 0, 1, 0),
    ],
)
def test_an_end_is_a_success_an_error_or_a_departure(
    observation: Observation | None, left: bool, errors: int, departures: int, answers: int
) -> None:
    arm = Arm("tone", "a/x")
    arm.finished(observation, left=left)
    found = arm.result()

    assert (1, errors, departures, answers) == (
        found.requests, found.errors, found.departures, found.answers,
    )  # fmt: skip
    assert of_share(errors, 1) == found.error_share


def test_money_and_tokens_add_up_and_the_mean_is_of_what_was_answered() -> None:
    arm = Arm("tone", "a/x")
    for cost in (10, 20, 60):
        arm.finished(
            seen(prompt_cost=cost, completion_cost=5, prompt_tokens=3, completion_tokens=7)
        )
    arm.finished(None)
    found = arm.result()

    assert (105, 9, 21) == (found.cost_nanodollars, found.prompt_tokens, found.completion_tokens)
    assert of_mean(105, 15**2 + 25**2 + 65**2, 3) == found.cost


def test_money_is_exact_beyond_what_a_float_holds() -> None:
    arm = Arm("tone", "a/x")
    for cost in (10**17 + 1, 1):
        arm.finished(seen(prompt_cost=cost))

    assert 10**17 + 2 == arm.result().cost_nanodollars


def test_times_are_told_as_percentiles_in_seconds() -> None:
    arm = Arm("tone", "a/x")
    for tenth in range(1, 101):
        arm.finished(seen(streamed=True, ttft_s=tenth / 100, total_s=tenth / 10))
    ttft, total = arm.ttft(), arm.result().total

    assert ttft is not None
    assert total is not None
    assert pytest.approx((0.5, 0.75, 0.9, 0.99), rel=0.01) == (
        ttft.p50, ttft.p75, ttft.p90, ttft.p99,
    )  # fmt: skip
    assert pytest.approx((5.0, 9.9), rel=0.01) == (total.p50, total.p99)
    assert ttft == arm.result().ttft


def test_a_time_that_nobody_knows_is_not_recorded() -> None:
    arm = Arm("tone", "a/x")
    arm.finished(seen("client", streamed=True, ttft_s=3.0, censored=True))
    arm.finished(seen())

    assert (None, None) == (arm.ttft(), arm.result().total)


@pytest.mark.parametrize(("seconds", "told"), [(0.0, 0.001), (-1.0, 0.001), (99_999.0, 1_000.0)])
def test_a_time_out_of_range_counts_as_the_bound(seconds: float, told: float) -> None:
    arm = Arm("tone", "a/x")
    arm.finished(seen(streamed=True, ttft_s=seconds))
    found = arm.ttft()

    assert found is not None
    assert pytest.approx(told, rel=0.01) == found.p50


def test_scores_have_a_mean_with_an_interval_and_may_be_revised() -> None:
    arm = Arm("tone", "a/x")
    arm.scored(0.2, None)
    arm.scored(1.0, None)
    arm.scored(0.6, 0.2)
    found = arm.result()

    assert (2, pytest.approx(1.6)) == (found.scores, found.score_sum)
    assert found.score is not None
    expected = of_mean(1.6, 1.36, 2)
    assert expected is not None
    assert (pytest.approx(expected.low), pytest.approx(expected.high)) == (
        found.score.low, found.score.high,
    )  # fmt: skip
