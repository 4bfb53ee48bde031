"""The error envelope of the API (reference: OpenRouter, section 2.11)."""

from typing import cast

from proxy.errors import ConfigError, GatewayError, HedgerowError
from proxy.model.document import Document, Json

MASKED = "Internal Server Error"
MASKED_KINDS = (GatewayError, ConfigError)
"""What an operator should read, and a client should not."""


def error_object(error: HedgerowError) -> Document:
    """The `error` member: HTTP-like code, message, metadata with a stable `error_type`."""
    metadata: dict[str, Json] = {"error_type": error.error_type}
    if isinstance(error, MASKED_KINDS):
        return {"code": error.status, "message": MASKED, "metadata": metadata}
    metadata |= cast("Document", error.metadata)
    return {"code": error.status, "message": error.message, "metadata": metadata}


def error_document(error: HedgerowError) -> Document:
    """The whole body of an error reply, with how it was routed where the client asked for that."""
    if error.routing is None or isinstance(error, MASKED_KINDS):
        return {"error": error_object(error)}
    return {"error": error_object(error), "openrouter_metadata": cast("Document", error.routing)}
