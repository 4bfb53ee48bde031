"""A small catalogue, a gateway over it, and a client that asks the console in memory."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from proxy.catalog.catalog import Catalog
from proxy.console.app import build_app
from proxy.gateway import Gateway
from proxy.live.board import Board
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.model.standing import NOTHING_KNOWN
from proxy.observe.statistics import Statistics
from proxy.units import price_from_usd

KEY = "sk-hr-v1-0123456789abcdef0123456789abcdef"

ACME = Provider(
    id="acme",
    name="Acme",
    dialect="openai_chat",
    base_url="https://acme.test/v1",
    headquarters="DE",
)
BULK = Provider(id="bulk", name="Bulk AI", dialect="openai_chat", base_url="https://bulk.test/v1")


def endpoint(
    provider: Provider, model: str, prompt: str, completion: str, **more: object
) -> Endpoint:
    """An endpoint with prices in USD per million."""
    prices = Prices(
        prompt=price_from_usd(prompt),
        completion=price_from_usd(completion),
        cache_read=more.pop("cache_read", None),  # type: ignore[arg-type]
        cache_write=more.pop("cache_write", None),  # type: ignore[arg-type]
    )
    return Endpoint(
        provider=provider,
        model=model,
        upstream_model=model.partition("/")[2],
        prices=prices,
        **{"context_length": 128_000, "supported_parameters": ("temperature", "tools"), **more},  # type: ignore[arg-type]
    )


def small_models() -> list[Model]:
    """Four models that differ in everything a query can ask for."""
    big = "north/big"
    return [
        Model(
            id=big,
            name="North: Big",
            created=1_700_000_300,
            context_length=200_000,
            description="Sees pictures.",
            input_modalities=("text", "image"),
            output_tokens_max=8_192,
            supported_parameters=("temperature", "tools", "tool_choice", "reasoning"),
            endpoints=(
                endpoint(ACME, big, "2.5", "10", quantization="fp8", output_tokens_max=4_096),
                endpoint(
                    BULK,
                    big,
                    "2",
                    "8",
                    context_length=100_000,
                    cache_read=price_from_usd("0.2"),
                    supported_parameters=("temperature", "tool_choice", "seed"),
                ),
            ),
        ),
        Model(
            id="north/small",
            name="North: Small",
            created=1_700_000_100,
            context_length=32_000,
            endpoints=(endpoint(ACME, "north/small", "0.15", "0.6"),),
        ),
        Model(
            id="south/free:free",
            name="South: Free",
            created=1_700_000_200,
            context_length=64_000,
            endpoints=(endpoint(BULK, "south/free:free", "0", "0"),),
        ),
        Model(
            id="south/painter",
            name="South: Painter",
            created=1_700_000_000,
            context_length=4_000,
            output_modalities=("image",),
            endpoints=(endpoint(BULK, "south/painter", "5", "5"),),
        ),
        Model(id="ghost/unserved", name="Ghost", created=0, context_length=1, endpoints=()),
    ]


@dataclass
class Console:
    """A gateway's console, and the switches of its surroundings."""

    gateway: Gateway
    client: httpx.AsyncClient
    state: dict[str, bool] = field(default_factory=lambda: {"ready": True})


@pytest.fixture
def models() -> dict[str, Model]:
    """The small catalogue by id."""
    return {model.id: model for model in small_models()}


@pytest.fixture
def key() -> str:
    """A key that `keyed` accepts."""
    return KEY


def make_console(keys: frozenset[str]) -> Console:
    """A console whose client carries no credentials."""
    state = {"ready": True}
    is_ready: Callable[[], bool] = lambda: state["ready"]  # noqa: E731
    fake = SimpleNamespace(
        catalog=Catalog(
            models=small_models(), providers=[BULK, ACME], aliases={"tiny": "north/small"}
        ),
        statistics=Statistics(),
        live=SimpleNamespace(board=Board(), snapshot=NOTHING_KNOWN),
        keys=keys,
        clock=lambda: 0.0,
        ready=is_ready,
    )
    gateway = cast("Gateway", fake)
    transport = httpx.ASGITransport(app=build_app(gateway))
    client = httpx.AsyncClient(transport=transport, base_url="http://hedgerow.test")
    return Console(gateway=gateway, client=client, state=state)


@pytest.fixture
async def open_console() -> AsyncIterator[Console]:
    """A console in open mode."""
    console = make_console(frozenset())
    async with console.client:
        yield console


@pytest.fixture
async def keyed_console() -> AsyncIterator[Console]:
    """A console that requires keys."""
    console = make_console(frozenset({hashlib.sha256(KEY.encode()).hexdigest()}))
    async with console.client:
        yield console


@pytest.fixture
def ids() -> Callable[[httpx.Response], list[str]]:
    """The ids of a list reply."""

    def read(reply: httpx.Response) -> list[str]:
        assert reply.status_code == 200, reply.text
        entries: list[Mapping[str, str]] = reply.json()["data"]
        return [entry["id"] for entry in entries]

    return read
