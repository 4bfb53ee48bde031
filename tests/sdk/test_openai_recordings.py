"""Recorded exchanges of real providers, read with the Python SDK: through the gateway as without it.

What differs is what docs/api.md says, and nothing else; `meaning` works that out.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.fakes.recordings import ABSENT, Recording, load_recordings
from tests.sdk.meaning import (
    Document,
    Heard,
    amended,
    counts,
    document_of,
    is_believable,
    listen,
    seen,
    usage_of,
)
from tests.sdk.rig import KEY, ThreadedRig

NO_REPLY = {"openai_chat/pydantic-invalid_response.0", "openai_chat/pydantic-text_response.0"}
"""Recorded at a server that echoes requests: status 200, but nothing of the dialect."""
RECORDINGS = load_recordings()
STREAMS = [r for r in RECORDINGS if r.stream and r.status == 200]
REPLIES = [r for r in RECORDINGS if not r.stream and r.status == 200 and r.name not in NO_REPLY]
REFUSALS = [r for r in RECORDINGS if r.status != 200]
ROUTING = ("model", "models", "messages", "prompt", "stream", "provider", "plugins", "n")
"""Fields of recorded requests that would steer this gateway elsewhere, or that `ask` says itself."""
TO_US = frozenset(
    "usage include_reasoning transforms route preset session_id trace debug stream_options".split()
)
"""Fields that are for the gateway and are not sent on."""
THROUGH = {
    400: openai.BadRequestError,
    401: openai.InternalServerError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
}
"""By the provider's status; a refused key of the gateway's is 502, so that clients do not doubt theirs."""

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)


def name_of(recording: Recording) -> str:
    return recording.name


def part_of(recording: Recording) -> str:
    if recording.path.endswith("/v1/completions"):
        return ""
    return "delta" if recording.stream else "message"


def question(recording: Recording) -> dict[str, Any]:
    """The recorded request as arguments for the SDK."""
    asked = recording.request or {}
    wanted: dict[str, Any] = {"model": recording.name}
    if part_of(recording):
        wanted["messages"] = asked.get("messages") or [{"role": "user", "content": "hi"}]
    else:
        wanted["prompt"] = asked.get("prompt") or "hi"
    if recording.stream or asked.get("stream"):
        wanted["stream"] = True
    rest = {key: value for key, value in asked.items() if key not in ROUTING}
    return {**wanted, "extra_body": rest}


def ask(client: openai.OpenAI, recording: Recording) -> Heard:
    part = part_of(recording)
    create: Callable[..., Any] = (client.chat if part else client).completions.create
    return listen(lambda: create(**question(recording)))


def check_usage(usage: Document, provider: Document | None) -> None:
    assert usage["cost"] == 0
    if is_believable(provider):
        assert counts(provider or {}) == counts(usage)
    else:
        assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def check_stream(direct: Heard, through: Heard, part: str) -> None:
    """Same chunks, then the bill: usage, and each choice's finish reason once more."""
    assert (direct.error, through.error) == (None, None)
    *chunks, bill = through.documents
    expected = amended(direct, part, streamed=True)
    assert expected == seen(chunks)
    assert all("usage" not in chunk for chunk in chunks)
    said = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    finishes = {choice["index"]: choice["finish_reason"] for choice in said}
    assert finishes == {choice["index"]: choice["finish_reason"] for choice in bill["choices"]}
    for choice in bill["choices"]:
        assert not (choice["delta"].get("content") if part else choice["text"])
    check_usage(bill["usage"], usage_of(direct.documents))


def check_request(rig: ThreadedRig, recording: Recording) -> None:
    """The provider got through the gateway what the SDK sends, but for what speaks to the gateway."""
    straight, gateways = (json.loads(served.body) for served in rig.newest(recording.name, 2))
    expected = {key: value for key, value in straight.items() if key not in TO_US}
    if "reasoning" in expected:
        effort = (expected.pop("reasoning") or {}).get("effort")
        if effort is not None:
            expected.setdefault("reasoning_effort", effort)
    if expected.get("stream"):
        expected["stream_options"] = {"include_usage": True}
    assert expected == gateways
    assert list(expected) == list(gateways)


