"""JSON replies of the console: documents in, Starlette responses out."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from proxy.errors import HedgerowError
from proxy.model.document import Document
from proxy.model.envelope import error_document

JSON = "application/json"


def json_reply(
    document: Document | Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Encode a document. `orjson.Fragment`s inside are passed on as they are."""
    return Response(orjson.dumps(document), status_code=status, headers=headers, media_type=JSON)


def error_reply(error: HedgerowError) -> Response:
    """The envelope of `error`, with its status and headers."""
    return json_reply(error_document(error), status=error.status, headers=dict(error.headers))
