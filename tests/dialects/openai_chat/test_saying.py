"""Parts of a conversation as content: each in the dialect's words, or refused where it has none."""

from typing import Any

import pytest

from proxy.dialects.openai_chat.saying import (
    FAILED,
    SEE_BELOW,
    say,
    say_image,
    say_reasoning,
    say_result,
    say_tool_call,
)
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AudioPart,
    FilePart,
    ImagePart,
    NativePart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

MARK = {"type": "ephemeral"}
A_TEXT = {"type": "text", "text": "a"}


def a_file(**fields: str) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def an_image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([], ""),
        ([TextPart("a")], "a"),
        ([TextPart("a", MARK)], [{**A_TEXT, "cache_control": MARK}]),
        ([TextPart("a"), TextPart("b")], [A_TEXT, {"type": "text", "text": "b"}]),
        ([ImagePart("image/gif", "AA", cache=MARK)], [{**an_image("data:image/gif;base64,AA"), "cache_control": MARK}]),
        ([ImagePart(url="u")], [an_image("u")]),
        ([AudioPart("AA", "mp3")], [{"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}}]),
        ([FilePart(text="a")], [A_TEXT]),
        ([FilePart(text="a", name="n")], [{"type": "text", "text": "n:\n\na"}]),
        ([FilePart(file_id="i", name="n")], [a_file(file_id="i", filename="n")]),
        ([FilePart(url="u")], [a_file(file_data="u")]),
        ([FilePart("text/csv", "AA")], [a_file(file_data="data:text/csv;base64,AA", filename="document")]),
        ([FilePart("", "AA", name="n")], [a_file(file_data="data:application/pdf;base64,AA", filename="n")]),
        ([NativePart("openai-chat", {"type": "x"})], [{"type": "x"}]),
    ],
)  # fmt: skip
def test_parts_are_said(parts: Any, content: Any) -> None:
    assert content == say(parts, marks=True)


@pytest.mark.parametrize("part", [TextPart("a", MARK), ImagePart(url="u", cache=MARK)])
def test_a_mark_goes_only_to_providers_that_take_it(part: Any) -> None:
    assert "cache_control" not in str(say([part, TextPart("b", MARK)], marks=False))


def test_one_text_whose_mark_is_dropped_is_a_string() -> None:
    assert "a" == say([TextPart("a", MARK)], marks=False)


@pytest.mark.parametrize(
    "part",
    [
        NativePart("other", {}, "$.x[1]"),
        ToolCallPart("c", "f", "{}", path="$.x[1]"),
        ToolResultPart("c", path="$.x[1]"),
        ReasoningPart("a", path="$.x[1]"),
    ],
)
def test_what_has_no_place_is_refused_with_its_path(part: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"`\$\.x\[1\]`"):
        say([part], marks=True)


def test_a_picture_keeps_its_detail() -> None:
    said = say_image(ImagePart("", "AA", detail="low"))

    assert {"url": "data:image/png;base64,AA", "detail": "low"} == said["image_url"]


@pytest.mark.parametrize(("arguments", "said"), [('{"a":1}', '{"a":1}'), ("", "{}")])
def test_a_call_always_has_arguments(arguments: str, said: str) -> None:
    assert {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": said},
    } == say_tool_call(ToolCallPart("c", "f", arguments))


IMAGE = ImagePart(url="u")


@pytest.mark.parametrize(
    ("result", "content", "others"),
    [
        (ToolResultPart("c", [TextPart("a")]), "a", []),
        (ToolResultPart("c"), "", []),
        (ToolResultPart("c", is_error=True), FAILED, []),
        (ToolResultPart("c", [TextPart("a")], is_error=True), "a", []),
        (ToolResultPart("c", [IMAGE]), SEE_BELOW, [IMAGE]),
        (ToolResultPart("c", [TextPart("a"), IMAGE]), "a", [IMAGE]),
        (ToolResultPart("c", [TextPart("a"), FilePart(text="b")]), [A_TEXT, {"type": "text", "text": "b"}], []),
        (ToolResultPart("c", [TextPart("a")], cache=MARK), [{**A_TEXT, "cache_control": MARK}], []),
        (ToolResultPart("c", cache=MARK), "", []),
    ],
)  # fmt: skip
def test_a_result_is_text_and_its_pictures_come_after(
    result: ToolResultPart, content: Any, others: Any
) -> None:
    message = {"role": "tool", "tool_call_id": "c", "content": content}

    assert (message, others) == say_result(result, marks=True)


T = {"type": "reasoning.text", "text": "a"}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], {}),
        ([ReasoningPart()], {}),
        ([ReasoningPart(summary=True)], {}),
        ([ReasoningPart("a", "s", format="f")],
         {"reasoning": "a", "reasoning_details": [{**T, "signature": "s", "format": "f", "index": 0}]}),
        ([ReasoningPart(signature="s")],
         {"reasoning_details": [{**T, "text": "", "signature": "s", "index": 0}]}),
        ([ReasoningPart("b", summary=True), ReasoningPart(encrypted="e"), ReasoningPart("a")],
         {"reasoning": "ba", "reasoning_details": [
             {"type": "reasoning.summary", "summary": "b", "index": 0},
             {"type": "reasoning.encrypted", "data": "e", "index": 1}, {**T, "index": 2}]}),
    ],
)  # fmt: skip
def test_thinking_is_sent_back_as_it_came_and_nothing_where_there_is_none_bug_19(
    parts: Any, said: Any
) -> None:
    assert said == say_reasoning(parts, natively=True, echo=False)


@pytest.mark.parametrize(
    ("parts", "echo", "said"),
    [
        ([ReasoningPart("a"), ReasoningPart("b")], True, {"reasoning_content": "ab"}),
        ([ReasoningPart("a")], False, {}),
        ([ReasoningPart(encrypted="e")], True, {}),
    ],
)
def test_other_providers_get_its_text_if_they_want_it(parts: Any, echo: bool, said: Any) -> None:
    assert said == say_reasoning(parts, natively=False, echo=echo)
