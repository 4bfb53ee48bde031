"""One block at a time: pieces of several calls come apart again, and none is lost."""

from typing import Any

import pytest

from proxy.dialects.anthropic_messages.blocks import (
    WAITING_MAX,
    Blocks,
    Called,
    Folding,
    as_input,
    marked,
)
from proxy.errors import UpstreamUnavailableError
from proxy.model.document import Document
from proxy.model.event import Event, Text, ToolCall


def folded(blocks: Blocks, events: list[Event]) -> Any:
    """The content that these events make."""
    folding = Folding()
    for document in [*blocks.feed(events), *blocks.close()]:
        folding.feed(document)
    return folding.content


def briefly(documents: list[Document]) -> str:
    """ "+0" begins block 0, "0" adds to it, "-0" ends it."""
    signs = {"content_block_start": "+", "content_block_delta": "", "content_block_stop": "-"}
    return " ".join(f"{signs[str(d['type'])]}{d['index']}" for d in documents)


def a(arguments: str) -> ToolCall:
    return ToolCall(0, arguments=arguments)


A, B = ToolCall(0, "a", "f"), ToolCall(1, "b", "g")


@pytest.mark.parametrize(
    ("events", "said", "at_end"),
    [
        ([A, a("{}"), B, ToolCall(1, arguments="{}")], "+0 0 -0 +1 1", "-1"),
        ([A, a("{"), B, ToolCall(1, arguments="{}"), a("}")], "+0 0 0 -0 +1 1", "-1"),
        ([A, a("{"), B, Text("x")], "+0 0", "-0 +1 1 -1 +2 2 -2"),
        ([A, a('{"}'), Text("x"), a('"')], "+0 0 0", "-0 +1 1 -1"),
        ([A, a('"{}'), B], "+0 0", "-0 +1 1 -1"),
        ([A, a("{}"), Text("x"), a("x")], "+0 0 -0 +1 1", "-1"),
        ([ToolCall(0, "a"), Text("x")], "", "+0 0 -0 +1 1 -1"),
        ([ToolCall(0, "a", arguments='{"k":'), Text("x")], "", "+0 0 -0 +1 1 -1"),
        ([ToolCall(0, "a", "f", "{}"), ToolCall(0, "b", "f", "{}")], "+0 0 -0 +1 1", "-1"),
        ([Text("")], "", ""),
    ],
)  # fmt: skip
def test_a_call_keeps_the_floor_until_it_is_whole(
    events: list[Event], said: str, at_end: str
) -> None:
    blocks = Blocks("gen-1-abc")

    assert (said, at_end) == (briefly(list(blocks.feed(events))), briefly(list(blocks.close())))


def test_what_waits_is_bounded_and_then_said_in_order() -> None:
    words = [str(i) for i in range(WAITING_MAX + 5)]
    content = folded(Blocks(""), [A, *(Text(word) for word in words)])

    assert [{}, "".join(words)] == [content[0]["input"], content[1]["text"]]


def test_arguments_for_a_call_that_had_to_be_closed_are_a_failure() -> None:
    blocks = Blocks("")
    list(blocks.feed([A, a("{"), *(Text("x") for _ in range(WAITING_MAX + 1))]))

    assert [] == list(blocks.feed([a(" ")]))
    with pytest.raises(UpstreamUnavailableError, match="mixed up"):
        list(blocks.feed([a("}")]))


def test_calls_inside_calls_cost_no_stack() -> None:
    calls: list[Event] = [ToolCall(i, f"c{i}", "f", "{") for i in range(450)]
    ends: list[Event] = [ToolCall(i, arguments="}") for i in reversed(range(450))]

    assert 450 == len(folded(Blocks(""), calls + ends))


@pytest.mark.parametrize(
    "whole", ['{"a": "\\\\"}', '{"a": "\\""}', '{"a{": [{}, "]"]}', "[]", '{"\\u007b": 1}']
)
def test_where_arguments_end_is_known_however_they_are_cut(whole: str) -> None:
    for cut in range(1, len(whole)):
        called = Called(is_open=True)
        called.take(whole[:cut])
        assert not called.is_whole, whole[:cut]
        called.take("")
        called.take(whole[cut:])
        assert called.is_whole


@pytest.mark.parametrize(
    ("arguments", "value"),
    [("", {}), ("null", {}), ('{"a":1}', {"a": 1}), ("[1]", {"INVALID_JSON": "[1]"}), ("{", {"INVALID_JSON": "{"})],
)  # fmt: skip
def test_arguments_become_an_object(arguments: str, value: Any) -> None:
    assert value == as_input(arguments)


def test_a_seal_tells_who_can_verify_it_unless_it_is_this_api() -> None:
    assert ["S", "S", "x-v1:S"] == [
        marked("S", form) for form in ("", "anthropic-claude-v1", "x-v1")
    ]
