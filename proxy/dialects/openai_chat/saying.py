"""Parts of a conversation as content of chat messages."""

from proxy.dialects.openai_chat.fields import NAME, refused
from proxy.model.conversation import (
    AudioPart,
    FilePart,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy.model.document import Document, Json

SEE_BELOW = "The content follows in the next message."
"""Text of a tool's result that has none, only pictures or files: a message of role `tool` holds text."""
FAILED = "The tool failed."
"""Text of a tool's result that only says that it is an error: the dialect has no flag for it."""


def say(parts: list[Part], *, marks: bool) -> Json:
    """`content` of a message: a string where that says it all, else parts, in order.

    Args:
        marks: keep cache marks.
    Raises: InvalidRequestError with the path of a part that cannot be said here.
    """
    if not parts:
        return ""
    only = parts[0]
    if len(parts) == 1 and isinstance(only, TextPart) and (only.cache is None or not marks):
        return only.text
    return [_say(part, marks=marks) for part in parts]


def _say(part: Part, *, marks: bool) -> Document:
    match part:
        case TextPart(text=text):
            said: Document = {"type": "text", "text": text}
        case ImagePart():
            said = say_image(part)
        case FilePart():
            said = _say_file(part)
        case AudioPart(data=data, format=sound):
            return {"type": "input_audio", "input_audio": {"data": data, "format": sound}}
        case NativePart(dialect=dialect, document=document) if dialect == NAME:
            return document
        case _:
            raise refused(part.path, "The provider's API has no such content here")
    if marks and part.cache is not None:
        said["cache_control"] = part.cache
    return said


def say_image(image: ImagePart) -> Document:
    """A picture as a part."""
    inner: Document = {
        "url": image.url or f"data:{image.media_type or 'image/png'};base64,{image.data}"
    }
    if image.detail:
        inner["detail"] = image.detail
    return {"type": "image_url", "image_url": inner}


def _say_file(file: FilePart) -> Document:
    """A document as a part; plain text as text, since few hosts take other files than PDFs."""
    if file.text:
        return {
            "type": "text",
            "text": f"{file.name}:\n\n{file.text}" if file.name else file.text,
        }
    inner: Document = {}
    if file.file_id:
        inner["file_id"] = file.file_id
    elif file.url:
        inner["file_data"] = file.url
    else:
        media_type = file.media_type or "application/pdf"
        inner["file_data"] = f"data:{media_type};base64,{file.data}"
        inner["filename"] = "document.pdf" if media_type == "application/pdf" else "document"
    if file.name:
        inner["filename"] = file.name
    return {"type": "file", "file": inner}


def say_tool_call(call: ToolCallPart) -> Document:
    """An entry of `tool_calls`."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }


def say_result(result: ToolResultPart, *, marks: bool) -> tuple[Document, list[Part]]:
    """A message of role `tool`, and the parts that such a message cannot hold."""
    texts: list[Part] = []
    others: list[Part] = []
    for part in result.parts:
        if isinstance(part, TextPart) or (isinstance(part, FilePart) and part.text):
            texts.append(part)
        else:
            others.append(part)
    if not texts and (others or result.is_error):
        texts = [TextPart(SEE_BELOW if others else FAILED)]
    if marks and result.cache is not None:
        last = texts[-1] if texts else None
        if isinstance(last, TextPart) and last.cache is None:
            texts[-1] = TextPart(last.text, result.cache, last.path)
    return {
        "role": "tool", "tool_call_id": result.id, "content": say(texts, marks=marks),
    }, others  # fmt: skip


def say_reasoning(parts: list[ReasoningPart], *, natively: bool, echo: bool) -> Document:
    """Fields of an assistant's message with its thinking; empty where the provider takes none."""
    text = "".join(part.text for part in parts)
    if not natively:
        return {"reasoning_content": text} if echo and text else {}
    details: list[Json] = []
    for part in parts:
        details += _details(part, len(details))
    if not details:
        return {}
    return {"reasoning": text, "reasoning_details": details} if text else {
        "reasoning_details": details
    }  # fmt: skip


def _details(part: ReasoningPart, index: int) -> list[Json]:
    """Entries of `reasoning_details`; none for a block with nothing in it, which hosts refuse."""
    common: Document = {"format": part.format} if part.format else {}
    said: list[Document] = []
    if part.summary:
        said = [{"type": "reasoning.summary", "summary": part.text}] if part.text else []
    elif part.text or part.signature:
        said = [{"type": "reasoning.text", "text": part.text}]
        if part.signature:
            said[0]["signature"] = part.signature
    if part.encrypted:
        said.append({"type": "reasoning.encrypted", "data": part.encrypted})
    return [{**entry, **common, "index": index + n} for n, entry in enumerate(said)]
