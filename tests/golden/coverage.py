"""COVERAGE.md: every recorded exchange of both dialects, what it exercises, and which tests read it.

By hand: `python -m tests.golden.coverage` writes the file anew.

Rule 1: where an exchange is tested is asked of the tests themselves: the lists that they go through.
Rule 2: nothing of a recording enters the file but its name, status and features.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tests.sdk.test_anthropic_node
import tests.sdk.test_anthropic_recordings
import tests.sdk.test_openai_node
import tests.sdk.test_openai_recordings
import tests.test_recorded_streams
from tests.dialects.anthropic_messages.test_recorded import recorded
from tests.fakes.messages_recordings import COUNTING, load_messages_recordings, replies
from tests.fakes.recordings import Recording, load_recordings

FILE = Path(__file__).parent / "COVERAGE.md"

REQUEST_FEATURES = (
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "output_config", "output_format",
    "thinking", "reasoning", "reasoning_effort", "stop", "stop_sequences", "logprobs", "n", "seed",
    "logit_bias", "top_k", "metadata", "service_tier", "mcp_servers", "container", "context_management",
    "prediction", "web_search_options", "modalities", "speed", "fallbacks", "plugins",
)  # fmt: skip
"""Fields of a request that are worth a word; `=` nothing else is asked of it."""
PART_FEATURES = frozenset((
    "image", "image_url", "document", "file", "input_audio", "tool_use", "tool_result", "thinking",
    "redacted_thinking", "server_tool_use", "search_result", "container_upload", "compaction",
))  # fmt: skip
"""Types of parts and blocks, in requests and replies."""
REPLY_KEYS = frozenset((
    "tool_calls", "reasoning", "reasoning_content", "reasoning_details", "annotations", "citations",
    "refusal", "signature", "images", "logprobs", "error",
))  # fmt: skip
"""Keys of replies that are worth a word where they hold something."""


def table() -> str:
    """The whole file."""
    return "\n".join([*_intro(), *_rows("openai-chat"), *_rows("anthropic-messages")]) + "\n"


def _intro() -> Iterator[str]:
    yield "# Recorded exchanges and their tests"
    yield ""
    yield "Made by `python -m tests.golden.coverage`; `tests/golden/test_coverage.py` fails when it is out of date."
    yield "Every exchange is also replayed byte for byte by `tests/fakes/`."
    yield ""
    yield "| letter | test |"
    yield "|---|---|"
    for letter, where, _ in _readers():
        yield f"| {letter} | `{where}` |"


def _readers() -> list[tuple[str, str, frozenset[str]]]:
    """(letter, file, names of the exchanges it reads)."""
    chat, chat_node = tests.sdk.test_openai_recordings, tests.sdk.test_openai_node
    messages, messages_node = tests.sdk.test_anthropic_recordings, tests.sdk.test_anthropic_node
    no_reply = [one for one in load_recordings() if one.name in chat.NO_REPLY]
    return [
        ("S", "tests/test_recorded_streams.py", _names(tests.test_recorded_streams.STREAMS)),
        (
            "O",
            "tests/sdk/test_openai_recordings.py",
            _names([*chat.STREAMS, *chat.REPLIES, *chat.REFUSALS, *no_reply]),
        ),
        (
            "N",
            "tests/sdk/test_openai_node.py",
            _names([*chat_node.STREAMS, *chat_node.REPLIES[:: chat_node.REPLY_EVERY]]),
        ),
        (
            "A",
            "tests/sdk/test_anthropic_recordings.py",
            _names([*messages.STREAMS, *messages.WHOLE, *messages.REFUSALS]),
        ),
        ("B", "tests/sdk/test_anthropic_node.py", frozenset(messages_node.STREAMS)),
        ("D", "tests/dialects/anthropic_messages/test_recorded.py", _decoded()),
        ("C", "tests/sdk/test_anthropic_recordings.py, counts", _names(messages.COUNTED)),
    ]


def _decoded() -> frozenset[str]:
    """What the dialect's own test reads; it names the files."""
    files = {re.sub(r"(\.chunks)?\.[a-z]+\.\d+$", "", one.name) for one in recorded()}
    return _names(one for one in replies() if one.name.rpartition(".")[0] in files)


def _names(recordings: Iterable[Recording]) -> frozenset[str]:
    return frozenset(one.name for one in recordings)


def _rows(dialect: str) -> Iterator[str]:
    found = load_recordings() if dialect == "openai-chat" else load_messages_recordings()
    readers = _readers()
    streamed = sum(one.stream for one in found)
    yield ""
    yield f"## {dialect}: {len(found)} exchanges, {streamed} streamed"
    yield ""
    yield "| exchange | streamed | status | exercises | tests |"
    yield "|---|---|---|---|---|"
    for one in found:
        letters = "".join(letter for letter, _, names in readers if one.name in names)
        features = ", ".join(sorted(features_of(one)))
        stream = "yes" if one.stream else ""
        yield f"| {one.name} | {stream} | {one.status} | {features} | {letters} |"


def features_of(recording: Recording) -> set[str]:
    """What an exchange exercises, in the words of its own dialect."""
    request = recording.request or {}
    found = {key for key in REQUEST_FEATURES if request.get(key) not in (None, [], {})}
    if isinstance(request.get("n"), int) and request["n"] == 1:
        found.discard("n")
    if recording.path == COUNTING:
        found.add("counts tokens")
    if recording.path.endswith("/v1/completions"):
        found.add("legacy")
    for document in (request, *_documents(recording)):
        for key, value in _pairs(document):
            if key == "type" and value in PART_FEATURES:
                found.add(str(value))
            elif key == "cache_control" and value:
                found.add(key)
            elif document is not request and key in REPLY_KEYS and value:
                found.add(key)
            elif document is not request and key in {"stop_reason", "finish_reason"} and value:
                found.add(f"ends in {value}")
    return found


def _documents(recording: Recording) -> Iterator[Any]:
    """The reply, or the events of it, as far as they are JSON."""
    texts = [recording.body.decode("utf-8", "replace")]
    if recording.stream:
        texts = re.findall(r"^data: ?(.*)$", texts[0], re.MULTILINE)
    for text in texts:
        try:
            yield json.loads(text)
        except ValueError:
            continue


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a document with its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"input_schema", "parameters", "json_schema", "schema"}:
                continue  # the client's own words
            yield key, inner if isinstance(inner, str | int | float | bool) or not inner else True
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
