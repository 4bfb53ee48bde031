"""What the SDK should yield through the gateway, worked out from what it yields without.

Written from docs/api.md, "Replies" and "Streams"; shares nothing with the proxy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import BaseModel

Document = dict[str, Any]

OURS = ("id", "object", "created", "model", "provider", "usage")
"""The gateway's own words in every reply."""
DROPPED = ("obfuscation", "x_groq")
NORMAL = {"eos": "stop", "end_turn": "stop", "model_length": "length", "max_tokens": "length"}
"""Providers' words for the end of a choice, where they are none of OpenAI's."""
REASONS = {"stop", "length", "tool_calls", "content_filter", "error"}


@dataclass
class Heard:
    """What the SDK handed over for one call."""

    documents: list[Document] = field(default_factory=list)
    """Chunks, or the one reply."""
    error: openai.OpenAIError | None = None


def listen(call: Callable[[], Iterable[BaseModel] | BaseModel]) -> Heard:
    """Make a call, and take down all that comes."""
    heard = Heard()
    try:
        answer = call()
        if isinstance(answer, BaseModel):
            heard.documents.append(document_of(answer))
        else:
            heard.documents.extend(document_of(chunk) for chunk in answer)
    except openai.OpenAIError as error:
        heard.error = error
    return heard


def document_of(model: BaseModel) -> Document:
    """All that the SDK made of a JSON document, unknown fields included."""
    return model.to_dict(warnings=False)


def amended(direct: Heard, part: str, *, streamed: bool) -> list[Document]:
    """The provider's documents with the changes that the gateway promises.

    Args:
        part: "delta", "message", or "" for legacy completions, where the text is in the choice.
    """
    called: set[int] = set()
    kept = [d for d in direct.documents if not (streamed and _only_usage(d))]
    return [_amended(document, part, called, streamed=streamed) for document in kept]


def _only_usage(document: Document) -> bool:
    return not document.get("choices") and "usage" in document


def _amended(document: Document, part: str, called: set[int], *, streamed: bool) -> Document:
    changed = {k: v for k, v in document.items() if k not in (*OURS, *DROPPED)}
    choices = [_choice(choice, part, called) for choice in document["choices"]]
    if not streamed:
        changed.setdefault("system_fingerprint", None)
        for choice in choices:  # a whole reply has ended, whether the provider says so or not
            choice["finish_reason"] = choice["finish_reason"] or "stop"
    return {**changed, "choices": choices}


def _choice(choice: Document, part: str, called: set[int]) -> Document:
    said = dict(choice.get(part) or {}) if part else {}
    native = choice.get("finish_reason") or None
    index = choice.get("index", 0)
    if said.get("tool_calls"):
        called.add(index)
    reason = native if native in REASONS or native is None else NORMAL[native]
    if reason == "stop" and index in called:
        reason = "tool_calls"
    if "reasoning_content" in said:
        said.setdefault("reasoning", said["reasoning_content"])
    return {
        **choice,
        **({part: said} if part else {}),
        "index": index,
        "finish_reason": reason,
        "native_finish_reason": native,
    }


def seen(documents: Iterable[Document]) -> list[Document]:
    """What came through the gateway, without what is its own."""
    return [{k: v for k, v in document.items() if k not in OURS} for document in documents]


def usage_of(documents: Iterable[Document]) -> Document | None:
    """The last usage that was said, wherever it stood."""
    found = None
    for document in documents:
        found = document.get("usage") or (document.get("x_groq") or {}).get("usage") or found
    return found


def counts(usage: Document) -> tuple[int, int, int, int, int]:
    """Prompt, completion, their sum, cached and reasoning tokens, as the gateway normalises them."""
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    details = usage.get("completion_tokens_details") or {}
    reasoning = details.get("reasoning_tokens") or 0
    if reasoning and usage.get("total_tokens") == prompt + completion + reasoning:
        completion += reasoning
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    cached = min(cached or usage.get("prompt_cache_hit_tokens") or 0, prompt)
    return prompt, completion, prompt + completion, cached, reasoning


def is_believable(usage: Document | None) -> bool:
    """Does the gateway take these counts, rather than count for itself?"""
    return usage is not None and bool(usage.get("completion_tokens"))
