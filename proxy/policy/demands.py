"""What a request needs of whoever serves it: parameters, kinds of input, room. Pure, and lazy.

Reads both vocabularies that bodies come in (OpenAI's and Anthropic's), by field and part names, which do
not clash. Rule 1: where a guess is needed, it errs on the side of letting a request through.
"""

from proxy.model.document import Document, Json, as_document, as_list

CHARACTERS_PER_TOKEN = 5
"""For the question whether a prompt fits: English has 4.4 in o200k_base, so this is an underestimate."""
PICTURE_TOKENS = 85
"""Of any attachment: the least that vendors count."""

OTHER_NAMES = {
    "max_completion_tokens": "max_tokens",
    "reasoning_effort": "reasoning",
    "include_reasoning": "reasoning",
    "thinking": "reasoning",
    "stop_sequences": "stop",
}
"""Request fields that are the same parameter under another name."""
KINDS = {
    "image_url": "image",
    "image": "image",
    "input_audio": "audio",
    "audio": "audio",
    "video_url": "video",
    "video": "video",
}
"""Types of content parts and the modality that they need. Files are not among them: they can be parsed."""
ANSWER_FIELDS = ("response_format", "output_format", "output_config")


def parameters_of(body: Document) -> frozenset[str]:
    """The parameters that a request sets, by their OpenAI names; null counts as not set."""
    said = {OTHER_NAMES.get(name, name) for name, value in body.items() if value not in (None, [])}
    for name in ANSWER_FIELDS:
        kind = answer_kind(body.get(name))
        if kind:
            said.add("response_format")
            if kind == "json_schema":
                said.add("structured_outputs")
    return frozenset(said)


def answer_kind(value: Json) -> str:
    """ "json_object", "json_schema", or empty: of a field that asks for a shape of the answer."""
    wanted = as_document(value)
    kind = wanted.get("type", as_document(wanted.get("format")).get("type"))
    return kind if isinstance(kind, str) and kind.startswith("json") else ""


def features_of(body: Document) -> tuple[str, ...]:
    """Parameters for whose sake endpoints without them are left out, if others have them."""
    features = []
    if body.get("tools"):
        features.append("tools")
    if body.get("verbosity") is not None:
        features.append("verbosity")
    kinds = (answer_kind(body[name]) for name in ANSWER_FIELDS if name in body)
    features += [
        "structured_outputs" if kind == "json_schema" else "response_format"
        for kind in kinds
        if kind
    ]
    return tuple(features)


def modalities_of(body: Document) -> frozenset[str]:
    """Kinds of input besides text: image, audio, video."""
    found: set[str] = set()
    for message in as_list(body.get("messages")):
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            found.update(_kinds(content))
    return frozenset(found)


def _kinds(parts: list[Json]) -> set[str]:
    names = (part.get("type") for part in parts if isinstance(part, dict))
    return {KINDS[name] for name in names if isinstance(name, str) and name in KINDS}


def prompt_tokens_least(body: Document) -> int:
    """The fewest tokens that the prompt can be taken for; attachments count as the smallest ones."""
    characters, attachments = 0, 0
    stack: list[Json] = [
        body.get("messages"),
        body.get("prompt"),
        body.get("system"),
        body.get("tools"),
    ]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            kind = value.get("type")
            if isinstance(kind, str) and (kind in KINDS or kind in {"file", "document"}):
                attachments += 1
            else:
                stack.extend(value.values())
    return characters // CHARACTERS_PER_TOKEN + attachments * PICTURE_TOKENS
