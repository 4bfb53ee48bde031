"""What a client is told when everything failed."""

import pytest

from proxy.errors import UpstreamRateLimitError, UpstreamUnavailableError
from proxy.model.outcome import Failure
from proxy.policy.verdict import conclude
from tests.fakes.things import an_endpoint


def test_the_last_failure_is_told_and_the_others_are_listed() -> None:
    first = Failure(an_endpoint("one"), UpstreamUnavailableError("down"))
    last = Failure(an_endpoint("two"), UpstreamUnavailableError("down too"))

    error = conclude((first, last))

    assert "down too" == error.message
    assert "Two" == error.metadata["provider_name"]
    assert [{"provider": "One", "code": "provider_unavailable", "status": 502}] == error.metadata[
        "previous_errors"
    ]


@pytest.mark.parametrize(
    ("hints", "header"),
    [((7.0, 3.2), "3"), ((0.0,), "1"), ((1e9,), "3600"), ((7.0, None), None)],
)
def test_a_wait_is_named_only_if_all_named_one(
    hints: tuple[float | None, ...], header: str | None
) -> None:
    failures = tuple(
        Failure(an_endpoint(), UpstreamRateLimitError("slow down"), hint) for hint in hints
    )

    error = conclude(failures)

    assert header == dict(error.headers).get("retry-after")
    assert "upstream_provider_shared_pool" == error.metadata["limit_source"]
