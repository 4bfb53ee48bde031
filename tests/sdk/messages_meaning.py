"""What Anthropic's SDK should yield through the gateway, worked out from what it yields without.

Written from docs/api.md, "Anthropic's dialect"; shares nothing with the proxy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import anthropic
from anthropic import BaseModel

from tests.fakes.messages_scripts import SIGNATURE, STOPS
from tests.fakes.scripts import Script

Document = dict[str, Any]

OURS = ("id", "model", "provider")
"""The gateway's own words in every reply."""
ADDED = ("cost", "cost_details", "is_byok")
"""The bill, in the last usage."""
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


@dataclass
class Heard:
    """What the SDK handed over for one call."""

    documents: list[Document] = field(default_factory=list)
    """Events, or the one message."""
    error: anthropic.AnthropicError | None = None

    @property
    def message(self) -> Document:
        """The message, put together from events if need be."""
        return self.documents[0] if self.documents[0]["type"] == "message" else whole(self)


def listen(call: Callable[[], Iterable[BaseModel] | BaseModel]) -> Heard:
    """Make a call, and take down all that comes."""
    heard = Heard()
    try:
        answer = call()
        if isinstance(answer, BaseModel):
            heard.documents.append(document_of(answer))
        else:
            for event in answer:
                heard.documents.append(document_of(event))
    except anthropic.AnthropicError as error:
        heard.error = error
    return heard


def document_of(model: BaseModel) -> Document:
    """All that the SDK made of a JSON document, unknown fields included."""
    return model.to_dict(warnings=False)


def seen(documents: Iterable[Document]) -> list[Document]:
    """What was said, without what is the gateway's own; every usage with all counts known by then."""
    known = dict.fromkeys(COUNTS, 0)
    return [_seen(document, known) for document in documents]


def _seen(document: Document, known: Document) -> Document:
    kept = dict(document)
    if kept["type"] == "message_start":
        return {**kept, "message": _seen(kept["message"], known)}
    if kept["type"] == "message":
        kept = {key: value for key, value in kept.items() if key not in OURS}
    if isinstance(kept.get("usage"), dict):
        said = {k: v for k, v in kept["usage"].items() if k not in ADDED}
        known |= {key: said[key] for key in COUNTS if said.get(key) is not None}
        kept["usage"] = {**said, **known}
    return kept


def whole(heard: Heard) -> Document:
    """Put a stream together: blocks by their index, what fragments say, the last of all counts."""
    message: Document = {}
    blocks: dict[int, Document] = {}
    for event in heard.documents:
        match event["type"]:
            case "message_start" if not blocks:
                message = {**event["message"]}
            case "content_block_start":  # some recordings have gaps between the indexes
                blocks[event["index"]] = {**event["content_block"], "fragments": ""}
            case "content_block_delta":
                _add(blocks[event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                counts = {k: v for k, v in event["usage"].items() if v is not None}
                message["usage"] = {**message.get("usage", {}), **counts}
    content = [blocks[index] for index in sorted(blocks)]
    for block in content:
        block.pop("fragments")
    return {**message, "content": content}


def _add(block: Document, delta: Document) -> None:
    match delta:
        case {"type": "input_json_delta", "partial_json": said}:
            block["fragments"] += said
            block["input"] = block["fragments"]
        case {"type": "citations_delta", "citation": said}:
            block["citations"] = [*(block.get("citations") or []), said]
        case {"type": kind, **said}:
            for key, value in said.items():
                block[key] = (block.get(key) or "") + value if isinstance(value, str) else value
            assert kind


def counts_of(usage: Document) -> Document:
    """The counts of tokens, none being 0."""
    return {key: usage.get(key) or 0 for key in COUNTS}


def expected_of(script: Script, *, signed: bool) -> tuple[list[Document], str]:
    """Blocks and stop reason of a script; a provider of another dialect signs nothing."""
    blocks: list[Document] = []
    if script.reasoning:
        seal = SIGNATURE if signed else ""
        thought = "".join(script.reasoning)
        blocks.append({"type": "thinking", "thinking": thought, "signature": seal})
    if script.texts:
        blocks.append({"type": "text", "text": "".join(script.texts)})
    blocks += [{"type": "tool_use", "id": c.id, "name": c.name} for c in script.tool_calls]
    return blocks, STOPS[script.finish_reason]
