"""The error envelope of the API (reference: OpenRouter, section 2.11)."""

from typing import cast

from proxy.errors import HedgerowError
from proxy.model.document import Document, Json

MASKED = "Internal Server Error"
INTERNAL = 500


def error_object(error: HedgerowError) -> Document:
    """The `error` member: HTTP-like code, message, metadata with a stable `error_type`."""
    metadata: dict[str, Json] = {"error_type": error.error_type}
    if error.source == "gateway" and error.status == INTERNAL:
        return {"code": error.status, "message": MASKED, "metadata": metadata}
    metadata |= cast("Document", error.metadata)
    return {"code": error.status, "message": error.message, "metadata": metadata}


def error_document(error: HedgerowError) -> Document:
    """The whole body of an error reply."""
    return {"error": error_object(error)}
