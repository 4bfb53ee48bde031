"""What users do with Anthropic's Python SDK, through the gateway, at providers of both dialects."""

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.messages_scripts import MESSAGES_SCRIPTS, SIGNATURE
from tests.fakes.scripts import SCRIPTS, TEXTS
from tests.sdk.messages_meaning import Heard, counts_of, document_of, expected_of, listen, seen
from tests.sdk.rig import KEY, ThreadedRig

HELLO: Any = [{"role": "user", "content": "hi"}]
SAID = "".join(TEXTS)
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
BOTH = pytest.mark.parametrize("family", ["messages/said-", "synthetic/"])
"""A provider of the same dialect, and one of the other."""
PAIRS = [("messages/said-", name) for name in MESSAGES_SCRIPTS] + [
    ("synthetic/", name) for name in SCRIPTS
]
ERRORS = {
    400: (anthropic.BadRequestError, 400, "invalid_request_error"),
    401: (anthropic.InternalServerError, 502, "api_error"),
    403: (anthropic.InternalServerError, 502, "api_error"),
    404: (anthropic.NotFoundError, 404, "not_found_error"),
    429: (anthropic.RateLimitError, 429, "rate_limit_error"),
    500: (anthropic.InternalServerError, 502, "api_error"),
    413: (anthropic.APIStatusError, 413, "request_too_large"),
    529: (anthropic.APIStatusError, 503, "overloaded_error"),
}
"""By the provider's status: what the SDK raises, its status, and the type in the envelope."""


def ask(client: anthropic.Anthropic, model: str, **fields: Any) -> Heard:
    create: Any = client.messages.create
    return listen(
        lambda: create(**{"model": model, "max_tokens": 1000, "messages": HELLO, **fields})
    )


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", MESSAGES_SCRIPTS)
def test_a_provider_of_the_same_dialect_says_what_it_says_without_the_gateway(
    name: str,
    streamed: bool,
    claude: anthropic.Anthropic,
    claude_direct: anthropic.Anthropic,
) -> None:
    expected = ask(claude_direct, f"synthetic/{name}", stream=streamed)
    heard = ask(claude, f"messages/said-{name}", stream=streamed)

    assert (expected.error, heard.error) == (None, None)
    assert seen(expected.documents) == seen(heard.documents)
    assert heard.message["id"] != expected.message["id"]
    assert heard.message["model"] == f"messages/said-{name}"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_typed_blocks_hold_text_thinking_and_tools(
    family: str, name: str, streamed: bool, claude: anthropic.Anthropic
) -> None:
    script = MESSAGES_SCRIPTS[name]
    asked: Any = {"model": f"{family}{name}", "max_tokens": 1000, "messages": HELLO}
    if streamed:
        with claude.messages.stream(**asked) as reading:
            texts = list(reading.text_stream)
            message = reading.get_final_message()
        assert "".join(texts) == "".join(script.texts)
    else:
        message = claude.messages.create(**asked)

    blocks, stop = expected_of(script, signed=family.startswith("messages"))
    said = [document_of(block) for block in message.content]
    for block in said:
        block.pop("parsed_output", None)
        if block["type"] == "text":
            assert not block.pop("citations", None)
    inputs = [block.pop("input") for block in said if block["type"] == "tool_use"]
    assert [{k: v for k, v in b.items() if k != "caller"} for b in said] == blocks
    assert inputs == [json.loads(call.arguments) for call in script.tool_calls]
    assert message.stop_reason == stop
    usage = counts_of(document_of(message.usage))
    assert (usage["input_tokens"], usage["output_tokens"]) == (11, 7)


@BOTH
def test_the_stream_helper_fires_its_events_in_order(
    family: str, claude: anthropic.Anthropic
) -> None:
    asked: Any = {"model": f"{family}parallel-tools", "max_tokens": 1000, "messages": HELLO}
    with claude.messages.stream(**asked, tools=[WEATHER]) as reading:
        kinds = [event.type for event in reading]

    deltas = {"content_block_delta", "text", "input_json", "thinking", "signature"}
    told = [kind for kind in kinds if kind not in deltas]
    block = ["content_block_start", "content_block_stop"]
    assert told == ["message_start", *block * 3, "message_delta", "message_stop"]
    assert {"text", "input_json"} <= set(kinds)


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", ERRORS)
def test_a_provider_that_refuses_raises_the_class_of_its_status(
    status: int, streamed: bool, family: str, claude: anthropic.Anthropic
) -> None:
    kind, told, type_ = ERRORS[status]
    prefix = "messages-fault" if family.startswith("messages") else "fault"

    heard = ask(claude, f"{prefix}/status-{status}", stream=streamed)

    assert isinstance(heard.error, kind), heard.error
    assert isinstance(heard.error, anthropic.APIStatusError)
    assert heard.error.status_code == told
    body: Any = heard.error.body
    assert body["type"] == "error"
    assert body["error"]["type"] == type_
    assert body["error"]["message"]
    if status == 429:
        assert heard.error.response.headers["retry-after"] == "1"


