"""What was delivered is counted in bytes of meaning."""

from proxy.model.event import Ended, Finished, Reasoning, Text, ToolCall, Usage
from proxy.model.meter import Delivered


def test_content_is_counted_and_the_rest_is_kept() -> None:
    delivered, usage = Delivered(), Usage(1, 2)

    count = delivered.note(
        [
            Text("é"),
            Reasoning("ab"),
            ToolCall(0, name="f", arguments="{}"),
            usage,
            Finished("stop", "eos"),
            Ended(),
        ]
    )

    assert (3, 2 + 2 + 3) == (count, delivered.output_bytes)
    assert ("stop", usage) == (delivered.finish_reason, delivered.usage)
