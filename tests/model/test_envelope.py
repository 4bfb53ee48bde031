"""The error envelope: what a client is told, and what it is not."""

import pytest

from proxy.errors import ConfigError, GatewayError, HedgerowError, InvalidRequestError
from proxy.model.envelope import MASKED, error_document, error_object


def test_an_error_is_told_with_code_message_and_type() -> None:
    error = InvalidRequestError("Bad field.", metadata={"field": "model"})

    assert {
        "error": {
            "code": 400,
            "message": "Bad field.",
            "metadata": {"error_type": "invalid_request", "field": "model"},
        }
    } == error_document(error)


@pytest.mark.parametrize("kind", [GatewayError, ConfigError])
def test_our_own_faults_are_masked_message_and_metadata(kind: type[HedgerowError]) -> None:
    told = error_object(kind("secret path", metadata={"secret": 1}))

    assert {"code": 500, "message": MASKED, "metadata": {"error_type": "server"}} == told


def test_the_errors_own_metadata_stays_as_it_was() -> None:
    error = InvalidRequestError("x")
    error_object(error)

    assert {} == error.metadata