@pytest.mark.parametrize("recording", STREAMS, ids=name_of)
def test_a_recorded_stream_reads_the_same_with_the_sdk(
    recording: Recording, rig: ThreadedRig, direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    expected, heard = ask(direct, recording), ask(through, recording)
    check_request(rig, recording)
    if expected.error is not None:
        assert isinstance(heard.error, openai.APIError)
        return
    check_stream(expected, heard, part_of(recording))
    ids = {document["id"] for document in heard.documents}
    assert len(ids) == 1
    assert ids.pop().startswith("gen-")


def test_all_recorded_streams_at_once_read_the_same_with_the_async_sdk(
    rig: ThreadedRig, direct: openai.OpenAI
) -> None:
    async def read(client: openai.AsyncOpenAI, recording: Recording) -> Heard:
        heard = Heard()
        create: Any = (client.chat if part_of(recording) else client).completions.create
        try:
            async for chunk in await create(**question(recording)):
                heard.documents.append(document_of(chunk))
        except openai.OpenAIError as error:
            heard.error = error
        return heard

    async def read_all() -> list[Heard]:
        async with openai.AsyncOpenAI(base_url=rig.api, api_key=KEY, max_retries=0) as client:
            return await asyncio.gather(*(read(client, recording) for recording in STREAMS))

    for recording, heard in zip(STREAMS, asyncio.run(read_all()), strict=True):
        expected = ask(direct, recording)
        if expected.error is not None:
            assert isinstance(heard.error, openai.APIError)
        else:
            check_stream(expected, heard, part_of(recording))


def put_together(client: openai.OpenAI, recording: Recording) -> Any:
    """What the stream helper makes of a stream: message and finish reasons, or how it fails."""
    asked = question(recording)
    for ours in (
        "stream",
        "extra_body",
    ):  # tools and formats of the request would be parsed besides
        asked.pop(ours)
    try:
        with client.chat.completions.stream(**asked) as reading:
            final = document_of(reading.get_final_completion())
    except Exception as error:
        return type(error)
    for choice in final["choices"]:
        choice["message"].pop("reasoning", None)
        # The usage event's empty delta turns null into "" where there is no text (docs/api.md).
        choice["message"]["content"] = choice["message"].get("content") or None
    return [(choice["message"], choice["finish_reason"]) for choice in final["choices"]]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_the_stream_helper_puts_recorded_streams_together_as_without_the_gateway(
    direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    told: dict[str, Any] = {}
    for recording in STREAMS:
        if part_of(recording):
            expected, final = (put_together(client, recording) for client in (direct, through))
            if expected != final:
                told[recording.name] = (expected, final)

    assert not told


@pytest.mark.parametrize("recording", REPLIES, ids=name_of)
def test_a_recorded_reply_reads_the_same_with_the_sdk(
    recording: Recording, rig: ThreadedRig, direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    expected, heard = ask(direct, recording), ask(through, recording)

    assert (expected.error, heard.error) == (None, None)
    assert amended(expected, part_of(recording), streamed=False) == seen(heard.documents)
    check_request(rig, recording)
    check_usage(heard.documents[0]["usage"], usage_of(expected.documents))


@pytest.mark.parametrize("recording", REFUSALS, ids=name_of)
def test_a_recorded_error_raises_what_the_sdk_has_for_it(
    recording: Recording, direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    expected, heard = ask(direct, recording), ask(through, recording)

    assert isinstance(expected.error, openai.APIStatusError)
    assert isinstance(heard.error, THROUGH[recording.status]), heard.error
    assert heard.error.status_code == (502 if recording.status == 401 else recording.status)
    body: Any = heard.error.body
    if "field" in body["metadata"]:  # what the gateway itself finds wrong does not reach a provider
        assert recording.status == 400
    else:
        assert body["metadata"]["provider_name"] == "Quick"
        assert heard.error.response.headers["x-generation-id"].startswith("gen-")


@pytest.mark.parametrize("name", sorted(NO_REPLY))
def test_a_reply_that_is_none_raises_an_error_instead_of_nonsense(
    name: str, through: openai.OpenAI
) -> None:
    recording = next(recording for recording in RECORDINGS if recording.name == name)

    heard = ask(through, recording)

    assert isinstance(heard.error, openai.InternalServerError)
    assert heard.error.status_code == 502
