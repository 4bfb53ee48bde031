"""Content of a message, read: strings, lists of parts, data URIs, thinking of earlier turns."""

import base64
from urllib.parse import unquote_to_bytes

from proxy.dialects.openai_chat.fields import (
    NAME,
    an_object,
    list_at,
    object_at,
    refused,
    text_at,
    word_at,
)
from proxy.model.conversation import (
    AudioPart,
    FilePart,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy.model.document import Document, Json

TEXTS = frozenset(("text", "input_text", "output_text"))
PDF_IN_BASE64 = "JVBERi0"
"""How every PDF begins ("%PDF-"); some clients send it without a media type."""


def read_content(value: Json, path: str) -> list[Part]:
    """The parts of `content`. Raises: InvalidRequestError with the path of what is wrong."""
    if value is None:
        return []
    if isinstance(value, str):
        return [TextPart(value, path=path)]
    if not isinstance(value, list):
        raise refused(path, "Expected `str | array | null`")
    return [
        _read_part(an_object(part, f"{path}[{n}]"), f"{path}[{n}]") for n, part in enumerate(value)
    ]


def _read_part(part: Document, path: str) -> Part:
    kind = word_at(part, "type", path)
    if kind in TEXTS:
        if part.get("text") is None:
            raise refused(f"{path}.text", "Missing field")
        return TextPart(text_at(part, "text", path), object_at(part, "cache_control", path), path)
    if kind == "image_url":
        return _image(part, path)
    if kind == "input_audio":
        sound, inside = _inner(part, "input_audio", path)
        data = word_at(sound, "data", inside)
        if data[:5].lower() == "data:":
            data = read_data_uri(data, f"{inside}.data")[1]
        return AudioPart(data, word_at(sound, "format", inside), path)
    if kind == "file":
        return _file(part, path)
    if kind == "refusal":
        return RefusalPart(text_at(part, "refusal", path), path)
    return NativePart(NAME, part, path)


def _inner(part: Document, key: str, path: str) -> tuple[Document, str]:
    inner = object_at(part, key, path)
    if inner is None:
        raise refused(f"{path}.{key}", "Missing field")
    return inner, f"{path}.{key}"


def _image(part: Document, path: str) -> ImagePart:
    given = part.get("image_url")
    inner: Document = {"url": given}
    inside, where = path, f"{path}.image_url"
    if not isinstance(given, str):
        inner, inside = _inner(part, "image_url", path)
        where = f"{inside}.url"
    url = inner.get("url")
    if not isinstance(url, str) or not url:
        raise refused(where, "Expected a URL")
    image = ImagePart(cache=object_at(part, "cache_control", path), path=path)
    image.detail = text_at(inner, "detail", inside)
    if url[:5].lower() == "data:":
        image.media_type, image.data = read_data_uri(url, where)
    else:
        image.url = url
    return image


def _file(part: Document, path: str) -> FilePart:
    inner, inside = _inner(part, "file", path)
    data = text_at(inner, "file_data", inside)
    file = FilePart(
        file_id=text_at(inner, "file_id", inside),
        name=text_at(inner, "filename", inside),
        cache=object_at(part, "cache_control", path),
        path=path,
    )
    head = data[:8].lower()
    if head.startswith("data:"):
        file.media_type, file.data = read_data_uri(data, f"{inside}.file_data")
    elif head.startswith(("http://", "https://")):
        file.url = data
    elif data:
        file.data = data
        if data.startswith(PDF_IN_BASE64) or file.name.lower().endswith(".pdf"):
            file.media_type = "application/pdf"
    elif not file.file_id:
        raise refused(f"{inside}.file_data", "Missing field")
    return file


def read_data_uri(uri: str, path: str) -> tuple[str, str]:
    """(media type, base64 data) of "data:image/png;base64,…". Raises: InvalidRequestError.

    Source: RFC 2397. What is not base64 in it is made so.
    """
    head, comma, data = uri.partition(",")
    if not comma:
        raise refused(path, "A data URI needs a comma before its data")
    media_type, *parameters = head[5:].split(";")
    if "base64" not in [parameter.strip().lower() for parameter in parameters]:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type.strip().lower() or "text/plain", data


def read_reasoning(message: Document, path: str) -> list[Part]:
    """Thinking of an earlier turn: `reasoning_details` in order, else the plain text.

    Clients that keep a stream's pieces as they came send them so: pieces of one block are put
    together, since a signature is worth nothing without the text it signs.
    Raises: InvalidRequestError.
    """
    parts: list[Part] = []
    last: Document = {}
    for n, value in enumerate(list_at(message, "reasoning_details", path)):
        where = f"{path}.reasoning_details[{n}]"
        detail = an_object(value, where)
        part = _read_detail(detail, where)
        before = parts[-1] if parts else None
        if (
            isinstance(part, ReasoningPart)
            and isinstance(before, ReasoningPart)
            and _continues(detail, last)
            and not before.signature
            and not part.encrypted
        ):
            before.text += part.text
            before.signature = part.signature
            before.format = before.format or part.format
            continue
        parts.append(part)
        last = detail
    if not any(isinstance(part, ReasoningPart) and part.text for part in parts):
        key = "reasoning" if message.get("reasoning") is not None else "reasoning_content"
        if text := text_at(message, key, path):
            parts.insert(0, ReasoningPart(text, path=f"{path}.{key}"))
    return parts


def _read_detail(detail: Document, path: str) -> Part:
    kind = word_at(detail, "type", path)
    part = ReasoningPart(format=read_format(detail), path=path)
    if kind == "reasoning.text":
        part.text = text_at(detail, "text", path)
        part.signature = text_at(detail, "signature", path)
    elif kind == "reasoning.summary":
        part.text, part.summary = text_at(detail, "summary", path), True
    elif kind == "reasoning.encrypted":
        part.encrypted = text_at(detail, "data", path)
    else:
        return NativePart(NAME, detail, path)
    return part


def _continues(detail: Document, last: Document) -> bool:
    index = detail.get("index")
    return (
        isinstance(index, int)
        and index == last.get("index")
        and detail.get("type") == last.get("type")
        and detail.get("id") in (None, last.get("id"))
    )


def read_format(detail: Document) -> str:
    """Who can verify a block of thinking; "" where that is not known."""
    value = detail.get("format")
    return value if isinstance(value, str) and value != "unknown" else ""


def mark_last(parts: list[Part], cache: Document | None) -> None:
    """Put a message's own cache mark on the last part that can carry one and has none."""
    for part in reversed(parts):
        if isinstance(part, MARKABLE):
            part.cache = part.cache or cache
            return


MARKABLE = (TextPart, ImagePart, FilePart, ToolCallPart, ToolResultPart)
