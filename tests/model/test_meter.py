"""What was delivered is counted in UTF-8 bytes, whatever it was."""

import pytest

from proxy.model.event import Ended, Event, Finished, Reasoning, Text, ToolCall, Usage
from proxy.model.meter import Delivered, Meter


@pytest.mark.parametrize(
    ("event", "size"),
    [
        (Text("abc"), 3),
        (Text("é🌳"), 6),
        (Reasoning("é"), 2),
        (ToolCall(0, name="get", arguments="{}"), 5),
        (Text("\ud800"), 1),
    ],
)
def test_content_is_counted_in_bytes(event: Event, size: int) -> None:
    delivered = Delivered()

    assert 1 == delivered.note([event])
    assert size == delivered.output_bytes


def test_arguments_of_tools_are_counted_in_utf8_bytes_as_texts_are() -> None:
    delivered = Delivered()
    delivered.note([ToolCall(0, name="wétter", arguments='{"city":"Zürich"}')])

    assert len('wétter{"city":"Zürich"}'.encode()) == delivered.output_bytes


def test_what_is_no_content_is_kept_but_not_counted() -> None:
    delivered, usage = Delivered(), Usage(prompt_tokens=1)

    assert 0 == delivered.note([usage, Finished("stop", "eos"), Ended()])
    assert (usage, "stop", 0) == (
        delivered.usage,
        delivered.finish_reason,
        delivered.output_bytes,
    )


def test_the_last_usage_counts() -> None:
    delivered = Delivered()
    delivered.note([Usage(prompt_tokens=1)])
    delivered.note([Usage(prompt_tokens=2)])

    assert delivered.usage is not None
    assert 2 == delivered.usage.prompt_tokens


def test_a_new_meter_is_broken_until_told_otherwise_and_shares_nothing() -> None:
    one, other = Meter(), Meter()
    one.delivered.note([Text("a")])

    assert ("broken", None, None, []) == (
        other.end,
        other.endpoint,
        other.first_byte_s,
        other.trail,
    )
    assert 0 == other.delivered.output_bytes
