"""What the sandbox reads of a prompt."""

from typing import Any

import pytest

from proxy.sandbox.prompt import Prompt, read_prompt


def test_the_last_user_message_is_what_was_said() -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": [{"type": "text", "text": "Second one"}]},
    ]

    prompt = read_prompt({"messages": messages}, "chat")

    assert prompt == Prompt(last_text="Second one", words=5, overhead_tokens=12)


def test_attachments_are_counted_in_words() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    parts: Any = ["plain", picture, picture, {"type": "file"}, {"type": "odd"}, {"type": 1}, 7]

    prompt = read_prompt({"messages": [{"role": "user", "content": parts}]}, "chat")

    assert prompt.attachments == "2 images and 1 file"
    assert prompt.last_text == "plain"
    assert prompt.overhead_tokens == 3 + 3 * 85


def test_a_tool_result_counts_only_at_the_end() -> None:
    result: Any = {"role": "tool", "content": "21 degrees"}
    user: Any = {"role": "user", "content": "hi"}

    assert read_prompt({"messages": [user, result]}, "chat").tool_result == "21 degrees"
    assert read_prompt({"messages": [result, user]}, "chat").tool_result == ""


@pytest.mark.parametrize(
    ("prompt", "expected"), [("a b", "a b"), (["a", "b"], "a b"), (None, ""), ([1], "")]
)
def test_a_completions_prompt_is_text(prompt: Any, expected: str) -> None:
    assert expected == read_prompt({"prompt": prompt}, "completions").last_text


def test_nothing_is_refused() -> None:
    for document in ({}, {"messages": None}, {"messages": [None, 1, {}]}):
        assert read_prompt(document, "chat").last_text == ""  # type: ignore[arg-type]
