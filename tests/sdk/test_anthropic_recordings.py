"""Recorded exchanges of the Messages API, read with Anthropic's SDK: through the gateway as without it.

Whatever differs is the gateway's own (`messages_meaning.OURS`), and nothing else. Read with OpenAI's SDK,
the same recordings must say the same text and call the same tools.
"""

import json
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.messages_recordings import counts, replies
from tests.fakes.recordings import ABSENT, Recording
from tests.sdk.messages_meaning import Document, Heard, counts_of, listen, seen
from tests.sdk.rig import ThreadedRig

RECORDINGS = replies()
STREAMS = [one for one in RECORDINGS if one.stream]
WHOLE = [one for one in RECORDINGS if not one.stream and one.status == 200]
COUNTED = [one for one in counts() if one.status == 200]
REFUSALS = [one for one in RECORDINGS if one.status != 200]
TOLD = frozenset(("model", "messages", "max_tokens", "stream"))
"""What `question` says itself."""
TO_US = frozenset(("models", "provider", "fallbacks", "session_id", "trace"))
"""Fields that are for the gateway and are not sent on."""
THROUGH = {400: (400,), 401: (502,), 404: (404,)}
"""By the provider's status; a refused key of the gateway's is 502, so that clients do not doubt theirs."""
STARTED_TWICE = {"anthropic/vercel-spliced-message-start.stream"}
"""Hand-edited by its authors: a second message begins in the midst of the first."""
HELLO = [{"role": "user", "content": "hi"}]
TIMEOUT_S = 30.0
"""Told to the SDK, as it refuses to wait for large replies that are not streamed."""

HTTP1 = pytest.mark.parametrize("claude", ["http1"], indirect=True)
PLAIN = pytest.mark.parametrize("through", ["http1"], indirect=True)
SAMPLE_EVERY = 6
"""Through the second door goes a part; which door it is makes no difference to a dialect."""

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)


def name_of(recording: Recording) -> str:
    return recording.name


def ask(client: anthropic.Anthropic, recording: Recording) -> Heard:
    asked = recording.request or {}
    create: Any = client.messages.create
    fields: dict[str, Any] = {
        "model": recording.name,
        "messages": asked.get("messages") or HELLO,
        "max_tokens": asked.get("max_tokens") or 1000,
        "stream": recording.stream or bool(asked.get("stream")),
        "extra_body": {k: v for k, v in asked.items() if k not in TOLD | TO_US},
        "timeout": TIMEOUT_S,
    }
    return listen(lambda: create(**fields))


def check_request(rig: ThreadedRig, recording: Recording) -> None:
    """The provider got through the gateway what the SDK sends, in the same order."""
    straight, gateways = (json.loads(one.body) for one in rig.newest(recording.name, 2))
    assert straight == gateways
    assert list(straight) == list(gateways)


@pytest.mark.parametrize("recording", STREAMS, ids=name_of)
@HTTP1
def test_a_recorded_stream_reads_the_same(
    recording: Recording,
    rig: ThreadedRig,
    claude: anthropic.Anthropic,
    claude_direct: anthropic.Anthropic,
) -> None:
    expected, heard = ask(claude_direct, recording), ask(claude, recording)

    assert (expected.error, heard.error) == (None, None)
    assert seen(expected.documents) == seen(heard.documents)
    check_request(rig, recording)
    if recording.name not in STARTED_TWICE:
        ours = counts_of(heard.message["usage"])
        assert counts_of(expected.message["usage"]) == ours


@pytest.mark.parametrize("recording", WHOLE, ids=name_of)
@HTTP1
def test_a_recorded_reply_reads_the_same(
    recording: Recording,
    rig: ThreadedRig,
    claude: anthropic.Anthropic,
    claude_direct: anthropic.Anthropic,
) -> None:
    expected, heard = ask(claude_direct, recording), ask(claude, recording)

    assert (expected.error, heard.error) == (None, None)
    assert seen(expected.documents) == seen(heard.documents)
    check_request(rig, recording)


@pytest.mark.parametrize("claude", ["http2"], indirect=True)
def test_the_second_door_says_the_same(
    claude: anthropic.Anthropic, claude_direct: anthropic.Anthropic
) -> None:
    for recording in (*STREAMS, *WHOLE)[::SAMPLE_EVERY]:
        expected, heard = ask(claude_direct, recording), ask(claude, recording)
        assert heard.error is None
        assert seen(expected.documents) == seen(heard.documents), recording.name


@pytest.mark.parametrize("recording", REFUSALS, ids=name_of)
def test_a_recorded_error_raises_what_the_sdk_has_for_it(
    recording: Recording, claude: anthropic.Anthropic, claude_direct: anthropic.Anthropic
) -> None:
    expected, heard = ask(claude_direct, recording), ask(claude, recording)

    assert isinstance(expected.error, anthropic.APIStatusError)
    assert isinstance(heard.error, anthropic.APIStatusError), heard.documents
    assert heard.error.status_code in THROUGH[recording.status]
    body: Any = heard.error.body
    assert body["type"] == "error"
    if recording.status == 400:
        straight: Any = expected.error.body
        assert body["error"]["type"] == straight["error"]["type"]
        assert body["error"]["message"] == straight["error"]["message"]


def spoken(message: Document) -> tuple[str, list[tuple[str, str, Any]]]:
    """Text and calls of a message of the provider's."""
    blocks = message["content"]
    calls = [
        (b["id"], b["name"], json.loads(b["input"] or "{}") if isinstance(b["input"], str) else b["input"])
        for b in blocks
        if b["type"] == "tool_use"
    ]  # fmt: skip
    return "".join(b["text"] for b in blocks if b["type"] == "text"), calls


@pytest.mark.parametrize("recording", [*STREAMS, *WHOLE[::2]], ids=name_of)
@PLAIN
def test_openais_sdk_reads_the_same_text_and_calls(
    recording: Recording,
    through: openai.OpenAI,
    claude_direct: anthropic.Anthropic,
) -> None:
    if recording.name in STARTED_TWICE:
        pytest.skip("no message to compare with")
    expected = ask(claude_direct, recording)
    create: Any = through.chat.completions.create
    asked: Any = {"model": recording.name, "messages": HELLO}
    text = ""
    calls: dict[int, list[str]] = {}
    if recording.stream:
        for chunk in create(**asked, stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    kept = calls.setdefault(call.index, [call.id, call.function.name, ""])
                    kept[2] += call.function.arguments or ""
    else:
        message = create(**asked).choices[0].message
        text = message.content or ""
        for index, call in enumerate(message.tool_calls or []):
            calls[index] = [call.id, call.function.name, call.function.arguments]

    told = [(id_, name, json.loads(said or "{}")) for id_, name, said in calls.values()]
    assert spoken(expected.message) == (text, told)


@pytest.mark.parametrize("recording", COUNTED, ids=name_of)
@HTTP1
def test_a_recorded_request_is_counted_about_as_the_provider_counts(
    recording: Recording, claude: anthropic.Anthropic
) -> None:
    asked = recording.request or {}
    (expected,) = json.loads(recording.body).values()
    rest = {k: v for k, v in asked.items() if k not in TOLD | TO_US}

    ours = claude.messages.count_tokens(
        model=recording.name, messages=asked["messages"], extra_body=rest
    )

    # An estimate from bytes: tools of the provider's own bring prompts that no request shows.
    assert expected / 50 < ours.input_tokens < 5 * expected
