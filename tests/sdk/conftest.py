"""One rig for all tests of SDKs, and a pair of clients: through the gateway, and straight."""

from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.fakes.recordings import load_recordings
from tests.rig import Complaints
from tests.sdk.rig import KEY, ThreadedRig, threaded_rig


@pytest.fixture(scope="package")
def rig() -> Iterator[ThreadedRig]:
    """A gateway that answers, and the provider behind it."""
    with threaded_rig(load_recordings()) as rig:
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


@pytest.fixture(autouse=True)
def complaints() -> Iterator[None]:
    """What the gateway logs as an error fails the test."""
    heard = Complaints()
    with heard.heard():
        yield
    assert not heard.lines, heard.lines
