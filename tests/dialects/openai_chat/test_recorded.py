"""Recorded requests and replies of real clients and providers, through the hub and back."""

from typing import Any

import orjson
import pytest

from proxy.dialects.openai_chat.asking import ask
from proxy.dialects.openai_chat.composing import Deltas
from proxy.dialects.openai_chat.conversing import converse
from proxy.dialects.openai_chat.reading import Reading
from proxy.model.call import Call
from proxy.model.conversation import Conversation, TextPart, ToolCallPart
from proxy.model.event import Event, Reasoning, ReasoningSealed, Refusal, Text, ToolCall
from proxy.wire.sse import event_data
from tests.fakes.recordings import ABSENT, load_recordings
from tests.fakes.things import a_provider, an_endpoint

REQUESTS = [r for r in load_recordings() if r.request and "messages" in r.request]
STREAMS = [r for r in load_recordings() if r.stream and r.status == 200]
ENDPOINT = an_endpoint(a_provider(quirks=frozenset(("native_reasoning", "cache_control"))))

pytestmark = pytest.mark.skipif(not STREAMS, reason=ABSENT)


def told(conversation: Conversation) -> list[Any]:
    """Roles with texts and calls, in order; a turn of pictures alone may stand elsewhere."""
    turns = []
    for turn in conversation.turns:
        texts = [p.text for p in turn.parts if isinstance(p, TextPart) and p.text]
        calls = [(p.id, p.name, p.arguments or "{}") for p in turn.parts if isinstance(p, ToolCallPart)]  # fmt: skip
        if texts or calls:
            turns.append((turn.role, texts, calls))
    return turns


def test_every_recorded_request_means_the_same_there_and_back_again() -> None:
    call = Call("other", "messages", {}, ("m",))
    for recording in REQUESTS:
        document: Any = recording.request
        first = converse(document)

        assert told(first) == told(converse(ask(first, call, ENDPOINT))), recording.name


def joined(events: list[Event]) -> Any:
    """All that was said: text by kind, arguments by call, seals in order."""
    said: dict[Any, str] = {}
    for event in events:
        if isinstance(event, Text | Reasoning | Refusal):
            said[type(event), event.choice] = said.get((type(event), event.choice), "") + event.text
        elif isinstance(event, ToolCall):
            place = (event.choice, event.index)
            said[place] = said.get(place, "") + event.arguments
    return said, [event for event in events if isinstance(event, ReasoningSealed)]


def test_every_recorded_stream_composed_from_its_events_says_the_same() -> None:
    for recording in STREAMS:
        reading, again, deltas = Reading(stream=True, status=200), Reading(stream=True, status=200), Deltas()  # fmt: skip
        first: list[Event] = []
        second: list[Event] = []
        for raw in recording.body.replace(b"\r\n", b"\n").split(b"\n\n"):
            if frame := event_data(raw):
                events = reading.feed(frame)
                first += events
                for index, delta in deltas.of(events).items():
                    choice = {"index": index, "delta": delta}
                    second += again.feed(orjson.dumps({"choices": [choice]}))

        assert first, recording.name
        assert joined(first) == joined(second), recording.name
