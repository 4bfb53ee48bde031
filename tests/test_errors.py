"""The tree of errors: each leaf says whose fault it is, whether to retry, and what the client sees."""

import pytest

import proxy.errors
from proxy.errors import (
    DownstreamError,
    HedgerowError,
    InvalidRequestError,
    ShedError,
    StaleConnectionError,
    UpstreamCredentialError,
    UpstreamError,
    UpstreamRefusedError,
)

ERROR_TYPES = {
    "invalid_request", "authentication", "payment_required", "permission_denied", "not_found",
    "timeout", "payload_too_large", "provider_unavailable", "rate_limit_exceeded",
    "provider_overloaded", "server",
}  # fmt: skip
EVERY = [
    kind
    for kind in vars(proxy.errors).values()
    if isinstance(kind, type) and issubclass(kind, HedgerowError)
]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_has_a_source_a_retry_a_status_and_a_stable_type(
    kind: type[HedgerowError],
) -> None:
    error = kind("why")

    assert error.source in {"downstream", "upstream", "gateway"}
    assert error.retry in {"never", "same", "other"}
    assert 400 <= error.status <= 599
    assert error.error_type in ERROR_TYPES
    assert ("why", {}, ()) == (error.message, error.metadata, error.headers)
    assert "why" == str(error)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_fault_of_the_client_is_a_4xx_and_never_retried(kind: type[HedgerowError]) -> None:
    error = kind("")

    assert (error.source == "downstream") == isinstance(error, DownstreamError)
    assert error.source != "downstream" or (error.status < 500 and error.retry == "never")


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_only_what_another_endpoint_may_do_better_is_retried(kind: type[HedgerowError]) -> None:
    assert kind.retry == "never" or issubclass(kind, UpstreamError | ShedError)


def test_a_refused_key_of_ours_is_not_shown_as_the_clients() -> None:
    assert (502, "other") == (UpstreamCredentialError("").status, UpstreamCredentialError.retry)


def test_a_stale_connection_is_tried_again_and_a_refusal_never() -> None:
    assert ("same", "never") == (StaleConnectionError.retry, UpstreamRefusedError.retry)


def test_metadata_is_a_copy_and_headers_are_kept() -> None:
    given = {"field": "model"}
    error = InvalidRequestError("", metadata=given, headers=(("retry-after", "1"),))
    error.metadata["more"] = 1

    assert {"field": "model"} == given
    assert (("retry-after", "1"),) == error.headers
