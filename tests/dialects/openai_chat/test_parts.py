"""Content read: every kind of part, and the path of every wrong one."""

from typing import Any

import pytest

from proxy.dialects.openai_chat.parts import (
    mark_last,
    read_content,
    read_data_uri,
    read_format,
    read_reasoning,
)
from proxy.errors import InvalidRequestError
from proxy.model.conversation import (
    AudioPart,
    FilePart,
    ImagePart,
    NativePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)

MARK = {"type": "ephemeral"}
P = "$.c[0]"
PNG = "data:image/png;base64,AA=="
PDF = "data:application/pdf;base64,JVBERi0="
VIDEO = {"type": "video_url", "video_url": {"url": "https://v.test"}}


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"type": "text", "text": "a", "cache_control": MARK}, TextPart("a", MARK, P)),
        ({"type": "input_text", "text": ""}, TextPart("", path=P)),
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}, "cache_control": MARK},
         ImagePart("image/png", "AA==", detail="low", cache=MARK, path=P)),
        ({"type": "image_url", "image_url": "https://i.test"}, ImagePart(url="https://i.test", path=P)),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, AudioPart("AA", "wav", P)),
        ({"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AA", "format": "wav"}},
         AudioPart("AA", "wav", P)),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}, "cache_control": MARK},
         FilePart("application/pdf", "JVBERi0=", name="a.pdf", cache=MARK, path=P)),
        ({"type": "file", "file": {"file_data": "JVBERi0="}}, FilePart("application/pdf", "JVBERi0=", path=P)),
        ({"type": "file", "file": {"file_data": "AA", "filename": "a.PDF"}},
         FilePart("application/pdf", "AA", name="a.PDF", path=P)),
        ({"type": "file", "file": {"file_data": "AA", "filename": "a"}}, FilePart("", "AA", name="a", path=P)),
        ({"type": "file", "file": {"file_data": "HTTPS://f.test"}}, FilePart(url="HTTPS://f.test", path=P)),
        ({"type": "file", "file": {"file_id": "file-1"}}, FilePart(file_id="file-1", path=P)),
        ({"type": "refusal", "refusal": "No."}, RefusalPart("No.", P)),
        (VIDEO, NativePart("openai-chat", VIDEO, P)),
    ],
)  # fmt: skip
def test_a_part_is_read(part: Any, read: Any) -> None:
    assert [read] == read_content([part], "$.c")


@pytest.mark.parametrize(
    ("content", "read"), [(None, []), ("a", [TextPart("a", path="$.c")]), ([], [])]
)
def test_content_need_not_be_a_list(content: Any, read: Any) -> None:
    assert read == read_content(content, "$.c")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (5, "$.c"), ({}, "$.c"), (["a"], "$.c[0]"), ([{}], "$.c[0].type"), ([{"type": 5}], "$.c[0].type"),
        ([{"type": "text"}], "$.c[0].text"), ([{"type": "text", "text": 5}], "$.c[0].text"),
        ([{"type": "text", "text": "", "cache_control": 5}], "$.c[0].cache_control"),
        ([{"type": "image_url"}], "$.c[0].image_url"),
        ([{"type": "image_url", "image_url": ""}], "$.c[0].image_url"),
        ([{"type": "image_url", "image_url": {}}], "$.c[0].image_url.url"),
        ([{"type": "image_url", "image_url": {"url": "data:x"}}], "$.c[0].image_url.url"),
        ([{"type": "input_audio", "input_audio": {"data": "A"}}], "$.c[0].input_audio.format"),
        ([{"type": "file", "file": {}}], "$.c[0].file.file_data"),
        ([{"type": "file", "file": {"file_data": 5}}], "$.c[0].file.file_data"),
    ],
)  # fmt: skip
def test_a_part_of_another_shape_is_refused_with_its_path(content: Any, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_content(content, "$.c")

    assert f"`{path}`" in caught.value.message


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("data:image/PNG;base64,AA", ("image/png", "AA")),
        ("DATA:image/svg+xml;charset=utf-8;BASE64,AA", ("image/svg+xml", "AA")),
        ("data:,a%20b", ("text/plain", "YSBi")),
    ],
)
def test_a_data_uri_is_taken_apart(uri: str, read: tuple[str, str]) -> None:
    assert read == read_data_uri(uri, "$")


