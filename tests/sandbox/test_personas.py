"""What the sandbox says."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from proxy.model.call import Surface
from proxy.sandbox.personas import (
    PERSONAS,
    REASONING,
    Answer,
    Mishap,
    count_tokens,
    echo,
    output_cap,
    persona_of,
    respond,
    wants_reasoning,
    words_within,
)
from proxy.sandbox.wireform import beats, whole

TOOLS = [
    {"type": "function", "function": {"name": "get_time"}},
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "required": ["city", "unit"],
                "properties": {
                    "city": {"type": "string", "default": "Bonn"},
                    "unit": {"enum": ["celsius", "fahrenheit"]},
                },
            },
        },
    },
    {"type": "other"},
]


def reply(surface: Surface = "chat", count: int = 0, **body: Any) -> Answer | Mishap:
    document = {"model": "openai/gpt-4o-mini", **body}
    return respond(orjson.dumps(document), document, surface, count=count)


def ask(text: str = "Hello there", **body: Any) -> Answer:
    answer = reply(**{"messages": [{"role": "user", "content": text}], **body})
    assert isinstance(answer, Answer)
    return answer


def test_it_says_that_it_is_the_sandbox() -> None:
    assert "".join(ask().text) == (
        "This is Hedgerow's sandbox, standing in for openai/gpt-4o-mini: no provider key is set for it, "
        "so no model was asked. You said: Hello there"
    )
    assert "".join(ask(model="fast/hedgerow/sandbox").text) == (
        "This is Hedgerow's sandbox; no model was asked. You said: Hello there"
    )


def test_the_same_request_gets_the_same_answer() -> None:
    assert ask() == ask()
    assert ask("a").digest != ask("b").digest


@pytest.mark.parametrize(
    ("name", "tag", "model"),
    [
        ("fast/openai/gpt-4o", "fast", "openai/gpt-4o"),
        ("slow/a/b", "slow", "a/b"),
        ("flaky/a/b", "flaky", "a/b"),
        ("openai/gpt-4o", "fast", "openai/gpt-4o"),
        ("slow", "fast", "slow"),
        ("", "fast", ""),
    ],
)
def test_the_tag_decides_the_temper(name: str, tag: str, model: str) -> None:
    assert (PERSONAS[tag], model) == persona_of(name)


def test_attachments_are_acknowledged() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    answer = ask(messages=[{"role": "user", "content": [picture]}])

    assert "".join(answer.text).endswith("You attached 1 image; nobody looked at it.")


def test_a_tool_result_is_repeated() -> None:
    answer = ask(messages=[{"role": "tool", "content": "21 degrees"}], tools=TOOLS)

    assert "".join(answer.text).endswith("The tool answered: 21 degrees")


def test_a_long_message_is_repeated_in_part() -> None:
    assert echo("a\nb") == "a b"
    assert echo("w " * 100) == "w " * 60 + "…"
    assert echo("x" * 1_000) == "x" * 400 + " …"


@pytest.mark.parametrize(
    ("text", "choice", "expected"),
    [
        ("please call GET_WEATHER", "auto", "get_weather"),
        ("please call get_weather", None, "get_weather"),
        ("please call get_weather", "none", None),
        ("hello", "auto", None),
        ("hello", "required", "get_time"),
        ("now get_weather", "required", "get_weather"),
        ("hello", {"type": "function", "function": {"name": "get_weather"}}, "get_weather"),
        ("hello", {"type": "function", "function": {"name": "missing"}}, None),
    ],
)
def test_when_a_tool_is_called(text: str, choice: Any, expected: str | None) -> None:
    answer = ask(text, tools=TOOLS, tool_choice=choice)

    assert expected == (answer.tool.name if answer.tool else None)
    assert answer.finish_reason == ("tool_calls" if expected else "stop")
    assert bool(answer.text) is (expected is None)


def test_arguments_follow_the_schema() -> None:
    tool = ask("get_weather", tools=TOOLS).tool

    assert tool is not None
    assert orjson.loads(tool.arguments) == {"city": "Bonn", "unit": "celsius"}
    assert tool.id.startswith("call_")


def test_a_tool_without_parameters_gets_an_empty_object() -> None:
    tool = ask("get_time", tools=TOOLS).tool

    assert tool is not None
    assert tool.arguments == "{}"


def test_no_tool_is_called_without_tools() -> None:
    assert ask(tool_choice="required").tool is None


def test_structured_answers_are_valid_json() -> None:
    schema = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}
    shaped = ask(response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    free = ask(response_format={"type": "json_object"})
    plain = ask(response_format={"type": "text"})

    assert orjson.loads("".join(shaped.text)) == {"ok": False}
    assert "sandbox" in orjson.loads("".join(free.text))
    assert plain.text[0] == "This "


@pytest.mark.parametrize("cap", [1, 2, 3, 4, 10])
def test_the_output_cap_is_honoured(cap: int) -> None:
    for key in ("max_tokens", "max_completion_tokens"):
        answer = ask(**{key: cap})

        assert answer.finish_reason == "length"
        assert answer.completion_tokens <= cap
        assert answer.text


def test_a_wide_cap_changes_nothing() -> None:
    assert ask(max_tokens=1_000).finish_reason == "stop"
    assert output_cap({"max_tokens": 5, "max_completion_tokens": 9}) == 5
    assert output_cap({"max_tokens": 0}) is None


def test_counting_words_and_back() -> None:
    for tokens in range(1, 50):
        words = words_within(tokens)

        assert count_tokens(words) <= tokens < count_tokens(words + 1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"reasoning": {"effort": "high"}}, True),
        ({"reasoning": {}}, True),
        ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning": {"enabled": False}}, False),
        ({"reasoning": {"exclude": True}}, False),
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"include_reasoning": True}, True),
        ({}, False),
    ],
)
def test_reasoning_is_shown_where_asked_for(body: Any, expected: bool) -> None:
    assert expected == wants_reasoning(body)
    assert ("".join(ask(**body).reasoning) == REASONING) is expected


def test_reasoning_counts_as_output() -> None:
    answer = ask(reasoning={"effort": "low"}, max_tokens=3)

    assert (len(answer.reasoning), answer.text, answer.finish_reason) == (2, (), "length")
    assert answer.reasoning_tokens == answer.completion_tokens == 2


def test_usage_counts_words() -> None:
    answer = ask("one two three")

    assert answer.prompt_tokens == 4 + 3
    assert answer.completion_tokens == count_tokens(len(answer.text))


def test_completions_have_a_prompt() -> None:
    answer = reply("completions", prompt="Once upon")

    assert isinstance(answer, Answer)
    assert "".join(answer.text).endswith("You said: Once upon")


def test_the_flaky_one_fails_one_in_three() -> None:
    fates = [
        isinstance(reply(model="flaky/a/b", messages=[], count=count), Mishap)
        for count in range(30)
    ]

    assert sum(fates) == 10
    assert all(sum(fates[n : n + 3]) == 1 for n in range(27))


def test_failures_come_in_three_kinds() -> None:
    failures = {
        (failure.status, failure.in_stream)
        for seed in range(60)
        for stream in (True, False)
        if isinstance(failure := reply(model="flaky/a/b", seed=seed, stream=stream), Mishap)
    }

    assert failures == {(503, False), (429, False), (500, True), (500, False)}


def test_without_a_model_it_still_answers() -> None:
    assert isinstance(reply(model=None), Answer)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["object", "array", "integer", "function", "say", "json_schema"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "function",
                    "name",
                    "parameters",
                    "minimum",
                    "required",
                    "properties",
                    "items",
                    "minItems",
                    "anyOf",
                    "allOf",
                    "enum",
                    "$ref",
                    "schema",
                    "json_schema",
                    "content",
                    "text",
                    "role",
                    "effort",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = [
    "model",
    "messages",
    "prompt",
    "tools",
    "tool_choice",
    "response_format",
    "max_tokens",
    "reasoning",
    "reasoning_effort",
    "stream",
]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # CI machines stall
@given(
    document=st.dictionaries(st.sampled_from(FIELDS), JSON),
    surface=st.sampled_from(["chat", "completions"]),
)
def test_any_request_is_answered(document: Any, surface: Surface) -> None:
    answer = respond(b"", document, surface, count=0)

    if isinstance(answer, Answer):
        assert whole(answer, surface)[1]
        assert list(beats(answer, surface, include_usage=True))
