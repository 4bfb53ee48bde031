"""GET /models and /models/count: what can be asked for, filtered, sorted, in pages. Public.

Unknown query parameters are ignored; unusable values of known ones are refused. Without `offset` and
`limit` the whole list is sent, as tools expect that cache it by id.
Source: the public OpenRouter API, GET /models, as of 2026-08.
"""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.console.api.presentation import API_PREFIX
from proxy.console.api.replies import json_reply
from proxy.console.api.shelf import DEFAULT_OUTPUTS, ORDERS, Entry, Filters, select, shelve
from proxy.errors import InvalidRequestError
from proxy.gateway import Gateway
from proxy.units import NanoDollarsPerMillion, price_from_usd

Query = Mapping[str, str]
Shelf = tuple[Entry, ...]

PAGE_DEFAULT = 500
PAGE_MAX = 1000
NUMBER_MAX = 1_000_000_000
"""Largest count that a query may name: of models, or of tokens."""
ALL = "all"


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Routes under the API prefix. The catalogue is arranged here, once."""
    shelf = shelve(gateway.catalog.models.values())
    return [
        Route("/models", partial(list_models, shelf)),
        Route("/models/count", partial(count_models, shelf)),
    ]


async def list_models(shelf: Shelf, request: Request) -> Response:
    """The models that match, and where the next page is."""
    query = request.query_params
    found = select(shelf, read_filters(query), _choice(query, "sort"))
    offset, limit = read_page(query, total=len(found))
    page = found[offset : offset + limit]
    following = next_page(query, offset + limit, limit) if offset + limit < len(found) else None
    return json_reply(
        {
            "data": [orjson.Fragment(entry.encoded) for entry in page],
            "total_count": len(found),
            "links": {"next": following},
        }
    )


async def count_models(shelf: Shelf, request: Request) -> Response:
    """How many models there are with these output modalities."""
    filters = Filters(outputs=_outputs(request.query_params))
    return json_reply({"data": {"count": len(select(shelf, filters))}})


def read_filters(query: Query) -> Filters:
    """The filters of a query. Raises: InvalidRequestError."""
    return Filters(
        text=query.get("q", "").strip().lower(),
        context_length_min=_number(query, "context", default=0),
        price_min=_price(query, "min_price"),
        price_max=_price(query, "max_price"),
        parameters=_words(query, "supported_parameters"),
        inputs=_words(query, "input_modalities"),
        outputs=_outputs(query),
        authors=_words(query, "model_authors"),
        providers=_words(query, "providers"),
    )


def read_page(query: Query, *, total: int) -> tuple[int, int]:
    """Offset and limit; everything where neither was asked for. Raises: InvalidRequestError."""
    if "offset" not in query and "limit" not in query:
        return 0, total
    limit = _number(query, "limit", default=PAGE_DEFAULT)
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidRequestError(f"'limit' must be within 1..{PAGE_MAX}")
    return _number(query, "offset", default=0), limit


def next_page(query: Query, offset: int, limit: int) -> str:
    """The address of the following page: the same query, further on."""
    kept = {key: value for key, value in query.items() if key not in {"offset", "limit"}}
    return f"{API_PREFIX}/models?{urlencode({**kept, 'offset': offset, 'limit': limit})}"


def _number(query: Query, name: str, *, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(NUMBER_MAX)):
        raise InvalidRequestError(f"'{name}' must be a whole number within 0..{NUMBER_MAX}")
    return int(text)


def _price(query: Query, name: str) -> NanoDollarsPerMillion | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return price_from_usd(text)
    except ValueError as error:
        raise InvalidRequestError(f"'{name}': {error}") from None


def _choice(query: Query, name: str) -> str:
    value = query.get(name, "")
    if value and value not in ORDERS:
        raise InvalidRequestError(f"'{name}' must be one of: {', '.join(ORDERS)}")
    return value


def _outputs(query: Query) -> frozenset[str]:
    words = _words(query, "output_modalities")
    return frozenset() if ALL in words else words or DEFAULT_OUTPUTS


def _words(query: Query, name: str) -> frozenset[str]:
    return frozenset(filter(None, (w.strip().lower() for w in query.get(name, "").split(","))))
