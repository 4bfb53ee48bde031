"""What a request needs: in both vocabularies, and rather too little than too much."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from proxy.model.document import Document
from proxy.policy.demands import (
    CHARACTERS_PER_TOKEN,
    PICTURE_TOKENS,
    answer_kind,
    features_of,
    modalities_of,
    parameters_of,
    prompt_tokens_least,
)

SCHEMA: Document = {"type": "json_schema", "schema": {}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, set()),
        ({"temperature": 0, "seed": None, "stop": [], "top_p": 1}, {"temperature", "top_p"}),
        ({"max_completion_tokens": 1}, {"max_tokens"}),
        ({"reasoning_effort": "low"}, {"reasoning"}),
        ({"include_reasoning": True}, {"reasoning"}),
        ({"thinking": {"type": "enabled"}}, {"reasoning"}),
        ({"stop_sequences": ["x"]}, {"stop"}),
        ({"response_format": {"type": "json_object"}}, {"response_format"}),
        ({"response_format": SCHEMA}, {"response_format", "structured_outputs"}),
        ({"output_format": SCHEMA}, {"output_format", "response_format", "structured_outputs"}),
        ({"output_config": {"format": SCHEMA}},
         {"output_config", "response_format", "structured_outputs"}),
        ({"logprobs": False}, {"logprobs"}),
    ],
    ids=str,
)  # fmt: skip
def test_parameters_go_by_one_name(body: dict[str, Any], expected: set[str]) -> None:
    assert expected == parameters_of(body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SCHEMA, "json_schema"),
        ({"type": "json_object"}, "json_object"),
        ({"format": SCHEMA}, "json_schema"),
        ({"type": "text"}, ""),
        ({"effort": "low"}, ""),
        ({"type": 1}, ""),
        ("json_schema", ""),
        (None, ""),
    ],
    ids=str,
)
def test_a_shape_of_the_answer_is_json_or_nothing(value: Any, expected: str) -> None:
    assert expected == answer_kind(value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ()),
        ({"tools": []}, ()),
        ({"tools": [{"type": "function"}]}, ("tools",)),
        ({"verbosity": "low"}, ("verbosity",)),
        ({"verbosity": None}, ()),
        ({"response_format": {"type": "text"}}, ()),
        ({"response_format": {"type": "json_object"}}, ("response_format",)),
        ({"output_config": {"format": SCHEMA}}, ("structured_outputs",)),
        ({"tools": [1], "response_format": SCHEMA}, ("tools", "structured_outputs")),
    ],
    ids=str,
)
def test_features_are_few(body: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert expected == features_of(body)


def message(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, set()),
        ({"messages": "hi"}, set()),
        ({"messages": ["hi", {"role": "user", "content": "hi"}, {"content": None}]}, set()),
        (message({"type": "text", "text": "hi"}), set()),
        (message({"type": "image_url"}), {"image"}),
        (message({"type": "image"}, {"type": "input_audio"}), {"image", "audio"}),
        (message({"type": "audio"}, {"type": "video"}, {"type": "video_url"}), {"audio", "video"}),
        (message({"type": "file"}, {"type": "document"}), set()),
        (message("text", {"type": ["image"]}, {}), set()),
    ],
    ids=str,
)
def test_kinds_of_input_are_those_of_the_parts(body: dict[str, Any], expected: set[str]) -> None:
    assert expected == modalities_of(body)


def test_tokens_are_counted_low() -> None:
    text = {"messages": [{"content": "x" * 50 * CHARACTERS_PER_TOKEN}], "model": "y" * 1000}
    picture = message({"type": "image_url", "image_url": {"url": "data:" + "z" * 10_000}})
    paper = message({"type": "document", "source": {"data": "z" * 10_000}}, {"type": ["file"]})
    user = len("user") / CHARACTERS_PER_TOKEN

    assert 50 == prompt_tokens_least(text)
    assert PICTURE_TOKENS + int(user) == prompt_tokens_least(picture)
    assert PICTURE_TOKENS + int(user + len("file") / CHARACTERS_PER_TOKEN) == prompt_tokens_least(
        paper
    )
    assert 2 == prompt_tokens_least({"prompt": "x" * 5, "system": "y" * 5})
    assert 0 == prompt_tokens_least({})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "content", "text", "format", "x"]), inner)
    ),
    max_leaves=9,
)
BODIES = st.dictionaries(
    st.sampled_from(["messages", "tools", "system", "prompt", "response_format", "output_config"]),
    JSON,
)


@given(BODIES)
def test_any_body_can_be_looked_at(body: dict[str, Any]) -> None:
    assert prompt_tokens_least(body) >= 0
    assert features_of(body) == features_of({**body})
    assert modalities_of(body) <= {"image", "audio", "video"}
    assert None not in parameters_of(body)
