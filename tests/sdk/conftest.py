"""One rig for all tests of SDKs, and a pair of clients: through the gateway, and straight."""

from collections.abc import Iterator

import anthropic
import httpx
import httpx2
import openai
import pytest

from tests.fakes.messages_recordings import load_messages_recordings
from tests.fakes.recordings import load_recordings
from tests.rig import Complaints
from tests.sdk.rig import KEY, ThreadedRig, threaded_rig


@pytest.fixture(scope="package")
def rig() -> Iterator[ThreadedRig]:
    """A gateway that answers, and the provider behind it."""
    with threaded_rig((*load_recordings(), *load_messages_recordings())) as rig:
        yield rig


@pytest.fixture(scope="package", params=["http1", "http2"])
def through(rig: ThreadedRig, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    """The SDK as its users have it, but that it does not retry; and the same through the second door."""
    second = request.param == "http2"
    with (
        httpx.Client(http1=not second, http2=second) as http,
        openai.OpenAI(base_url=rig.api, api_key=KEY, max_retries=0, http_client=http) as client,
    ):
        yield client


@pytest.fixture(scope="package")
def direct(rig: ThreadedRig) -> Iterator[openai.OpenAI]:
    """The same SDK, pointed straight at the provider."""
    with openai.OpenAI(base_url=rig.provider, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture(scope="package", params=["http1", "http2"])
def claude(rig: ThreadedRig, request: pytest.FixtureRequest) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK through the gateway, by both doors, with the key in both places that it has."""
    second = request.param == "http2"
    key: dict[str, str] = {"auth_token": KEY} if second else {"api_key": KEY}
    with (
        httpx2.Client(http1=not second, http2=second) as http,
        anthropic.Anthropic(base_url=rig.root, max_retries=0, http_client=http, **key) as client,
    ):
        yield client


@pytest.fixture(scope="package")
def claude_direct(rig: ThreadedRig) -> Iterator[anthropic.Anthropic]:
    """The same SDK, pointed straight at the provider."""
    with anthropic.Anthropic(base_url=rig.provider_root, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def complaints() -> Iterator[None]:
    """What the gateway logs as an error fails the test."""
    heard = Complaints()
    with heard.heard():
        yield
    assert not heard.lines, heard.lines
