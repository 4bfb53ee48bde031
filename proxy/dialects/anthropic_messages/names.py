"""Words of the messages API that both of its sides use.

Source: the public API as recorded and as its SDKs have it, version 2023-06-01, as of 2026-08.
"""

from collections.abc import Mapping

from proxy.model.call import Surface

NAME = "anthropic-messages"
SEAL = "anthropic-claude-v1"
"""`format` of thinking that only models behind this API can verify."""

headers = b"anthropic-version: 2023-06-01\r\n"
"""Header lines that every request of this dialect must have; a client may name a later version."""
paths: Mapping[Surface, str] = {
    "chat": "/messages",
    "completions": "/messages",
    "messages": "/messages",
    "count_tokens": "/messages/count_tokens",
}
"""Path of a provider behind `base_url`, by what was asked for."""

REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "compaction": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""`stop_reason` and ours; an unknown one is a stop. A paused turn is not complete, so it is no stop."""

NATIVE_REASONS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
"""Ours and `stop_reason`. "error" has none: the reply must end in an error, never in a success."""

INPUT = "input_tokens"
"""Prompt tokens that no cache had anything to do with."""
OUTPUT = "output_tokens"
"""Thinking included."""
CACHE_READ = "cache_read_input_tokens"
CACHE_WRITE = "cache_creation_input_tokens"

MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""Of images."""
