"""The hub's nouns: order is kept, and every part knows where it stood."""

from proxy.model.conversation import Conversation, TextPart, ToolCallPart, ToolResultPart, Turn


def test_a_conversation_is_what_was_said_in_order() -> None:
    call = ToolCallPart("call-1", "look", "{}", path="$.messages[1].tool_calls[0]")
    result = ToolResultPart("call-1", [TextPart("42")], path="$.messages[2]")
    talk = Conversation(
        [
            Turn("user", [TextPart("look", path="$.messages[0]")]),
            Turn("assistant", [call]),
            Turn("user", [result]),
        ]
    )

    assert ["user", "assistant", "user"] == [turn.role for turn in talk.turns]
    assert "$.messages[1].tool_calls[0]" == talk.turns[1].parts[0].path
    assert talk.tool_choice is None
    assert {} == talk.extras


def test_lists_are_nobody_elses() -> None:
    one, two = ToolResultPart("a"), ToolResultPart("b")
    one.parts.append(TextPart("x"))

    assert [] == two.parts
    assert [] == Conversation([]).stop
