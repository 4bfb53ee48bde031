"""One request, by the route it asks for; the same behind every door.

Rule 1: whatever happens, the client gets an answer, if there is a client: a status, or, where the reply
has begun, its end. Rule 2: a bug is told to the log, and to the client as nothing but a 500.
"""

import logging

import orjson

from proxy.counting import count
from proxy.doors.bridge import AsgiApp, bridge
from proxy.doors.routes import ROUTES
from proxy.errors import ClientClosedError, GatewayError, HedgerowError
from proxy.exchange import exchange
from proxy.gateway import Gateway
from proxy.model.downstream import Downstream
from proxy.model.envelope import error_document

log = logging.getLogger("hedgerow.doors")

JSON = b"content-type: application/json\r\n"


async def answer(gateway: Gateway, app: AsgiApp, downstream: Downstream) -> None:
    """Serve the request whose head is read; `app` has what is not inference.

    Raises: ClientClosedError.
    """
    head = downstream.head
    route = ROUTES.get(head.path) if head.method == "POST" else None
    try:
        if route is None:
            await bridge(app, downstream, gateway)
        elif route[1] == "count_tokens":
            await count(gateway, downstream, route[0])
        else:
            await exchange(gateway, downstream, *route)
    except ClientClosedError:
        raise
    except HedgerowError as error:
        await refuse(error, downstream)
    except Exception:  # guard: the client sees a masked 500, the log the rest
        log.exception("a request failed")
        await refuse(GatewayError("unexpected"), downstream)


async def refuse(error: HedgerowError, downstream: Downstream) -> None:
    """Tell the client, unless a reply has begun. Raises: ClientClosedError."""
    if not downstream.started:
        await downstream.reply(error.status, JSON, orjson.dumps(error_document(error)))
