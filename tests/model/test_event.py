"""Events are values: equal by content, sharing nothing."""

from proxy.model.event import Charged, Ended, Finished, Reasoning, Started, Text, ToolCall, Usage
from proxy.units import NanoDollars


def test_events_are_equal_by_what_they_say() -> None:
    assert Text("a") == Text("a", choice=0)
    assert Text("a") != Reasoning("a")
    assert Ended() == Ended()
    assert Finished("stop", "eos") != Finished("stop", "stop")


def test_a_piece_of_a_tool_call_may_be_nearly_empty() -> None:
    assert ("", "", "", 0) == (
        ToolCall(0).id,
        ToolCall(0).name,
        ToolCall(0).arguments,
        ToolCall(0).choice,
    )


def test_usage_counts_nothing_and_is_the_providers_unless_said() -> None:
    usage, other = Usage(), Usage()
    usage.raw["a"] = 1

    assert {} == other.raw
    assert not other.estimated
    assert 0 == other.prompt_tokens + other.completion_tokens + other.cached_tokens


def test_a_bill_holds_its_parts() -> None:
    bill = Charged(Usage(), NanoDollars(3), NanoDollars(1), NanoDollars(2))

    assert bill.cost == bill.prompt_cost + bill.completion_cost
    assert ("", "") == (Started().upstream_id, Started().upstream_model)
