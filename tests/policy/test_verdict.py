"""What a client is told when every attempt failed."""

import pytest

from proxy.errors import (
    HedgerowError,
    InvalidRequestError,
    ShedError,
    UpstreamCredentialError,
    UpstreamOverloadedError,
    UpstreamRateLimitError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from proxy.model.outcome import Failure
from proxy.policy.verdict import conclude
from tests.fakes.things import an_endpoint


def failed(
    error: HedgerowError, retry_after_s: float | None = None, provider: str = "acme"
) -> Failure:
    return Failure(an_endpoint(provider), error, retry_after_s)


def test_the_last_failure_is_told_with_its_provider() -> None:
    error = UpstreamTimeoutError("late")

    assert error is conclude((failed(error),))
    assert {"provider_name": "Acme"} == error.metadata
    assert () == error.headers


def test_a_provider_already_named_stays() -> None:
    error = UpstreamTimeoutError("late", metadata={"provider_name": "Other"})

    assert "Other" == conclude((failed(error),)).metadata["provider_name"]


def test_who_failed_before_is_told_in_order_and_briefly() -> None:
    told = conclude(
        (
            failed(UpstreamTimeoutError("secret"), provider="one"),
            failed(UpstreamOverloadedError("x"), provider="two"),
            failed(UpstreamTimeoutError("late"), provider="three"),
        )
    )

    assert [
        {"provider": "One", "code": "timeout", "status": 504},
        {"provider": "Two", "code": "provider_overloaded", "status": 503},
    ] == told.metadata["previous_errors"]


@pytest.mark.parametrize(
    ("hints", "told"),
    [
        ((7.0,), "7"),
        ((7.6, 3.2), "3"),
        ((0.0,), "1"),
        ((1e9,), "3600"),
        ((None,), None),
        ((5.0, None), None),
        ((None, 5.0), None),
    ],
)
@pytest.mark.parametrize("kind", [UpstreamRateLimitError, UpstreamOverloadedError])
def test_the_shortest_hint_is_passed_on_if_everyone_gave_one(
    kind: type[HedgerowError], hints: tuple[float | None, ...], told: str | None
) -> None:
    error = conclude(tuple(failed(kind("x"), hint) for hint in hints))

    assert (() if told is None else (("retry-after", told),)) == error.headers


def test_a_hint_with_another_error_is_not_passed_on() -> None:
    assert () == conclude((failed(UpstreamTimeoutError("late"), 5.0),)).headers


def test_a_rate_limit_says_whose_it_is() -> None:
    error = conclude((failed(UpstreamRateLimitError("x")),))

    assert "upstream_provider_shared_pool" == error.metadata["limit_source"]
    assert "limit_source" not in conclude((failed(UpstreamTimeoutError("x")),)).metadata


def test_a_fault_of_ours_is_not_put_down_to_the_provider() -> None:
    assert "provider_name" not in conclude((failed(ShedError("full")),)).metadata


@pytest.mark.parametrize("kind", [UpstreamUnavailableError, UpstreamCredentialError])
def test_a_key_of_ours_that_may_not_do_this_is_no_403(kind: type[HedgerowError]) -> None:
    error = kind("no")
    error.status, error.error_type = 403, "permission_denied"

    assert (502, "permission_denied") == (conclude((failed(error),)).status, error.error_type)


def test_a_refusal_of_what_was_said_stays_a_403() -> None:
    error = UpstreamRefusedError("no")
    error.status, error.error_type = 403, "content_policy_violation"

    assert 403 == conclude((failed(error),)).status


def test_what_a_dialect_cannot_say_is_told_only_where_nobody_was_asked() -> None:
    late, unsayable = UpstreamTimeoutError("late"), InvalidRequestError("cannot be said")
    told = conclude((failed(late, provider="one"), failed(unsayable, provider="two")))

    assert late is told
    assert ["Two"] == [one["provider"] for one in told.metadata["previous_errors"]]  # type: ignore[attr-defined]
    assert unsayable is conclude((failed(unsayable),))


def test_a_client_is_told_that_the_retry_budget_ended_it() -> None:
    assert (
        "exhausted"
        == conclude((failed(UpstreamTimeoutError("late")),), denied=True).metadata["retry_budget"]
    )
    assert "retry_budget" not in conclude((failed(UpstreamTimeoutError("late")),)).metadata
