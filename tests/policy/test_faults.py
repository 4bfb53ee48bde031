"""Whose fault a failure is."""

import pytest

from proxy.errors import (
    GatewayError,
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
from proxy.model.observation import Fault
from proxy.policy.faults import fault_of


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (UpstreamUnavailableError, "endpoint"),
        (UpstreamTimeoutError, "endpoint"),
        (UpstreamOverloadedError, "endpoint"),
        (UpstreamRateLimitError, "rate_limit"),
        (UpstreamCredentialError, "credential"),
        (UpstreamRefusedError, "request"),
        (InvalidRequestError, "request"),
        (ShedError, "gateway"),
        (GatewayError, "gateway"),
    ],
)
def test_every_error_is_somebodys_fault(kind: type[HedgerowError], fault: Fault) -> None:
    assert fault == fault_of(kind("why"))


@pytest.mark.parametrize(
    ("kind", "error_type", "fault"),
    [
        (UpstreamUnavailableError, "permission_denied", "endpoint"),
        (UpstreamUnavailableError, "not_found", "endpoint"),
        (UpstreamRefusedError, "content_policy_violation", "request"),
    ],
)
def test_a_403_is_the_endpoints_unless_it_is_about_what_was_said(
    kind: type[HedgerowError], error_type: str, fault: Fault
) -> None:
    error = kind("why")
    error.status, error.error_type = 403, error_type

    assert fault == fault_of(error)
