"""What a client is told, and what only the operator reads."""

from proxy.errors import ConfigError, GatewayError, NotFoundError, ShedError
from proxy.model.envelope import MASKED, error_document


def test_an_error_is_shown_with_code_message_and_type() -> None:
    error = NotFoundError("no such path", metadata={"path": "/x"})

    assert {
        "error": {
            "code": 404,
            "message": "no such path",
            "metadata": {"error_type": "not_found", "path": "/x"},
        }
    } == error_document(error)


def test_our_own_faults_are_masked() -> None:
    for error in (GatewayError("secret"), ConfigError("/etc/secret")):
        assert MASKED == error_document(error)["error"]["message"]  # type: ignore[index,call-overload]
    assert "busy" == error_document(ShedError("busy"))["error"]["message"]  # type: ignore[index,call-overload]
