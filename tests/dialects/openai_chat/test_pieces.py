"""Sealed thinking, sources and pictures read; what is of another shape means nothing."""

from typing import Any

import pytest

from proxy.dialects.openai_chat.pieces import (
    SOURCES_MAX,
    read_annotations,
    read_details,
    read_images,
    read_list,
    read_sources,
)
from proxy.model.event import Citation, Image, Reasoning, ReasoningSealed, Text


def text(**fields: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", **fields}


@pytest.mark.parametrize(
    ("details", "plain", "events"),
    [
        ([text(text="a", index=3)], "a", [Reasoning("a", 1, 3)]),
        ([text(text="a", signature=None, format="unknown", index=0)], "a", [Reasoning("a", 1)]),
        ([text(text="a", signature="s", format="f", index=0), text(text="b")], "ab",
         [Reasoning("a", 1), ReasoningSealed(0, "s", format="f", choice=1), Reasoning("b", 1, 1)]),
        ([text(signature="s", index=2)], None, [ReasoningSealed(2, "s", choice=1)]),
        ([{"type": "reasoning.summary", "summary": "a", "index": 0},
          {"type": "reasoning.encrypted", "data": "e", "format": "f", "index": 0}], "a",
         [Reasoning("a", 1, 0, True), ReasoningSealed(0, encrypted="e", format="f", choice=1)]),
        ([{"type": "reasoning.encrypted", "data": "e", "index": 0}], "a",
         [Reasoning("a", 1), ReasoningSealed(0, encrypted="e", choice=1)]),
        ([None, "x", {}, text(text=5, signature={}), {"type": "other", "text": "a"}], None, []),
        ([text(text="a", index=-1), text(text="b", index=True)], None, [Reasoning("a", 1), Reasoning("b", 1, 1)]),
    ],
)  # fmt: skip
def test_thinking_is_told_once_with_its_seals(details: Any, plain: Any, events: Any) -> None:
    assert events == list(read_details(details, 1, plain))


NESTED = {"type": "url_citation",
          "url_citation": {"url": "u", "title": "t", "content": "c", "start_index": 1, "end_index": 4}}  # fmt: skip
FLAT = {"type": "url_citation", "url": "u"}


@pytest.mark.parametrize(
    ("annotation", "events"),
    [
        (NESTED, [Citation("u", "t", "c", 1, 4, NESTED, 2)]),
        (FLAT, [Citation("u", raw=FLAT, choice=2)]),
        ({"type": "file"}, []),
        (5, []),
    ],
)
def test_an_annotation_is_a_citation(annotation: Any, events: Any) -> None:
    assert events == list(read_annotations([annotation], 2))


@pytest.mark.parametrize(
    ("document", "urls"),
    [
        ({"citations": ["a", "b", "a"]}, [("a", ""), ("b", "")]),
        ({"citations": ["a"], "search_results": [{"url": "a", "title": "t"}]}, [("a", "t")]),
        ({"citations": [{"url": "a"}, 5, "", {"url": 5}]}, [("a", "")]),
        ({"citations": "a"}, []),
    ],
)
def test_sources_of_a_reply_are_told_each_once(document: Any, urls: Any) -> None:
    told: set[str] = set()

    assert urls == [(e.url, e.title) for e in read_sources(document, told)]  # type: ignore[union-attr]
    assert [] == read_sources(document, told)


def test_sources_are_remembered_up_to_a_bound() -> None:
    urls: list[Any] = [str(n) for n in range(SOURCES_MAX + 5)]

    assert SOURCES_MAX == len(read_sources({"citations": urls}, set()))


@pytest.mark.parametrize(
    ("image", "events"),
    [
        ({"image_url": {"url": "data:image/webp;base64,AA"}}, [Image("image/webp", "AA", choice=1)]),
        ({"image_url": "https://i.test"}, [Image(url="https://i.test", choice=1)]),
        ({"image_url": {"url": "data:nothing"}}, []),
        ({"image_url": {}}, []),
        ("x", []),
    ],
)  # fmt: skip
def test_a_picture_is_read(image: Any, events: Any) -> None:
    assert events == list(read_images([image], 1))


A, B = {"type": "text", "text": "a"}, {"type": "text", "text": ""}


@pytest.mark.parametrize(
    ("content", "events"),
    [
        ([A, B, A], [Text("a", 1), Text("a", 1)]),
        ([{"type": "thinking", "thinking": [A, B, 5]}, A], [Reasoning("a", 1), Text("a", 1)]),
        ([{"type": "thinking", "thinking": "a"}], [Reasoning("a", 1)]),
        ([{"type": "thinking"}], []),
        ([A, {"type": "reference", "x": 1}], [Text('[{"type":"text","text":"a"},{"type":"reference","x":1}]', 1)]),
        (["a"], [Text('["a"]', 1)]),
    ],
)  # fmt: skip
def test_content_in_parts_is_told_by_what_it_holds(content: Any, events: Any) -> None:
    assert events == list(read_list(content, 1))
