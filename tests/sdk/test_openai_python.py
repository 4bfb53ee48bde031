"""What users do with the Python SDK, through the gateway: text, tools, parsing, errors, legacy calls."""

import asyncio
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.fakes.scripts import SCRIPTS, TEXTS
from tests.sdk.meaning import Heard, amended, counts, document_of, listen, seen
from tests.sdk.rig import KEY, ThreadedRig

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
USAGE = {"include_usage": True}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
ERRORS = {
    400: (openai.BadRequestError, 400),
    401: (openai.InternalServerError, 502),
    403: (openai.InternalServerError, 502),
    404: (openai.NotFoundError, 404),
    429: (openai.RateLimitError, 429),
    500: (openai.InternalServerError, 502),
}
"""By the provider's status: what the SDK raises, and its status."""
SAYS = {
    "content.delta": "delta",
    "content.done": "content",
    "tool_calls.function.arguments.delta": "arguments_delta",
    "tool_calls.function.arguments.done": "arguments",
}
"""Events of the stream helper, and what of them is compared; the helper invents no others here."""


class Forecast(BaseModel):
    """What the echoed text is parsed into."""

    city: str
    days: int


def stream(client: openai.OpenAI, model: str, **fields: Any) -> Heard:
    create: Any = client.chat.completions.create
    asked = {"model": model, "messages": HELLO, "stream": True, "stream_options": USAGE, **fields}
    return listen(lambda: create(**asked))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_stream_yields_what_it_yields_without_the_gateway(
    name: str, direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    expected, heard = (stream(client, f"synthetic/{name}") for client in (direct, through))
    *chunks, bill = heard.documents

    assert (expected.error, heard.error) == (None, None)
    assert amended(expected, "delta", streamed=True) == seen(chunks)
    assert (11, 7, 18, 0, 0) == counts(bill["usage"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_reply_is_what_it_is_without_the_gateway(
    name: str, direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    expected, heard = (stream(c, f"synthetic/{name}", stream=False) for c in (direct, through))

    assert (expected.error, heard.error) == (None, None)
    assert amended(expected, "message", streamed=False) == seen(heard.documents)
    assert (11, 7, 18, 0, 0) == counts(heard.documents[0]["usage"])


def test_typed_fields_hold_text_reasoning_tools_and_usage(through: openai.OpenAI) -> None:
    thought = through.chat.completions.create(model="synthetic/reasoning", messages=HELLO)
    called = through.chat.completions.create(model="synthetic/parallel-tools", messages=HELLO)

    assert thought.choices[0].message.content == "".join(TEXTS)
    assert thought.choices[0].message.model_extra["reasoning"] == "First, think — hard."  # type: ignore[index]
    assert thought.id.startswith("gen-")
    assert thought.usage is not None
    assert thought.usage.total_tokens == 18
    assert called.choices[0].finish_reason == "tool_calls"
    calls: Any = called.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_stream_helper_fires_the_same_events_and_puts_the_same_message_together(
    name: str, direct: openai.OpenAI, through: openai.OpenAI
) -> None:
    def read(client: openai.OpenAI) -> tuple[list[tuple[str, Any]], Any]:
        events: list[tuple[str, Any]] = []
        asked: Any = {"model": f"synthetic/{name}", "messages": HELLO, "stream_options": USAGE}
        try:
            with client.chat.completions.stream(**asked) as reading:
                for event in reading:
                    if event.type in SAYS and (said := getattr(event, SAYS[event.type])):
                        events.append((event.type, said))
                return events, reading.get_final_completion()
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError) as error:
            return events, type(error)  # the helper's own view of these two endings

    (expected, whole), (heard, final) = read(direct), read(through)

    assert expected == heard
    if isinstance(whole, type):
        assert whole is final
        return
    message, said = (document_of(done.choices[0].message) for done in (whole, final))
    said.pop("reasoning", None)
    assert message == said
    assert final.usage.total_tokens == whole.usage.total_tokens == 18
    assert final.choices[0].finish_reason == SCRIPTS[name].finish_reason


def test_structured_output_is_parsed_whole_and_streamed(through: openai.OpenAI) -> None:
    text = '{"city": "Zürich", "days": 3}'
    said: Any = [{"role": "user", "content": text}]

    whole = through.chat.completions.parse(
        model="echo/back", messages=said, response_format=Forecast
    )
    with through.chat.completions.stream(
        model="echo/back", messages=said, response_format=Forecast
    ) as reading:
        streamed = reading.get_final_completion()

    for completion in (whole, streamed):
        assert completion.choices[0].message.parsed == Forecast(city="Zürich", days=3)


def test_strict_tool_arguments_are_parsed_whole_and_streamed(through: openai.OpenAI) -> None:
    asked: Any = {"model": "synthetic/tools", "messages": HELLO, "tools": [WEATHER]}

    whole = through.chat.completions.parse(**asked)
    with through.chat.completions.stream(**asked) as reading:
        streamed = reading.get_final_completion()

    for completion in (whole, streamed):
        calls: Any = completion.choices[0].message.tool_calls
        assert calls[0].id == "call_1"
        assert calls[0].type == "function"
        assert calls[0].function.parsed_arguments == {"city": "Zürich", "days": 3}


def test_a_legacy_completion_is_answered_whole_and_streamed(through: openai.OpenAI) -> None:
    whole = through.completions.create(model="synthetic/text", prompt="hi")
    streamed = list(through.completions.create(model="synthetic/text", prompt="hi", stream=True))

    assert whole.object == "text_completion"
    assert whole.choices[0].text == "".join(TEXTS)
    assert "".join(chunk.choices[0].text for chunk in streamed) == "".join(TEXTS)
    assert streamed[-1].choices[0].finish_reason == "stop"
    assert streamed[-1].usage is not None
    assert streamed[-1].usage.total_tokens == 18


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", ERRORS)
def test_a_provider_that_refuses_raises_the_class_of_its_status(
    status: int, streamed: bool, through: openai.OpenAI
) -> None:
    kind, told = ERRORS[status]

    heard = stream(through, f"fault/status-{status}", stream=streamed)

    assert type(heard.error) is kind
    assert isinstance(heard.error, openai.APIStatusError)
    assert heard.error.status_code == told
    assert heard.error.response.headers.get("retry-after") == ("1" if status == 429 else None)


@pytest.mark.parametrize(
    "kind", ["error-midstream", "error-event-name", "reset-mid-body", "close-mid-body"]
)
def test_a_stream_that_breaks_raises_behind_what_was_said(
    kind: str, through: openai.OpenAI
) -> None:
    heard = stream(through, f"fault/{kind}")

    assert type(heard.error) is openai.APIError
    text = "".join(d["choices"][0]["delta"].get("content") or "" for d in heard.documents)
    assert text == "".join(TEXTS[:2])
    body: Any = heard.error.body
    assert body["code"] == 502
    assert body["metadata"]["provider_name"] == "Quick"


def test_an_error_before_the_first_word_is_a_status(through: openai.OpenAI) -> None:
    heard = stream(through, "fault/error-first")

    assert not heard.documents
    assert isinstance(heard.error, openai.InternalServerError)


def test_requests_that_the_gateway_refuses_raise_bad_request(through: openai.OpenAI) -> None:
    unknown = stream(through, "nobody/nothing")
    wrong = stream(through, "synthetic/text", temperature="warm")

    for heard in (unknown, wrong):
        assert isinstance(heard.error, openai.BadRequestError)
    assert "nobody/nothing is not a valid model ID" in str(unknown.error)


def test_the_async_sdk_reads_text_tools_and_errors(rig: ThreadedRig) -> None:
    async def talk() -> None:
        async with openai.AsyncOpenAI(base_url=rig.api, api_key=KEY, max_retries=0) as client:
            create = client.chat.completions.create
            whole = await create(model="synthetic/text", messages=HELLO)
            assert whole.choices[0].message.content == "".join(TEXTS)
            deltas = [
                chunk.choices[0].delta.content or ""
                async for chunk in await create(model="synthetic/text", messages=HELLO, stream=True)
            ]
            assert "".join(deltas) == "".join(TEXTS)
            async with client.chat.completions.stream(
                model="synthetic/tools", messages=HELLO, tools=[WEATHER]
            ) as reading:
                called = await reading.get_final_completion()
            calls: Any = called.choices[0].message.tool_calls
            assert calls[0].function.parsed_arguments == {"city": "Zürich", "days": 3}
            with pytest.raises(openai.RateLimitError):
                await create(model="fault/status-429", messages=HELLO)
            with pytest.raises(openai.APIError):
                async for _ in await create(
                    model="fault/error-midstream", messages=HELLO, stream=True
                ):
                    pass

    asyncio.run(talk())
