"""GET /models and /models/count."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from proxy.console.api.models import read_page
from proxy.errors import InvalidRequestError

Console = Any
Ids = Callable[[httpx.Response], list[str]]
TEXT_MODELS = ["north/big", "north/small", "south/free:free"]


async def test_the_whole_list_without_pages(open_console: Console, ids: Ids) -> None:
    reply = await open_console.client.get("/api/v1/models")

    assert ids(reply) == TEXT_MODELS
    assert reply.json()["total_count"] == 3
    assert reply.json()["links"] == {"next": None}


async def test_models_need_no_key_where_keys_are_required(keyed_console: Console, ids: Ids) -> None:
    assert ids(await keyed_console.client.get("/api/v1/models")) == TEXT_MODELS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=PICTURES", ["north/big"]),
        ("q=nothing", []),
        ("context=64000", ["north/big", "south/free:free"]),
        ("min_price=0.15&max_price=1.99", ["north/small"]),
        ("max_price=0", ["south/free:free"]),
        ("supported_parameters=seed,reasoning", ["north/big"]),
        ("supported_parameters=seed,top_k", []),
        ("input_modalities=text,image", ["north/big"]),
        ("output_modalities=image", ["south/painter"]),
        ("output_modalities=all", [*TEXT_MODELS, "south/painter"]),
        ("output_modalities=text,image", [*TEXT_MODELS, "south/painter"]),
        ("model_authors=South", ["south/free:free"]),
        ("providers=bulk%20ai", ["north/big", "south/free:free"]),
        ("providers=acme", ["north/big", "north/small"]),
        ("sort=pricing-low-to-high", ["south/free:free", "north/small", "north/big"]),
        ("sort=pricing-high-to-low", ["north/big", "north/small", "south/free:free"]),
        ("sort=context-high-to-low", ["north/big", "south/free:free", "north/small"]),
        ("sort=newest", ["north/big", "south/free:free", "north/small"]),
        ("sort=top-weekly", TEXT_MODELS),
        ("unheard_of=1&sort=", TEXT_MODELS),
    ],
)
async def test_filters_and_orders(
    open_console: Console, ids: Ids, query: str, expected: list[str]
) -> None:
    assert expected == ids(await open_console.client.get(f"/api/v1/models?{query}"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("context=-1", "'context' must be a whole number"),
        ("context=99999999999", "'context' must be a whole number"),
        ("offset=x", "'offset' must be a whole number"),
        ("limit=0", "'limit' must be within 1..1000"),
        ("limit=1001", "'limit' must be within 1..1000"),
        ("min_price=NaN", "'min_price': 'NaN' is not a decimal number"),
        ("max_price=cheap", "'max_price': 'cheap' is not a decimal number"),
        ("sort=random", "'sort' must be one of: newest"),
    ],
)
async def test_unusable_values_are_refused(open_console: Console, query: str, said: str) -> None:
    reply = await open_console.client.get(f"/api/v1/models?{query}")

    assert reply.status_code == 400
    assert said in reply.json()["error"]["message"]
    assert reply.json()["error"]["metadata"]["error_type"] == "invalid_request"


async def test_pages_lead_to_each_other(open_console: Console, ids: Ids) -> None:
    following: str | None = "/api/v1/models?limit=2&sort=newest"
    pages = []
    while following is not None:
        reply = await open_console.client.get(following)
        pages.append(ids(reply))
        assert reply.json()["total_count"] == 3
        following = reply.json()["links"]["next"]

    assert pages == [["north/big", "south/free:free"], ["north/small"]]


async def test_a_page_beyond_the_end_is_empty(open_console: Console, ids: Ids) -> None:
    reply = await open_console.client.get("/api/v1/models?offset=100")

    assert ids(reply) == []
    assert reply.json()["links"] == {"next": None}


@pytest.mark.parametrize(("query", "expected"), [("", 3), ("?output_modalities=all", 4)])
async def test_the_count_follows_output_modalities(
    open_console: Console, query: str, expected: int
) -> None:
    reply = await open_console.client.get(f"/api/v1/models/count{query}")

    assert reply.json() == {"data": {"count": expected}}


def test_a_page_has_a_default_limit() -> None:
    assert read_page({"offset": "5"}, total=7) == (5, 500)
    assert read_page({}, total=7) == (0, 7)
    with pytest.raises(InvalidRequestError):
        read_page({"limit": "1_0"}, total=7)