@BOTH
@pytest.mark.parametrize("fault", ["error-midstream", "reset-mid-body", "close-mid-body"])
def test_a_stream_that_breaks_raises_behind_what_was_said(
    fault: str, family: str, claude: anthropic.Anthropic
) -> None:
    prefix = "messages-fault" if family.startswith("messages") else "fault"

    heard = ask(claude, f"{prefix}/{fault}", stream=True)

    assert isinstance(heard.error, anthropic.APIStatusError), heard.error
    said = [d["delta"].get("text", "") for d in heard.documents if "delta" in d]
    assert "".join(said) == "".join(TEXTS[:2])
    body: Any = heard.error.body
    assert body["type"] == "error"
    assert not any(d["type"] == "message_stop" for d in heard.documents)


@BOTH
def test_an_error_before_the_first_word_is_a_status(
    family: str, claude: anthropic.Anthropic
) -> None:
    prefix = "messages-fault" if family.startswith("messages") else "fault"

    heard = ask(claude, f"{prefix}/error-first", stream=True)

    assert not heard.documents
    assert isinstance(heard.error, anthropic.APIStatusError)
    assert heard.error.status_code >= 500


@pytest.mark.parametrize(
    "fault", ["no-finish-clean", "no-finish-done", "no-finish-eof", "garbage-instead", "html"]
)
def test_a_stream_without_its_end_is_an_error_and_never_a_success(
    fault: str, claude: anthropic.Anthropic
) -> None:
    heard = ask(claude, f"messages-fault/{fault}", stream=True)

    assert isinstance(heard.error, anthropic.APIStatusError), heard.documents[-3:]


def test_what_the_gateway_refuses_is_in_the_envelope(
    rig: ThreadedRig, claude: anthropic.Anthropic
) -> None:
    unknown = ask(claude, "nobody/nothing")
    wrong = ask(claude, "messages/said-text", extra_body={"temperature": "warm"})
    with anthropic.Anthropic(base_url=rig.root, api_key="sk-wrong", max_retries=0) as stranger:
        strange = ask(stranger, "messages/said-text")

    assert isinstance(unknown.error, anthropic.BadRequestError | anthropic.NotFoundError)
    assert isinstance(wrong.error, anthropic.BadRequestError)
    assert isinstance(strange.error, anthropic.AuthenticationError)
    for heard in (unknown, wrong, strange):
        body: Any = heard.error.body  # type: ignore[union-attr]
        assert body["type"] == "error"
    assert strange.error.body["error"]["type"] == "authentication_error"  # type: ignore[index]


def test_tokens_are_counted_for_a_model_of_either_dialect(claude: anthropic.Anthropic) -> None:
    few = claude.messages.count_tokens(model="messages/said-text", messages=HELLO)
    many = claude.messages.count_tokens(
        model="synthetic/text", messages=[{"role": "user", "content": "hi " * 1000}]
    )

    assert 1 <= few.input_tokens < 100
    assert 500 <= many.input_tokens < 3000
    with pytest.raises(anthropic.APIStatusError):
        claude.messages.count_tokens(model="nobody/nothing", messages=HELLO)


@BOTH
def test_the_async_sdk_reads_text_tools_and_errors(family: str, rig: ThreadedRig) -> None:
    async def talk() -> None:
        async with anthropic.AsyncAnthropic(
            base_url=rig.root, auth_token=KEY, api_key=None, max_retries=0
        ) as client:
            asked: Any = {"model": f"{family}text", "max_tokens": 1000, "messages": HELLO}
            whole = await client.messages.create(**asked)
            assert whole.content[0].text == SAID  # type: ignore[union-attr]
            async with client.messages.stream(**asked) as reading:
                assert "".join([text async for text in reading.text_stream]) == SAID
            async with client.messages.stream(**{**asked, "model": f"{family}tools"}) as reading:
                called: Any = await reading.get_final_message()
            assert called.content[-1].input == {"city": "Zürich", "days": 3}
            prefix = "messages-fault" if family.startswith("messages") else "fault"
            with pytest.raises(anthropic.RateLimitError):
                await client.messages.create(**{**asked, "model": f"{prefix}/status-429"})

    asyncio.run(talk())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", MESSAGES_SCRIPTS)