def thought(**fields: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", **fields}


D = "$.m.reasoning_details"


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({}, []),
        ({"reasoning": "a"}, [ReasoningPart("a", path="$.m.reasoning")]),
        ({"reasoning": None, "reasoning_content": "a"}, [ReasoningPart("a", path="$.m.reasoning_content")]),
        ({"reasoning": "a", "reasoning_details": [thought(text="a", signature="s", format="f")]},
         [ReasoningPart("a", "s", format="f", path=f"{D}[0]")]),
        ({"reasoning_details": [thought(text="a", signature=None), {"type": "reasoning.encrypted", "data": "e"},
                                {"type": "reasoning.summary", "summary": "b", "format": "unknown"}]},
         [ReasoningPart("a", path=f"{D}[0]"), ReasoningPart(encrypted="e", path=f"{D}[1]"),
          ReasoningPart("b", summary=True, path=f"{D}[2]")]),
        ({"reasoning": "a", "reasoning_details": [{"type": "reasoning.encrypted", "data": "e"}]},
         [ReasoningPart("a", path="$.m.reasoning"), ReasoningPart(encrypted="e", path=f"{D}[0]")]),
        ({"reasoning_details": [{"type": "reasoning.other"}]},
         [NativePart("openai-chat", {"type": "reasoning.other"}, f"{D}[0]")]),
    ],
)  # fmt: skip
def test_thinking_of_earlier_turns_is_read_in_order(message: Any, parts: Any) -> None:
    assert parts == read_reasoning(message, "$.m")


@pytest.mark.parametrize(
    ("details", "texts"),
    [
        ([thought(text="a", index=0), thought(text="b", index=0), thought(signature="s", index=0)], [("ab", "s")]),
        ([thought(text="a", signature="s", index=0), thought(text="b", index=0)], [("a", "s"), ("b", "")]),
        ([thought(text="a", index=0), thought(text="b", index=1)], [("a", ""), ("b", "")]),
        ([thought(text="a"), thought(text="b")], [("a", ""), ("b", "")]),
        ([thought(text="a", id="x", index=0), thought(text="b", id="y", index=0)], [("a", ""), ("b", "")]),
    ],
)  # fmt: skip
def test_pieces_of_one_block_are_put_together_bug_3(details: Any, texts: Any) -> None:
    parts = read_reasoning({"reasoning_details": details}, "$.m")

    assert texts == [(p.text, p.signature) for p in parts if isinstance(p, ReasoningPart)]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"reasoning": 5}, "$.m.reasoning"),
        ({"reasoning_details": {}}, "$.m.reasoning_details"),
        ({"reasoning_details": ["x"]}, "$.m.reasoning_details[0]"),
        ({"reasoning_details": [thought(text=5)]}, "$.m.reasoning_details[0].text"),
    ],
)
def test_thinking_of_another_shape_is_refused_with_its_path(message: Any, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_reasoning(message, "$.m")

    assert f"`{path}`" in caught.value.message


def test_a_format_that_is_not_known_is_none() -> None:
    assert ["f", "", "", ""] == [read_format({"format": f}) for f in ("f", "unknown", None, 5)]


def test_a_messages_mark_stands_on_its_last_part_that_can_bear_one() -> None:
    call, text = ToolCallPart("c", "f", "{}"), TextPart("a")
    mark_last([text, call, ReasoningPart("b")], MARK)
    assert (None, MARK) == (text.cache, call.cache)

    other = {"type": "ephemeral", "ttl": "1h"}
    mark_last([call, AudioPart("AA", "wav")], other)
    mark_last([ReasoningPart("b")], other)
    assert MARK == call.cache
