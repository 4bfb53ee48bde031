"""A failed attempt is a value."""

from proxy.errors import UpstreamTimeoutError
from proxy.model.outcome import Failure
from tests.fakes.things import an_endpoint


def test_a_failure_has_no_hint_unless_the_provider_gave_one() -> None:
    failure = Failure(an_endpoint(), UpstreamTimeoutError("late"))

    assert (None, 0.0) == (failure.retry_after_s, failure.waited_s)