def test_openais_sdk_reads_a_provider_of_the_messages_dialect(
    name: str, streamed: bool, through: openai.OpenAI
) -> None:
    script = MESSAGES_SCRIPTS[name]
    asked: Any = {"model": f"messages/said-{name}", "messages": HELLO}
    if streamed:
        final = _put_together(through, asked)
    else:
        final = through.chat.completions.create(**asked).to_dict()

    (choice,) = final["choices"]
    message = choice["message"]
    finish = "content_filter" if name == "refusal" else script.finish_reason
    assert (message.get("content") or "") == "".join(script.texts)
    assert (message.get("reasoning") or "") == "".join(script.reasoning)
    calls = message.get("tool_calls") or []
    assert [(c["id"], c["function"]["name"]) for c in calls] == [
        (c.id, c.name) for c in script.tool_calls
    ]
    assert [json.loads(c["function"]["arguments"]) for c in calls] == [
        json.loads(c.arguments) for c in script.tool_calls
    ]
    assert choice["finish_reason"] == finish
    assert final["usage"]["prompt_tokens"] == 11
    assert final["usage"]["completion_tokens"] == 7
    if script.reasoning:
        (detail,) = message["reasoning_details"]
        assert detail["signature"] == SIGNATURE
        assert detail["text"] == "".join(script.reasoning)


def _put_together(client: openai.OpenAI, asked: Any) -> dict[str, Any]:
    """A stream as a client that keeps `reasoning_details` puts it together."""
    said: dict[str, Any] = {"content": "", "reasoning": "", "tool_calls": []}
    detail: dict[str, Any] = {}
    finish, usage = None, None
    options = {"stream": True, "stream_options": {"include_usage": True}}
    for chunk in client.chat.completions.create(**asked, **options):
        document = chunk.to_dict()
        usage = document.get("usage") or usage
        for choice in document["choices"]:
            finish = choice.get("finish_reason") or finish
            delta = choice["delta"]
            said["content"] += delta.get("content") or ""
            said["reasoning"] += delta.get("reasoning") or ""
            for piece in delta.get("reasoning_details") or []:
                text = detail.get("text", "") + (piece.get("text") or "")
                detail = {**detail, **{k: v for k, v in piece.items() if v}, "text": text}
            for call in delta.get("tool_calls") or []:
                if call["index"] == len(said["tool_calls"]):
                    said["tool_calls"].append({"id": "", "function": {"name": "", "arguments": ""}})
                kept = said["tool_calls"][call["index"]]
                kept["id"] += call.get("id") or ""
                for key in ("name", "arguments"):
                    kept["function"][key] += call.get("function", {}).get(key) or ""
    message = {**said, **({"reasoning_details": [detail]} if detail else {})}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_goes_back_to_who_signed_it(
    streamed: bool, rig: ThreadedRig, through: openai.OpenAI
) -> None:
    model = "messages/said-thinking-tools"
    tools: Any = [
        {"type": "function", "function": {"name": n, "parameters": {"type": "object"}}}
        for n in ("get_weather", "get_time")
    ]
    asked: Any = {"model": model, "messages": HELLO, "tools": tools}
    asked["extra_body"] = {"reasoning": {"max_tokens": 2000}}
    if streamed:
        said = _put_together(through, asked)["choices"][0]["message"]
    else:
        said = through.chat.completions.create(**asked).to_dict()["choices"][0]["message"]  # type: ignore[index]
    calls = [{**call, "type": "function"} for call in said["tool_calls"]]
    answers = [{"role": "tool", "tool_call_id": c["id"], "content": "42"} for c in calls]
    spoken = {
        "role": "assistant",
        "content": said["content"],
        "tool_calls": calls,
        "reasoning_details": said["reasoning_details"],
    }
    through.chat.completions.create(**{**asked, "messages": [*HELLO, spoken, *answers]})

    (served,) = rig.newest("synthetic/thinking-tools")
    sent = json.loads(served.body)
    first, second, third = sent["messages"]
    assert first == HELLO[0] or first["content"] == [{"type": "text", "text": "hi"}]
    assert [block["type"] for block in second["content"]] == ["thinking", "text", *["tool_use"] * 2]
    assert second["content"][0]["thinking"] == "I need the weather."
    assert second["content"][0]["signature"] == SIGNATURE
    assert [b["tool_use_id"] for b in third["content"]] == ["call_1", "call_2"]
    assert dict(served.headers)["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("field", ["api_key", "auth_token"])
def test_the_key_is_read_where_the_sdk_puts_it(field: str, rig: ThreadedRig) -> None:
    key: dict[str, Any] = {field: KEY}
    with anthropic.Anthropic(base_url=rig.root, max_retries=0, **key) as client:
        heard = ask(client, "messages/said-text")

    assert heard.error is None
    (served,) = rig.newest("synthetic/text")
    assert KEY not in str(served.headers)
