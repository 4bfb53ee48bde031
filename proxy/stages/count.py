"""How many tokens a request has: our own estimate, since no provider is asked.

Source of the number: `policy.pricing.BYTES_PER_TOKEN`; exact counts come with tokenizers.
"""

from collections.abc import Callable

import orjson

from proxy.dialects.registry import DIALECTS
from proxy.gateway import Gateway
from proxy.model.document import Document
from proxy.model.downstream import Downstream
from proxy.policy.pricing import BYTES_PER_TOKEN

JSON = b"content-type: application/json\r\n"


async def count_tokens(
    downstream: Downstream, gateway: Gateway, dialect: str, parse: Callable[[bytes], Document]
) -> None:
    """Answer with the estimate of a request that is checked like any other.

    Raises: PayloadTooLargeError, InvalidRequestError, UnknownModelError.
    """
    body = await downstream.body(gateway.settings.limits.body_bytes_max)
    document = parse(body)
    document.setdefault("max_tokens", 1)  # needed by a request for a reply, not by one for a count
    call = DIALECTS[dialect].decode_request(document, "messages", downstream.head.headers)
    for name in call.models:
        gateway.catalog.resolve(name)
    tokens = max(len(body) // BYTES_PER_TOKEN, 1)
    await downstream.reply(200, JSON, orjson.dumps({"input_tokens": tokens}))
