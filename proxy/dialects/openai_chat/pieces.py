"""What a delta or a message holds beside text and calls: sealed thinking, sources, pictures.

Rule 1: nothing in here is refused: what is of another shape is passed on as it came, and means
nothing.
"""

from collections.abc import Iterator

from proxy.dialects.openai_chat.fields import as_json
from proxy.dialects.openai_chat.parts import read_data_uri, read_format
from proxy.errors import InvalidRequestError
from proxy.model.document import Document, Json, as_count, as_document, as_list
from proxy.model.event import Citation, Event, Image, Reasoning, ReasoningSealed, Text

INDEX_MAX = 1_000_000
"""Larger numbers are no indexes of blocks."""


def read_details(details: list[Json], choice: int, plain: Json) -> Iterator[Event]:
    """Thinking told in `reasoning_details`.

    Args:
        plain: the same as text; counts only where no detail has any.
    """
    events: list[Event] = []
    texts = False
    for n, value in enumerate(details):
        detail = as_document(value)
        block = detail.get("index")
        block = block if type(block) is int and 0 <= block <= INDEX_MAX else n
        kind, form = detail.get("type"), read_format(detail)
        summary = kind == "reasoning.summary"
        text = _text(detail, "summary" if summary else "text")
        if text and (summary or kind == "reasoning.text"):
            texts = True
            events.append(Reasoning(text, choice, block, summary))
        if kind == "reasoning.text" and (signature := _text(detail, "signature")):
            events.append(ReasoningSealed(block, signature, format=form, choice=choice))
        elif kind == "reasoning.encrypted" and (data := _text(detail, "data")):
            events.append(ReasoningSealed(block, encrypted=data, format=form, choice=choice))
    if not texts and isinstance(plain, str) and plain:
        yield Reasoning(plain, choice)
    yield from events


def read_list(content: list[Json], choice: int) -> Iterator[Event]:
    """Content told as parts: their text and thinking, in order; other parts as JSON, all together."""
    events: list[Event] = []
    for value in content:
        part = as_document(value)
        kind, text = part.get("type"), part.get("text")
        if kind == "text" and isinstance(text, str):
            events.append(Text(text, choice))
        elif kind == "thinking":
            thought = part.get("thinking")
            inner = [as_document(piece).get("text") for piece in as_list(thought)]
            texts = [thought] if isinstance(thought, str) else inner
            events += [Reasoning(text, choice) for text in texts if isinstance(text, str)]
        else:
            yield Text(as_json(content), choice)
            return
    yield from (event for event in events if isinstance(event, Text | Reasoning) and event.text)


def read_annotations(annotations: list[Json], choice: int) -> Iterator[Event]:
    """Sources of the text."""
    for value in annotations:
        annotation = as_document(value)
        if annotation.get("type") != "url_citation":
            continue
        cited = as_document(annotation.get("url_citation")) or annotation
        yield Citation(
            url=_text(cited, "url"),
            title=_text(cited, "title"),
            cited=_text(cited, "content"),
            start=_place(cited, "start_index"),
            end=_place(cited, "end_index"),
            raw=annotation,
            choice=choice,
        )


def read_sources(document: Document, told: set[str]) -> list[Event]:
    """Sources of the whole reply, which search hosts repeat in every chunk; each is told once.

    Args:
        told: addresses told already; taken in.
    """
    found: list[Event] = []
    for key in ("search_results", "citations"):
        for value in as_list(document.get(key)):
            source: Document = {"url": value} if isinstance(value, str) else as_document(value)
            url = _text(source, "url")
            if url and url not in told and len(told) < SOURCES_MAX:
                told.add(url)
                found.append(Citation(url=url, title=_text(source, "title"), raw=source))
    return found


SOURCES_MAX = 1000
"""Sources of one reply that are remembered, and told."""


def read_images(images: list[Json], choice: int) -> Iterator[Event]:
    """Pictures that the model made."""
    for value in images:
        given = as_document(value).get("image_url")
        url = given if isinstance(given, str) else _text(as_document(given), "url")
        if url[:5].lower() == "data:":
            try:
                media_type, data = read_data_uri(url, "$")
            except InvalidRequestError:
                continue
            yield Image(media_type, data, choice=choice)
        elif url:
            yield Image(url=url, choice=choice)


def _text(document: Document, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _place(document: Document, key: str) -> int | None:
    return as_count(document[key]) if type(document.get(key)) is int else None
