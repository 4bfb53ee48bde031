"""Reads from a request what the sandbox speaks of: the last words, attachments, sizes; pure.

Nothing here refuses: the sandbox answers whatever the gateway let through.
"""

from collections import Counter
from dataclasses import dataclass

from proxy.model.call import Surface
from proxy.model.document import Document, Json, as_document, as_list

MESSAGE_TOKENS = 3
"""Counted for the frame around each message."""
ATTACHMENT_TOKENS = 85
"""Counted for each attachment: the price of a small picture with several vendors."""

ATTACHMENTS = {
    "image_url": "image",
    "input_audio": "audio clip",
    "video_url": "video",
    "file": "file",
}
"""Content part types and what they are called."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What matters of a prompt."""

    last_text: str = ""
    """Text of the last user message."""
    tool_result: str = ""
    """Text of the last message, if a tool wrote it."""
    attachments: str = ""
    """In words: "2 images and 1 file"; empty: none."""
    words: int = 0
    overhead_tokens: int = 0


def read_prompt(document: Document, surface: Surface) -> Prompt:
    """The prompt of a chat or completions request."""
    if surface == "completions":
        text = _text_of(document.get("prompt"))
        return Prompt(last_text=text, words=len(text.split()))
    messages = [as_document(message) for message in as_list(document.get("messages"))]
    kinds = Counter(kind for message in messages for kind in _attachments(message.get("content")))
    texts = [_text_of(message.get("content")) for message in messages]
    roles = [message.get("role") for message in messages]
    said = [text for role, text in zip(roles, texts, strict=True) if role == "user"]
    return Prompt(
        last_text=said[-1] if said else "",
        tool_result=texts[-1] if roles and roles[-1] == "tool" else "",
        attachments=_in_words(kinds),
        words=sum(len(text.split()) for text in texts),
        overhead_tokens=MESSAGE_TOKENS * len(messages) + ATTACHMENT_TOKENS * kinds.total(),
    )


def _text_of(content: Json) -> str:
    """Text of a string, of a list of strings, or of content parts."""
    if isinstance(content, str):
        return content
    pieces = [
        piece if isinstance(piece, str) else as_document(piece).get("text")
        for piece in as_list(content)
    ]
    return " ".join(piece for piece in pieces if isinstance(piece, str))


def _attachments(content: Json) -> list[str]:
    types = [as_document(part).get("type") for part in as_list(content)]
    return [ATTACHMENTS[kind] for kind in types if isinstance(kind, str) and kind in ATTACHMENTS]


def _in_words(kinds: Counter[str]) -> str:
    counted = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds.items()]
    return " and ".join(counted)
